//! The proxy between real clients and a real MariaDB.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use local_rds_proxy::{Metrics, PinReason, RdsProxy, Settings};
use mariadb::{MariaDb, Options};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable as _};

/// Far longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Fixture {
    // Before the database, so that it is gone when that goes.
    proxy: RdsProxy,
    database: MariaDb,
}

impl Fixture {
    async fn start(connections: u32) -> Self {
        Self::start_with(connections, |_| {}).await
    }

    /// A proxy that has half of the database's connections.
    async fn start_with(connections: u32, change: impl FnOnce(&mut Settings)) -> Self {
        let options = Options {
            max_connections: 2 * connections,
            ..Options::default()
        };
        let database = MariaDb::start(options).await.unwrap();
        let mut settings = Settings::new(database.address(), database.user(), database.password());
        settings.max_connections_percent = 50;
        settings.borrow_timeout = PATIENCE;
        change(&mut settings);
        let proxy = RdsProxy::start(settings).await.unwrap();
        Self { proxy, database }
    }

    fn options(&self) -> OptsBuilder {
        let address = self.proxy.address();
        OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .user(Some(self.database.user()))
            .pass(Some(self.database.password()))
            .db_name(Some(self.database.database()))
            .prefer_socket(false)
            .max_allowed_packet(Some(64 << 20))
            .wait_timeout(Some(28_800))
    }

    async fn connect(&self) -> Conn {
        Conn::new(self.options()).await.unwrap()
    }

    fn metrics(&self) -> Metrics {
        self.proxy.metrics()
    }

    /// Waits until this holds.
    async fn until(&self, holds: impl Fn(&Metrics) -> bool) {
        let waiting = async {
            while !holds(&self.metrics()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{:#?}", self.metrics());
    }
}

/// The number of the connection that the database sees.
async fn connection_id(connection: &mut Conn) -> u64 {
    let id = connection.query_first("SELECT CONNECTION_ID()").await;
    id.unwrap().unwrap()
}

#[tokio::test]
async fn clients_take_turns_on_a_database_connection_between_their_statements() {
    let fixture = Fixture::start(5).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(fixture.connect().await);
    }
    let mut ids = Vec::new();
    for client in &mut clients {
        ids.push(connection_id(client).await);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let metrics = fixture.metrics();
    assert_eq!(metrics.client_connections, 20);
    assert_eq!(metrics.max_database_connections_allowed, 5);
    assert_eq!(metrics.peak_database_connections, 1);
    assert_eq!(metrics.database_connections_currently_borrowed, 0);
    assert!(metrics.pins.is_empty(), "{metrics:?}");
}

#[tokio::test]
async fn a_session_keeps_its_connection_until_its_transaction_ends() {
    let fixture = Fixture::start(5).await;
    let mut one = fixture.connect().await;
    let mut other = fixture.connect().await;
    one.query_drop("CREATE TABLE t (id INT PRIMARY KEY)")
        .await
        .unwrap();
    one.query_drop("BEGIN").await.unwrap();
    let id = connection_id(&mut one).await;
    assert_eq!(fixture.metrics().database_connections_currently_borrowed, 1);
    assert_ne!(connection_id(&mut other).await, id);
    one.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
    let seen: u64 = other
        .query_first("SELECT COUNT(*) FROM t")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, 0);
    // The transaction goes on after an error in it.
    one.query_drop("INSERT INTO t VALUES (1)")
        .await
        .unwrap_err();
    assert_eq!(connection_id(&mut one).await, id);
    one.query_drop("COMMIT").await.unwrap();
    fixture
        .until(|metrics| metrics.database_connections_currently_borrowed == 0)
        .await;
    let seen: u64 = other
        .query_first("SELECT COUNT(*) FROM t")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen, 1);
    assert!(fixture.metrics().pins.is_empty());
}

#[tokio::test]
async fn a_prepared_statement_pins_until_the_session_ends() {
    let fixture = Fixture::start(2).await;
    let mut one = fixture.connect().await;
    let sum: u32 = one.exec_first("SELECT ? + 1", (2,)).await.unwrap().unwrap();
    assert_eq!(sum, 3);
    let metrics = fixture.metrics();
    assert_eq!(metrics.pins[&PinReason::PreparedStatement], 1);
    assert_eq!(metrics.database_connections_currently_session_pinned, 1);
    one.disconnect().await.unwrap();
    fixture
        .until(|metrics| metrics.database_connections_currently_session_pinned == 0)
        .await;
}
