//! The start.

use std::process::Command;

use load::testing::kills::Running;

use crate::{
    common::{Behind, CUSTOMERS, PATIENT, program, until},
    users::{Users, ask_once},
};

#[tokio::test]
async fn the_cache_is_filled_before_it_listens_and_by_one_of_those_who_start_together() {
    let behind = Behind::start().await;
    behind.database.log().await.unwrap();
    let servers: Vec<Running> = (0..3).map(|_| behind.server(&[PATIENT])).collect();
    for server in &servers {
        let users = Users::start(server.address(), 4, CUSTOMERS);
        users.answers(1_200).await;
        users.call_back().await.assert_all_right();
    }
    let log = behind.database.log().await.unwrap();
    let queries = log.iter().filter(|(command, _)| command == "Query");
    // All customers, and all readings.
    assert_eq!(queries.count(), 2, "{log:?}");
    assert!(behind.hits().await >= 3 * 1_200);
}

#[tokio::test]
async fn a_cache_that_is_away_at_the_start_is_used_once_it_is_there() {
    let mut behind = Behind::start().await;
    behind.memcached.kill().await.unwrap();
    let server = behind.server(&[]);
    assert_eq!(ask_once(server.address(), "/customer/10").await.status, 200);
    behind.memcached.restart().await.unwrap();
    behind.until_hit(&server).await;
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_used_once_it_is_there() {
    let mut behind = Behind::start().await;
    behind.database.server.kill().await.unwrap();
    let server = behind.server(&[]);
    assert_eq!(ask_once(server.address(), "/healthz").await.status, 200);
    let answer = ask_once(server.address(), "/customer/10").await;
    assert!(answer.status == 503 && answer.retry_after, "{answer:?}");
    behind.database.server.restart().await.unwrap();
    until("the database is asked", async || {
        ask_once(server.address(), "/customer/10").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_line() {
    let behind = Behind::start().await;
    let server = behind.server(&[]);
    let port = server.address().rsplit(':').next().unwrap();
    let mut without_host = Command::new(program());
    without_host.env_clear();
    let mut taken = Command::new(program());
    taken.args(["--port", port]).env_clear();
    taken.envs(behind.database.variables());
    let mut no_connections = behind.command(&["--database-connections=0"]);
    for (command, code, expected) in [
        (
            &mut without_host,
            1,
            "readings-server: environment variable DATABASE_HOST is not set",
        ),
        (
            &mut taken,
            1,
            "can't be listened on: Address already in use",
        ),
        (&mut no_connections, 2, "number would be zero"),
    ] {
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        let first = error.lines().next().unwrap();
        assert!(first.contains(expected), "{first}");
        assert!(code == 2 || error.lines().count() == 1, "{error}");
    }
}
