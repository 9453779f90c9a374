//! The program, and requests to it in every detail.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use load::testing::kills::Running;

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_counter-server"))
}

/// The program on a free port, with further arguments.
pub(crate) fn start(arguments: &[&str]) -> Running {
    Running::start(program(), &[&["--port", "0"], arguments].concat())
}

/// A connection on which an answer is waited for, but not for ever.
pub(crate) fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(running.address()).unwrap();
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).unwrap();
    stream
}

/// Sends this and reads until the server closes the connection.
pub(crate) fn exchange(running: &Running, request: &str) -> String {
    let mut stream = connect(running);
    stream.write_all(request.as_bytes()).unwrap();
    rest(&mut stream)
}

/// What is still to come until the server closes the connection.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    // A reset after the answer is an end as well.
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A request after which the connection ends.
pub(crate) fn ask(running: &Running, method: &str, path: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    exchange(running, &request)
}

pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "it still runs");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
