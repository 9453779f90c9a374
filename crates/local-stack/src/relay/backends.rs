//! All backends of a stack by way of relays.

use std::{io, sync::Arc};

use backends::ministack::Ministack;
use local_lambda::Function;

use super::{Protocol, Relay, Watch};
use crate::Database;

/// A relay in front of each backend. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Relays {
    emulator: Relay,
    /// Each with the address that it stands for.
    databases: Vec<(String, Relay)>,
    watch: Arc<Watch>,
}

impl Relays {
    pub(crate) async fn start(
        ministack: &Ministack,
        database: Option<&Database>,
        watch: Watch,
    ) -> io::Result<Self> {
        let watch = Arc::new(watch);
        let upstream = ministack.endpoint().trim_start_matches("http://");
        let emulator = Relay::start(upstream, Protocol::Http, watch.clone()).await?;
        let direct = database.map(|it| (it.address().to_owned(), "mysql"));
        let proxy = database.and_then(Database::proxy);
        let proxy = proxy.map(|proxy| (proxy.address().to_string(), "rds-proxy"));
        let mut databases = Vec::new();
        for (address, service) in direct.into_iter().chain(proxy) {
            let protocol = Protocol::MySql(service);
            let relay = Relay::start(&address, protocol, watch.clone()).await?;
            databases.push((address, relay));
        }
        Ok(Self {
            emulator,
            databases,
            watch,
        })
    }

    /// Where the emulator's services are: `http://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.emulator.address())
    }

    /// Leads functions to their backends by way of these.
    pub(crate) fn redirect(&self, functions: &mut [Function]) {
        let variables = backends::ministack::variables(&self.endpoint());
        for function in functions {
            for value in function.environment.values_mut() {
                let database = self.databases.iter().find(|(address, _)| address == value);
                if let Some((_, relay)) = database {
                    *value = relay.address().to_string();
                }
            }
            for (name, value) in &variables {
                function
                    .environment
                    .insert((*name).to_owned(), value.clone());
            }
        }
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }
}
