//! memcached, as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use backends::memcached::Memcached;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

async fn ask(address: &str, command: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(command.as_bytes()).await?;
    connection.write_all(b"quit\r\n").await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_killed_one_refuses_connections_and_is_empty_when_it_is_back() {
    let mut memcached = Memcached::start().await.unwrap();
    let address = memcached.address();
    assert_eq!(
        ask(&address, "set a 0 0 1\r\n1\r\n").await.unwrap(),
        "STORED\r\n"
    );
    assert_eq!(
        ask(&address, "get a\r\n").await.unwrap(),
        "VALUE a 0 1\r\n1\r\nEND\r\n"
    );
    memcached.kill().await.unwrap();
    assert!(TcpStream::connect(&address).await.is_err());
    memcached.restart().await.unwrap();
    assert_eq!(memcached.address(), address);
    assert_eq!(ask(&address, "get a\r\n").await.unwrap(), "END\r\n");
    memcached.stop().await.unwrap();
}

#[tokio::test]
async fn a_frozen_one_answers_once_it_is_thawed() {
    let memcached = Memcached::start().await.unwrap();
    let address = memcached.address();
    memcached.freeze().unwrap();
    let mut answer = Box::pin(ask(&address, "get a\r\n"));
    let waited = tokio::time::timeout(Duration::from_millis(50), &mut answer).await;
    assert!(waited.is_err(), "{waited:?}");
    memcached.thaw().unwrap();
    assert_eq!(answer.await.unwrap(), "END\r\n");
    // One that is frozen ends, too.
    memcached.freeze().unwrap();
    memcached.stop().await.unwrap();
}
