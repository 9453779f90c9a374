//! The end, and what keeps it from starting.

use std::{io::Write as _, net::TcpStream, process::Command};

use load::testing::kills::{Running, hit};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{connect, ended, program, rest, start, until};

fn signal(server: &mut Running, signal: Signal) {
    let id = Pid::from_child(server.child());
    kill_process(id, signal).unwrap();
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let mut server = start(&[]);
    let mut idle = connect(&server);
    assert_eq!(hit(&mut idle).unwrap(), 1);
    let mut asking = connect(&server);
    asking.write_all(b"GET /hits HTTP/1.1\r\n").unwrap();
    // Somebody else's answer: what was sent before has been read.
    assert_eq!(hit(&mut connect(&server)).unwrap(), 2);

    signal(&mut server, Signal::TERM);
    let address = server.address().to_owned();
    until("it takes no more", || TcpStream::connect(&address).is_err());
    assert_eq!(rest(&mut idle), "");
    asking.write_all(b"Host: a\r\n\r\n").unwrap();
    let answer = rest(&mut asking);
    assert!(answer.ends_with("\r\n\r\n3"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(ended(server.child()).success());
}

#[test]
fn an_interrupt_ends_it_as_well() {
    let mut server = start(&[]);
    signal(&mut server, Signal::INT);
    assert!(ended(server.child()).success());
}

#[test]
fn a_client_that_never_finishes_does_not_keep_it() {
    let mut server = start(&["--header-timeout=1h"]);
    let mut asking = connect(&server);
    asking.write_all(b"GET /hits HTTP/1.1\r\n").unwrap();
    assert_eq!(hit(&mut connect(&server)).unwrap(), 1);
    signal(&mut server, Signal::TERM);
    assert_eq!(ended(server.child()).code(), Some(1));
}

#[test]
fn what_keeps_it_from_starting_is_one_line() {
    let server = start(&[]);
    let port = server.address().rsplit(':').next().unwrap();
    for (arguments, code, expected) in [
        (
            vec!["--port", port],
            1,
            "can't be listened on: Address already in use",
        ),
        (
            vec!["--port", "0", "--state", "/nowhere/hits"],
            1,
            "/nowhere/hits: the state can't be made: ",
        ),
        (vec!["--port", "0", "--state", "/"], 1, "/ is not a file"),
        (vec!["--port", "70000"], 2, "70000 is not in 0..=65535"),
        (vec!["--header-timeout", "soon"], 2, "expected number at 0"),
        (vec!["--max-connections", "0"], 2, "number would be zero"),
        (vec!["--colour"], 2, "unexpected argument '--colour'"),
    ] {
        let output = Command::new(program()).args(&arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        let first = error.lines().next().unwrap();
        assert!(first.contains(expected), "{first}");
        assert!(code == 2 || error.lines().count() == 1, "{error}");
    }
}
