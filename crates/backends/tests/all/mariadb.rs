//! The real server: its users, its limits, its data, its end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use backends::mariadb::{MariaDb, Options};
use mysql_async::{Conn, Opts, prelude::Queryable};

async fn connect(url: &str) -> mysql_async::Result<Conn> {
    let options = Opts::from_url(url).unwrap();
    let builder = mysql_async::OptsBuilder::from_opts(options).prefer_socket(false);
    Conn::new(builder).await
}

#[tokio::test]
async fn what_is_written_is_there_again_after_a_crash() {
    let mut server = MariaDb::start(Options::default()).await.unwrap();
    let url = server.url();
    let mut connection = connect(&url).await.unwrap();
    connection
        .query_drop("CREATE TABLE t (text VARCHAR(9)); INSERT INTO t VALUES ('né 🙂')")
        .await
        .unwrap();
    // The log is written once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.kill().await.unwrap();
    assert!(connection.ping().await.is_err());
    assert!(connect(&url).await.is_err());
    server.restart().await.unwrap();
    let mut connection = connect(&url).await.unwrap();
    let text: Option<String> = connection.query_first("SELECT text FROM t").await.unwrap();
    assert_eq!(text.as_deref(), Some("né 🙂"));
    server.stop().await.unwrap();
    assert!(connect(&url).await.is_err());
}

#[tokio::test]
async fn a_saved_directory_is_the_start_of_another_server() {
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("data");
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server.url()).await.unwrap();
    connection
        .query_drop("CREATE TABLE t AS SELECT 7 AS n")
        .await
        .unwrap();
    server.save(&saved).await.unwrap();
    for _ in 0..2 {
        let options = Options {
            data: Some(saved.clone()),
            ..Options::default()
        };
        let server = MariaDb::start(options).await.unwrap();
        let mut connection = connect(&server.url()).await.unwrap();
        let number: Option<u8> = connection
            .query_first("SELECT MAX(n) FROM t")
            .await
            .unwrap();
        assert_eq!(number, Some(7));
        // It was its own copy.
        connection
            .query_drop("UPDATE t SET n = n + 1")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_administrator_is_let_in_when_no_user_is_and_counts_for_none() {
    let options = Options {
        max_connections: 10,
        ..Options::default()
    };
    let server = MariaDb::start(options).await.unwrap();
    let mut administration = server.administration().await.unwrap();
    administration.forget_most_connections().await.unwrap();
    assert_eq!(administration.most_connections().await.unwrap(), 0);
    let mut connections = Vec::new();
    for _ in 0..10 {
        connections.push(connect(&server.url()).await.unwrap());
    }
    let refused = connect(&server.url()).await.unwrap_err();
    assert!(
        refused.to_string().contains("Too many connections"),
        "{refused}"
    );
    administration.until_at_most(10).await.unwrap();
    assert_eq!(administration.connections().await.unwrap(), 10);
    // Who is refused counts for a moment.
    assert!((10..=11).contains(&administration.most_connections().await.unwrap()));
    administration.kill_connections().await.unwrap();
    for connection in &mut connections {
        assert!(connection.ping().await.is_err());
    }
    administration.forget_most_connections().await.unwrap();
    assert_eq!(administration.most_connections().await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_ends_at_once_is_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        data: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let error = MariaDb::start(options).await.unwrap_err().to_string();
    assert!(
        error.starts_with("MariaDB ended: ") && error.contains("[ERROR]"),
        "{error}"
    );
    assert!(!error.contains("Aborting"), "{error}");
}
