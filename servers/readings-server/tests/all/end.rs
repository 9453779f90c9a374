//! The end.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
};

use load::testing::kills::Running;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    common::{Behind, CUSTOMERS, PATIENT, ended, until},
    users::Users,
};

fn terminate(child: &std::process::Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

#[tokio::test]
async fn nothing_that_it_took_is_lost_when_it_is_ended_under_load() {
    let behind = Behind::start().await;
    // Each request that was taken is a line of the log.
    let mut command = behind.command(&[PATIENT]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut is_filled = false;
    let address = loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended");
        is_filled |=
            line.contains(r#""level":"INFO","message":"the cache is filled customers=494 "#);
        if let Some((_, address)) = line.split_once("http://") {
            break address.split('"').next().unwrap().to_owned();
        }
    };
    assert!(is_filled);
    let reading = std::thread::spawn(move || {
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        rest
    });
    let users = Users::start(&address, 16, CUSTOMERS);
    users.answers(1_000).await;
    terminate(&child);
    assert!(ended(&mut child).await.success());
    let got = users.call_back().await;
    let log = reading.join().unwrap();
    assert!(!log.contains("left out"), "the log has not all of them");
    let taken = log.matches(r#""status":200,"#).count();
    assert_eq!(got.right, taken as u64);
    assert_eq!(got.wrong, [""; 0]);
    // Whose request came too late was told so before a byte of an answer.
    assert!(
        got.other.iter().all(|it| it.ends_with("Err(Before)")),
        "{:?}",
        got.other
    );
}

#[tokio::test]
async fn it_ends_while_it_waits_for_the_database_to_fill_the_cache() {
    let behind = Behind::start().await;
    // Connections are made, by the kernel, and nobody takes them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = behind.command(&[]);
    command.env("DATABASE_HOST", silent.local_addr().unwrap().to_string());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    until("it has marked the cache", async || {
        let address = behind.memcached.address();
        let marks = readings::testing::memcached_counts(&address, "curr_items");
        marks.await.unwrap() == 1
    })
    .await;
    terminate(&child);
    assert!(ended(&mut child).await.success());
}

#[tokio::test]
async fn a_server_without_load_ends_at_once() {
    let behind = Behind::start().await;
    let mut server: Running = behind.server(&[]);
    terminate(server.child());
    assert!(ended(server.child()).await.success());
}
