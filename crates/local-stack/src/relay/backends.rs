//! All backends of a stack by way of relays.

use std::{io, sync::Arc};

use backends::{memcached::Memcached, ministack::Ministack};
use local_lambda::Function;

use super::{Protocol, Relay, Watch};
use crate::Database;

/// A relay in front of each backend. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Relays {
    emulator: Relay,
    /// The others, each with the address that it stands for.
    others: Vec<(String, Relay)>,
    watch: Arc<Watch>,
}

impl Relays {
    pub(crate) async fn start(
        ministack: &Ministack,
        database: Option<&Database>,
        cache: Option<&Memcached>,
        watch: Watch,
    ) -> io::Result<Self> {
        let watch = Arc::new(watch);
        let upstream = ministack.endpoint().trim_start_matches("http://");
        let emulator = Relay::start(upstream, Protocol::Http, watch.clone()).await?;
        let direct = database.map(|it| (it.address().to_owned(), Protocol::MySql("mysql")));
        let proxy = database.and_then(Database::proxy);
        let proxy = proxy.map(|it| (it.address().to_string(), Protocol::MySql("rds-proxy")));
        let cache = cache.map(|it| (it.address(), Protocol::Memcached));
        let mut others = Vec::new();
        for (address, protocol) in [direct, proxy, cache].into_iter().flatten() {
            let relay = Relay::start(&address, protocol, watch.clone()).await?;
            others.push((address, relay));
        }
        Ok(Self {
            emulator,
            others,
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
                let known = self.others.iter().find(|(address, _)| address == value);
                if let Some((_, relay)) = known {
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
