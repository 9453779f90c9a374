//! Collations that a client asks for and the server does not have.

use mysql_common::constants::CapabilityFlags;

use super::{Fixture, response};
use crate::{command::Command, database_connection::DatabaseConnection, packet::ERR, state::State};

/// Of MySQL 8, and not of MariaDB.
const UNKNOWN: u8 = 255;

#[tokio::test]
async fn an_unknown_one_is_the_servers_default_and_no_error_for_the_next_client() {
    let fixture = Fixture::start(1).await;
    let login = fixture.login(fixture.proxy.address().to_string());
    let unknown = State {
        collation: UNKNOWN,
        ..fixture.state(CapabilityFlags::empty())
    };
    let usual = fixture.state(CapabilityFlags::empty());
    for state in [&unknown, &usual, &unknown, &usual] {
        let (mut client, _) = DatabaseConnection::connect(&login, state).await.unwrap();
        // What it leaves behind has to be undone before the next one's turn.
        for statement in ["SET @left = 1", "SELECT @left"] {
            let answer = response(&mut client, Command::Query, statement.as_bytes()).await;
            assert_ne!(answer[4], ERR, "{state:?}: {answer:?}");
        }
    }
}
