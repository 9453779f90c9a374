//! Tests with clients that see every byte, and do what no library would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod byte_for_byte;
mod collation;
mod pool;
mod vanishing_clients;

use std::time::Duration;

use backends::mariadb::{MariaDb, Options};
use bytes::BytesMut;
use mysql_common::constants::CapabilityFlags;

use crate::{
    Metrics, RdsProxy, Settings,
    command::Command,
    database_connection::{DatabaseConnection, Login},
    state::State,
};

/// Far longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS);

/// A database, and a proxy that has so many of its connections.
struct Fixture {
    // Before the database, so that it is gone when that goes.
    proxy: RdsProxy,
    database: MariaDb,
}

impl Fixture {
    async fn start(connections: u32) -> Self {
        let options = Options {
            max_connections: 100,
            ..Options::default()
        };
        let database = MariaDb::start(options).await.unwrap();
        let mut settings = Settings::new(database.address(), database.user(), database.password());
        settings.max_connections_percent = connections;
        let proxy = RdsProxy::start(settings).await.unwrap();
        Self { proxy, database }
    }

    async fn connect(&self, also: CapabilityFlags) -> DatabaseConnection {
        let address = self.proxy.address().to_string();
        self.connect_to(address, also).await
    }

    async fn connect_directly(&self, also: CapabilityFlags) -> DatabaseConnection {
        self.connect_to(self.database.address(), also).await
    }

    async fn connect_to(&self, address: String, also: CapabilityFlags) -> DatabaseConnection {
        let login = self.login(address);
        let state = self.state(also);
        DatabaseConnection::connect(&login, &state).await.unwrap().0
    }

    fn login(&self, address: String) -> Login {
        Login {
            address,
            user: self.database.user().to_owned(),
            password: self.database.password().to_owned(),
        }
    }

    fn state(&self, also: CapabilityFlags) -> State {
        State {
            capabilities: CAPABILITIES | also,
            collation: 45,
            database: Some(self.database.database().into()),
        }
    }

    /// Waits until this holds.
    async fn until(&self, holds: impl Fn(&Metrics) -> bool) {
        let waiting = async {
            while !holds(&self.proxy.metrics()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{:#?}", self.proxy.metrics());
    }
}

/// The response to a command.
async fn response(
    connection: &mut DatabaseConnection,
    command: Command,
    argument: &[u8],
) -> BytesMut {
    let mut response = connection.response(command.expected());
    connection
        .wire
        .send(&command.packet(argument))
        .await
        .unwrap();
    let mut all = BytesMut::new();
    while !response.is_done() {
        connection.wire.more().await.unwrap();
        let bytes = connection.wire.take();
        response.follow(&bytes).unwrap();
        all.extend_from_slice(&bytes);
    }
    all
}
