//! nginx, as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use backends::{Error, nginx::Nginx};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn it_does_what_it_is_configured_for() {
    let nginx = Nginx::start(2, |port| {
        format!("server {{ listen 127.0.0.1:{port}; location / {{ return 200 well; }} }}")
    })
    .await
    .unwrap();
    let url = nginx.url();
    let address = url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nwell"), "{answer}");
    nginx.stop().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn its_workers_end_with_it_however_that_ends() {
    let nginx = Nginx::start(2, |port| {
        format!("server {{ listen 127.0.0.1:{port}; return 200; }}")
    })
    .await
    .unwrap();
    let url = nginx.url();
    // Killed: nginx itself can't end its workers.
    drop(nginx);
    let address = url.trim_start_matches("http://");
    let since = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(30), "they never end");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_configuration_that_it_does_not_take_is_told_in_its_words() {
    let error = Nginx::start(1, |_| "lissen 80;".to_owned())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    assert!(
        error.to_string().contains("unknown directive \"lissen\""),
        "{error}"
    );
}
