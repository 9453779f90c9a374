//! Clients that go away without a word, wherever they are.

use mysql_common::constants::CapabilityFlags;
use tokio::{io::AsyncReadExt as _, net::TcpStream, task::JoinSet};

use super::{Fixture, response};
use crate::{command::Command, database_connection::DatabaseConnection};

const SHARE: u32 = 8;

impl Fixture {
    /// A thousand clients, 100 at a time, of which each does this and is then dropped.
    async fn a_thousand<F>(&self, act: impl Fn(usize, DatabaseConnection) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        for _ in 0..10 {
            let mut clients = JoinSet::new();
            for number in 0..100 {
                let client = self.connect(CapabilityFlags::empty()).await;
                clients.spawn(act(number, client));
            }
            clients.join_all().await;
        }
        self.expect_nothing_left().await;
    }

    /// All connections are there to be used, there were never too many, and nothing is left on them.
    async fn expect_nothing_left(&self) {
        self.until(|metrics| {
            metrics.client_connections == 0
                && metrics.database_connections_currently_borrowed == 0
                && metrics.database_connections_currently_session_pinned == 0
        })
        .await;
        let mut administration = self.database.administration().await.unwrap();
        let most = administration.most_connections().await.unwrap();
        assert!(most <= u64::from(SHARE), "{most}");

        let mut clients = JoinSet::new();
        for number in 0..SHARE {
            let mut client = self.connect(CapabilityFlags::empty()).await;
            clients.spawn(async move {
                for statement in ["BEGIN", "SELECT @left, GET_LOCK('lock', 0)", "ROLLBACK"] {
                    response(&mut client, Command::Query, statement.as_bytes()).await;
                }
                let insert = format!("INSERT INTO t VALUES ({number})");
                let inserted = response(&mut client, Command::Query, insert.as_bytes()).await;
                // One row.
                assert_eq!(inserted[4..6], [0, 1], "{inserted:?}");
            });
        }
        clients.join_all().await;
        let peak = self.proxy.metrics().peak_database_connections;
        assert!(peak <= SHARE as usize, "{peak}");
        assert_eq!(self.proxy.metrics().borrow_timeouts, 0);
    }
}

async fn fixture() -> Fixture {
    let fixture = Fixture::start(SHARE).await;
    let mut client = fixture.connect(CapabilityFlags::empty()).await;
    let create = b"CREATE TABLE t (id INT PRIMARY KEY)";
    response(&mut client, Command::Query, create).await;
    fixture
}

#[tokio::test]
async fn in_the_handshake() {
    let fixture = fixture().await;
    let mut clients = JoinSet::new();
    for number in 0..1000 {
        let address = fixture.proxy.address();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if number % 2 == 0 {
                stream.read_u8().await.unwrap();
            }
        });
    }
    clients.join_all().await;
    fixture.expect_nothing_left().await;
}

#[tokio::test]
async fn in_a_statement_or_while_they_wait_for_a_connection() {
    let fixture = fixture().await;
    fixture
        .a_thousand(async |_, mut client| {
            let query = Command::Query.packet(b"SELECT SLEEP(0.05)");
            client.wire.send(&query).await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn in_a_result() {
    let fixture = fixture().await;
    fixture
        .a_thousand(async |_, mut client| {
            let query = Command::Query.packet(b"SELECT REPEAT('x', 4000) FROM seq_1_to_500");
            client.wire.send(&query).await.unwrap();
            client.wire.more().await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn in_a_transaction() {
    let fixture = fixture().await;
    fixture
        .a_thousand(async |number, mut client| {
            for statement in ["BEGIN", &format!("INSERT INTO t VALUES ({number})")] {
                response(&mut client, Command::Query, statement.as_bytes()).await;
            }
        })
        .await;
}

#[tokio::test]
async fn with_their_session_pinned() {
    let fixture = fixture().await;
    fixture
        .a_thousand(async |number, mut client| {
            let statements = ["SET @left = 1", "DO GET_LOCK('lock', 0)"];
            let statement = statements[number % statements.len()];
            response(&mut client, Command::Query, statement.as_bytes()).await;
        })
        .await;
}
