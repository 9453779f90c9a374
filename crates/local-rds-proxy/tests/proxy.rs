//! The proxy between real clients and a real MariaDB.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use backends::mariadb::{MariaDb, Options};
use local_rds_proxy::{Metrics, RdsProxy, Settings};
use mysql_async::{Conn, DriverError, Error, OptsBuilder, prelude::Queryable as _};
use tokio::task::JoinSet;

/// Far longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const MAX_CONNECTIONS: u32 = 100;

struct Fixture {
    // Before the database, so that it is gone when that goes.
    proxy: RdsProxy,
    database: MariaDb,
}

impl Fixture {
    async fn start(connections: u32) -> Self {
        Self::start_with(connections, |_| {}).await
    }

    /// A proxy that has so many of the database's connections.
    async fn start_with(connections: u32, change: impl FnOnce(&mut Settings)) -> Self {
        let options = Options {
            max_connections: MAX_CONNECTIONS,
            ..Options::default()
        };
        let database = MariaDb::start(options).await.unwrap();
        let mut settings = Settings::new(database.address(), database.user(), database.password());
        settings.max_connections_percent = 100 * connections / MAX_CONNECTIONS;
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

    async fn connect_directly(&self) -> Conn {
        let options = self.options().tcp_port(self.database.port());
        Conn::new(options).await.unwrap()
    }

    async fn until(&self, holds: impl Fn(&Metrics) -> bool) {
        until(&self.proxy, holds).await;
    }
}

/// Waits until this holds.
async fn until(proxy: &RdsProxy, holds: impl Fn(&Metrics) -> bool) {
    let waiting = async {
        while !holds(&proxy.metrics()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{:#?}", proxy.metrics());
}

/// The number of the error that the server answered with.
fn code(error: &Error) -> u16 {
    match error {
        Error::Server(error) => error.code,
        other => panic!("{other}"),
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
    assert_eq!(metrics.sessions_pinned, 0, "{metrics:?}");
}

#[tokio::test]
async fn a_session_keeps_its_connection_until_its_transaction_ends() {
    let fixture = Fixture::start(5).await;
    let mut one = fixture.connect().await;
    let mut other = fixture.connect().await;
    let mut direct = fixture.connect_directly().await;
    direct
        .query_drop("CREATE TABLE t (id INT PRIMARY KEY)")
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
    assert_eq!(fixture.metrics().sessions_pinned, 0);
}

#[tokio::test]
async fn what_a_pinned_session_leaves_behind_is_gone_when_it_ends() {
    let fixture = Fixture::start(1).await;
    let mut one = fixture.connect().await;
    let sum: u32 = one.exec_first("SELECT ? + 1", (2,)).await.unwrap().unwrap();
    assert_eq!(sum, 3);
    for statement in [
        "SET @left = 1",
        "CREATE TEMPORARY TABLE left_behind (id INT)",
        "DO GET_LOCK('left', 0)",
        "SET foreign_key_checks = 0",
        "SET NAMES latin1",
        "BEGIN",
    ] {
        one.query_drop(statement).await.unwrap();
    }
    let id = connection_id(&mut one).await;
    let metrics = fixture.metrics();
    assert_eq!(metrics.sessions_pinned, 1);
    assert_eq!(metrics.database_connections_currently_session_pinned, 1);

    // Waits until the only connection is free.
    let mut other = fixture.connect().await;
    let (waited, left) = tokio::join!(
        other.query_first(
            "SELECT @left IS NULL AND IS_FREE_LOCK('left') AND @@foreign_key_checks, \
             @@character_set_client, @@in_transaction, '🦀'"
        ),
        one.disconnect()
    );
    left.unwrap();
    let row: (bool, String, bool, String) = waited.unwrap().unwrap();
    assert_eq!(row, (true, "utf8mb4".to_owned(), false, "🦀".to_owned()));
    let gone = other.query_drop("SELECT * FROM left_behind").await;
    assert_eq!(code(&gone.unwrap_err()), 1146);
    assert_eq!(connection_id(&mut other).await, id);
    // The other one, for the variables that it asked for.
    assert_eq!(
        fixture
            .metrics()
            .database_connections_currently_session_pinned,
        1
    );
}

#[tokio::test]
async fn sessions_with_settings_of_their_own_keep_them() {
    let fixture = Fixture::start(3).await;
    let mut one = fixture.connect().await;
    let mut other = fixture.connect().await;
    let mut third = fixture.connect().await;
    one.query_drop("SET time_zone = '+05:00'").await.unwrap();
    other.query_drop("USE information_schema").await.unwrap();
    for _ in 0..3 {
        for (client, settings) in [
            (&mut one, "calls +05:00"),
            (&mut other, "information_schema SYSTEM"),
            (&mut third, "calls SYSTEM"),
        ] {
            let found: Option<String> = client
                .query_first("SELECT CONCAT_WS(' ', DATABASE(), @@time_zone)")
                .await
                .unwrap();
            assert_eq!(found.unwrap(), settings);
        }
    }
    assert_eq!(fixture.metrics().sessions_pinned, 3);
}

#[tokio::test]
async fn a_client_that_inserted_a_row_gets_the_id_that_was_made() {
    let fixture = Fixture::start(3).await;
    let mut direct = fixture.connect_directly().await;
    direct
        .query_drop("CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, x INT)")
        .await
        .unwrap();
    let mut one = fixture.connect().await;
    let mut other = fixture.connect().await;
    one.query_drop("INSERT INTO made (x) VALUES (1)")
        .await
        .unwrap();
    // Would be given the connection, were it free.
    other.query_drop("SELECT 1").await.unwrap();
    other.query_drop("BEGIN").await.unwrap();
    let id: Option<u64> = one.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
    assert_eq!(id, Some(1));
}

#[tokio::test]
async fn a_client_may_begin_its_session_anew() {
    let fixture = Fixture::start(1).await;
    let mut one = fixture.connect().await;
    one.query_drop("SET @left = 1").await.unwrap();
    one.query_drop("SET time_zone = '+05:00'").await.unwrap();
    assert!(one.reset().await.unwrap());
    let mut other = fixture.connect().await;
    other.query_drop("SELECT 1").await.unwrap();
    let found = one.query_first("SELECT @left, @@time_zone").await.unwrap();
    assert_eq!(found, Some((None::<u8>, "SYSTEM".to_owned())));
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_told_what_rds_proxy_says() {
    let fixture = Fixture::start_with(1, |settings| {
        settings.borrow_timeout = Duration::from_secs(1);
    })
    .await;
    let mut one = fixture.connect().await;
    let mut other = fixture.connect().await;
    one.query_drop("BEGIN").await.unwrap();
    let since = Instant::now();
    let error = other.query_drop("SELECT 1").await.unwrap_err();
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(code(&error), 9501);
    assert!(
        error
            .to_string()
            .contains("Timed-out waiting to acquire database connection"),
        "{error}"
    );
    assert_eq!(fixture.metrics().borrow_timeouts, 1);
    one.query_drop("COMMIT").await.unwrap();
    other.query_drop("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn five_hundred_clients_at_once_are_served_by_the_share_and_no_more() {
    const SHARE: u32 = 85;
    let fixture = Fixture::start(SHARE).await;
    let mut clients = JoinSet::new();
    for _ in 0..500 {
        let options = fixture.options();
        clients.spawn(async move {
            for _ in 0..4 {
                let mut client = Conn::new(options.clone()).await.unwrap();
                client.query_drop("SELECT SLEEP(0.01)").await.unwrap();
                client.disconnect().await.unwrap();
            }
        });
    }
    clients.join_all().await;
    let metrics = fixture.metrics();
    assert_eq!(metrics.max_database_connections_allowed, SHARE as usize);
    assert!(
        metrics.peak_database_connections <= SHARE as usize,
        "{metrics:?}"
    );
    assert_eq!(metrics.client_connections_setup_succeeded, 2000);
    let mut administration = fixture.database.administration().await.unwrap();
    let most = administration.most_connections().await.unwrap();
    assert!(most <= u64::from(SHARE), "{most}");
}

#[tokio::test]
async fn a_database_that_is_killed_and_comes_back_costs_only_what_was_under_way() {
    let mut fixture = Fixture::start(3).await;
    let mut idle = fixture.connect().await;
    let mut busy = fixture.connect().await;
    let mut in_transaction = fixture.connect().await;
    idle.query_drop("SELECT 1").await.unwrap();
    in_transaction.query_drop("BEGIN").await.unwrap();
    let Fixture { proxy, database } = &mut fixture;
    let kill = async {
        until(proxy, |metrics| {
            metrics.database_connections_currently_borrowed == 2
        })
        .await;
        database.kill().await.unwrap();
    };
    let (ended, ()) = tokio::join!(busy.query_drop("SELECT SLEEP(60)"), kill);
    assert!(is_gone(&ended.unwrap_err()));
    let ended = in_transaction.query_drop("SELECT 1").await;
    assert!(is_gone(&ended.unwrap_err()));

    // The request waits for the database to come back.
    let restart = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        database.restart().await.unwrap();
    };
    let (found, ()) = tokio::join!(idle.query_first("SELECT 2"), restart);
    assert_eq!(found.unwrap(), Some(2));
    fixture
        .until(|metrics| metrics.database_connections_currently_borrowed == 0)
        .await;
}

#[tokio::test]
async fn connections_killed_while_idle_are_replaced_unnoticed() {
    let fixture = Fixture::start(4).await;
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let mut client = fixture.connect().await;
        clients.spawn(async move {
            client.query_drop("SELECT SLEEP(0.2)").await.unwrap();
            client
        });
    }
    let clients = clients.join_all().await;
    let mut administration = fixture.database.administration().await.unwrap();
    administration.kill_connections().await.unwrap();
    administration.until_at_most(0).await.unwrap();
    for mut client in clients {
        client.query_drop("SELECT 1").await.unwrap();
    }
}

#[tokio::test]
async fn a_database_whose_connections_others_use_up_is_waited_for() {
    let fixture = Fixture::start(5).await;
    let mut others = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        others.push(fixture.connect_directly().await);
    }
    let mut client = fixture.connect().await;
    let leave = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        others.pop().unwrap().disconnect().await.unwrap();
    };
    let (found, ()) = tokio::join!(client.query_first("SELECT 1"), leave);
    assert_eq!(found.unwrap(), Some(1));
}

#[tokio::test]
async fn who_does_not_know_the_password_is_not_let_in() {
    let fixture = Fixture::start(1).await;
    for options in [
        fixture.options().pass(Some("wrong")),
        fixture.options().pass(None::<&str>),
        fixture.options().user(Some("nobody")),
    ] {
        let error = Conn::new(options).await.unwrap_err();
        assert_eq!(code(&error), 1045, "{error}");
    }
    fixture
        .until(|metrics| metrics.client_connections_setup_failed_auth == 3)
        .await;
    assert_eq!(fixture.metrics().peak_database_connections, 0);
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_an_error_of_the_first_statement() {
    let fixture = Fixture::start(1).await;
    let options = fixture.options().db_name(Some("nowhere"));
    let mut client = Conn::new(options).await.unwrap();
    let error = client.query_drop("SELECT 1").await.unwrap_err();
    assert!(matches!(code(&error), 1044 | 1049), "{error}");
    fixture
        .connect()
        .await
        .query_drop("SELECT 1")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_session_without_a_database_does_not_find_one_in_use() {
    let fixture = Fixture::start(1).await;
    fixture
        .connect()
        .await
        .query_drop("SELECT 1")
        .await
        .unwrap();
    let mut client = Conn::new(fixture.options().db_name(None::<&str>))
        .await
        .unwrap();
    for _ in 0..2 {
        let found: Option<Option<String>> = client.query_first("SELECT DATABASE()").await.unwrap();
        assert_eq!(found, Some(None));
        fixture
            .connect()
            .await
            .query_drop("SELECT 1")
            .await
            .unwrap();
    }
    assert_eq!(fixture.metrics().peak_database_connections, 1);
}

#[tokio::test]
async fn a_client_that_is_silent_for_too_long_is_sent_away() {
    let fixture = Fixture::start_with(1, |settings| {
        settings.idle_client_timeout = Duration::from_secs(1);
    })
    .await;
    let mut client = fixture.connect().await;
    client.query_drop("SELECT SLEEP(1.2)").await.unwrap();
    fixture
        .until(|metrics| metrics.client_connections == 0)
        .await;
    assert!(is_gone(&client.query_drop("SELECT 1").await.unwrap_err()));
}

#[tokio::test]
async fn what_is_under_way_ends_before_the_proxy_stops_and_nothing_new_begins() {
    let fixture = Fixture::start(5).await;
    let address = fixture.proxy.address();
    let mut busy = fixture.connect().await;
    let mut idle = fixture.connect().await;
    idle.query_drop("SELECT 1").await.unwrap();
    let Fixture { proxy, database } = fixture;
    let query = busy.query_first("SELECT SLEEP(0.5)");
    let stop = async {
        until(&proxy, |metrics| {
            metrics.database_connections_currently_borrowed == 1
        })
        .await;
        proxy.stop().await.unwrap();
    };
    let (slept, ()) = tokio::join!(query, stop);
    assert_eq!(slept.unwrap(), Some(0));
    assert!(is_gone(&idle.query_drop("SELECT 1").await.unwrap_err()));
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err());
    let mut administration = database.administration().await.unwrap();
    administration.until_at_most(0).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let settings = Settings::new("127.0.0.1:1", "calls", "secret");
    let error = RdsProxy::start(settings).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the database at 127.0.0.1:1 does not answer: "),
        "{error}"
    );
}

/// Whether the connection was closed without an answer.
fn is_gone(error: &Error) -> bool {
    matches!(
        error,
        Error::Io(_) | Error::Driver(DriverError::ConnectionClosed)
    )
}
