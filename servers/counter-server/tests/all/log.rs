//! The log.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use load::testing::kills::hit;
use serde_json::Value;

use crate::client::{ended, program, rest};

/// Runs it, sends this, ends it, and gives the lines of its log.
fn logged(arguments: &[&str], requests: &str) -> Vec<Value> {
    let mut child = Command::new(program())
        .args(["--port=0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.split_once("http://").unwrap().1;
    let address = address.split('"').next().unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    rest(&mut stream);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(ended(&mut child).success());
    lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .filter(|line: &Value| line["message"].is_null())
        .collect()
}

const REQUESTS: &str = "GET /hits?secret HTTP/1.1\r\nHost: a\r\n\r\n\
    DELETE /a\"b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn each_request_is_a_line_without_its_query() {
    let lines = logged(&[], REQUESTS);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["method"], "GET");
    assert_eq!(lines[0]["path"], "/hits");
    assert_eq!(lines[0]["status"], 200);
    assert_eq!(lines[0]["bytes"], 1);
    assert!(lines[0]["duration_ms"].as_f64().unwrap() >= 0.0);
    let time = lines[0]["time"].as_str().unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
    assert_eq!(lines[1]["path"], "/a\"b");
    assert_eq!(lines[1]["status"], 404);
}

#[test]
fn quiet_leaves_them_out() {
    assert_eq!(logged(&["--quiet"], REQUESTS), [Value::Null; 0]);
}

#[test]
fn a_reader_that_stops_reading_stops_nobody() {
    let mut child = Command::new(program())
        .arg("--port=0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    let address = first.split_once("http://").unwrap().1;
    let address = address.split('"').next().unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    // More than the pipe and the log's own memory hold together.
    for number in 1..=15_000 {
        assert_eq!(hit(&mut stream).unwrap(), number);
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let reading = std::thread::spawn(move || {
        let lines: Vec<_> = output.lines().map(Result::unwrap).collect();
        lines
    });
    assert!(ended(&mut child).success());
    let lines = reading.join().unwrap();
    let left_out = lines.iter().any(|line| line.contains("lines are left out"));
    assert!(left_out && lines.len() < 15_000, "{}", lines.len());
}

#[test]
fn an_output_that_nobody_has_any_more_stops_nobody() {
    let mut child = Command::new(program())
        .arg("--port=0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    drop(output);
    let address = first.split_once("http://").unwrap().1;
    let address = address.split('"').next().unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    for number in 1..=1_000 {
        assert_eq!(hit(&mut stream).unwrap(), number);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
