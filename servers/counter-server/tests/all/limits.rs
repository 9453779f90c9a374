//! Clients that ask too much.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use load::testing::kills::hit;

use crate::client::{connect, exchange, rest, start};

#[test]
fn a_head_that_never_ends_ends_its_connection_and_no_other() {
    let server = start(&["--header-timeout=300ms"]);
    let mut patient = connect(&server);
    assert_eq!(hit(&mut patient).unwrap(), 1);
    let mut slow = connect(&server);
    slow.write_all(b"GET /hits HTTP/1.1\r\nHost:").unwrap();
    // A byte now and then is not enough to stay.
    let mut trickle = slow.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
        while trickle.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(rest(&mut slow), "");
    trickling.join().unwrap();
    assert_eq!(hit(&mut patient).unwrap(), 2);
}

#[test]
fn a_connection_without_requests_ends() {
    let server = start(&["--idle-timeout=300ms"]);
    assert_eq!(rest(&mut connect(&server)), "");
    let mut stream = connect(&server);
    assert_eq!(hit(&mut stream).unwrap(), 1);
    assert_eq!(rest(&mut stream), "");
}

#[test]
fn a_head_that_is_too_large_is_a_431() {
    let server = start(&[]);
    for head in [
        format!(
            "GET /hits HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n",
            "a".repeat(1 << 20)
        ),
        format!(
            "GET /hits HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "A: a\r\n".repeat(101)
        ),
    ] {
        let mut stream = connect(&server);
        // It does not read all of it.
        let _ = stream.write_all(head.as_bytes());
        let mut start = [0; 12];
        match stream.read_exact(&mut start) {
            Ok(()) => assert_eq!(&start, b"HTTP/1.1 431"),
            // What was not read any more may reset the connection before its answer is read.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    let request = format!(
        "GET /hits HTTP/1.1\r\nHost: a\r\nA: {}\r\nConnection: close\r\n\r\n",
        "a".repeat(8000)
    );
    assert!(exchange(&server, &request).starts_with("HTTP/1.1 200 "));
}

#[test]
fn nonsense_is_a_400_and_the_next_is_served() {
    let server = start(&[]);
    assert!(exchange(&server, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert_eq!(hit(&mut connect(&server)).unwrap(), 1);
}

#[test]
fn a_connection_too_many_waits_until_another_ends() {
    let server = start(&["--max-connections=2"]);
    let mut first = connect(&server);
    let mut second = connect(&server);
    assert_eq!(hit(&mut first).unwrap(), 1);
    assert_eq!(hit(&mut second).unwrap(), 2);
    let mut third = connect(&server);
    third
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    third
        .write_all(b"GET /hits HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let waits = third.read(&mut [0; 1]).unwrap_err().kind();
    assert!(matches!(waits, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    drop(first);
    third
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert!(rest(&mut third).ends_with("\r\n\r\n3"));
}
