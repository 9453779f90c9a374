//! What a client gets through the proxy is what it gets without, to the byte.

use std::time::Duration;

use bytes::BytesMut;
use mysql_common::constants::CapabilityFlags;

use super::{Fixture, response};
use crate::{
    command::Command, database_connection::DatabaseConnection, packet::LONGEST_FRAME,
    response::Expected,
};

/// The same client twice: at the database, and at the proxy.
struct Pair {
    direct: DatabaseConnection,
    through: DatabaseConnection,
    fixture: Fixture,
}

impl Pair {
    async fn start(also: CapabilityFlags) -> Self {
        let fixture = Fixture::start(10).await;
        Self {
            direct: fixture.connect_directly(also).await,
            through: fixture.connect(also).await,
            fixture,
        }
    }

    /// The response to a command, which is the same either way.
    async fn response(&mut self, command: Command, argument: &[u8]) -> BytesMut {
        let direct = response(&mut self.direct, command, argument).await;
        let through = response(&mut self.through, command, argument).await;
        let text = String::from_utf8_lossy(&argument[..argument.len().min(80)]);
        assert!(direct == through, "{command:?} {text}");
        assert!(!direct.is_empty() || command.expected() == Expected::Nothing);
        direct
    }

    async fn query(&mut self, query: &str) -> BytesMut {
        self.response(Command::Query, query.as_bytes()).await
    }
}

const VALUES: &str = "SELECT NULL, '', 0, -1, 18446744073709551615, 3.141592653589793, -0.0005e-300,
    CAST('123456789012345678901234567890.123456789' AS DECIMAL(50, 20)), CAST(-0.10 AS DECIMAL(5, 4)),
    DATE '0001-01-01', TIMESTAMP '9999-12-31 23:59:59.999999', TIME '-838:59:58.000001', YEAR(NOW()),
    x'00FF00FE1A0D0A5C27', REPEAT(x'00', 300), b'1010', TRUE, JSON_OBJECT('a', 1),
    'grün 漢字 🦀 𝒳 👩‍👩‍👧', _latin1 x'FC', REPEAT('🦀', 70000)";

#[tokio::test]
async fn values_of_all_kinds_are_relayed_untouched() {
    for also in [
        CapabilityFlags::empty(),
        CapabilityFlags::CLIENT_DEPRECATE_EOF,
    ] {
        let mut pair = Pair::start(also).await;
        let rows = pair.query(VALUES).await;
        assert!(rows.len() > 280_000);
        pair.query("SELECT 1 WHERE FALSE").await;
        pair.query("DO 1").await;
        pair.query("SELEKT").await;
        pair.query("SELECT * FROM nowhere").await;
        // Several results, with warnings, and one with an error in the midst.
        pair.query("SELECT 1; DO 2; SELECT CAST('x' AS INT), 3")
            .await;
        pair.query("SELECT 1; SELECT nothing; SELECT 3").await;
        pair.query("BEGIN").await;
        pair.query("SELECT 'in a transaction'").await;
        pair.query("ROLLBACK").await;
        pair.query("SET NAMES latin1").await;
        pair.query("SELECT 'ü', 'ü' = x'C3BC'").await;
        pair.query("SET NAMES utf8mb4").await;
        pair.response(Command::InitDb, b"information_schema").await;
        pair.response(Command::InitDb, b"nowhere").await;
        pair.query("SELECT DATABASE()").await;
        pair.response(Command::StmtPrepare, b"SELECT ?, ? + 1, x'00FF'")
            .await;
        pair.response(Command::StmtPrepare, b"DO 1").await;
        pair.response(Command::StmtPrepare, b"SELEKT").await;
        // Two parameters: a string and NULL.
        let execution = b"\x01\0\0\0\0\x01\0\0\0\x02\x01\xFD\0\x06\0\x05\xF0\x9F\xA6\x80x";
        pair.response(Command::StmtExecute, execution).await;
        pair.response(Command::StmtReset, &[1, 0, 0, 0]).await;
        pair.response(Command::StmtClose, &[1, 0, 0, 0]).await;
        pair.response(Command::StmtExecute, execution).await;
        pair.response(Command::Ping, b"").await;
    }
}

#[tokio::test]
async fn what_changed_in_a_session_is_told_to_clients_that_asked_for_it() {
    let mut pair = Pair::start(CapabilityFlags::CLIENT_SESSION_TRACK).await;
    pair.query("SET NAMES latin1").await;
    pair.query("USE information_schema").await;
    pair.query("SET autocommit = 0").await;
    pair.query("SELECT 1").await;
}

/// Packets of more than 16 MiB come in several frames, in rows and in commands.
#[tokio::test]
async fn packets_of_many_frames_are_relayed_untouched() {
    let frame = LONGEST_FRAME;
    let mut pair = Pair::start(CapabilityFlags::CLIENT_DEPRECATE_EOF).await;
    // A row of exactly one frame needs an empty one after it. The value's length takes nine bytes or four.
    for length in [frame - 5, frame - 4, frame - 3, frame, frame * 2 + 7] {
        let rows = pair.query(&format!("SELECT REPEAT('x', {length})")).await;
        assert!(rows.len() > length);
    }
    for length in [frame - 17, frame - 16, frame - 15, frame * 2] {
        let query = format!("SELECT LENGTH('{}')", "x".repeat(length));
        pair.query(&query).await;
    }
    assert_eq!(pair.fixture.proxy.metrics().sessions_pinned, 1);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_all_of_it_and_keeps_nobody_waiting() {
    let mut pair = Pair::start(CapabilityFlags::CLIENT_DEPRECATE_EOF).await;
    let query = "SELECT seq, REPEAT('🦀', 200) FROM seq_1_to_50000";
    let direct = response(&mut pair.direct, Command::Query, query.as_bytes()).await;
    let slow = &mut pair.through;
    slow.wire
        .send(&Command::Query.packet(query.as_bytes()))
        .await
        .unwrap();
    let mut response = slow.response(Expected::Results);
    let mut through = BytesMut::new();
    while !response.is_done() {
        if through.len() < 100_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slow.wire.more().await.unwrap();
        let bytes = slow.wire.take();
        response.follow(&bytes).unwrap();
        through.extend_from_slice(&bytes);
    }
    assert!(direct == through);
}
