//! A server of ours, as a user of this crate sees it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use backends::program::{Program, Settings};

/// A server in the shell's reach everywhere: Python's own, which serves its directory.
fn settings(arguments: &[&str]) -> Settings {
    Settings {
        name: "directory".to_owned(),
        program: PathBuf::from("/bin/sh"),
        variables: Vec::new(),
        arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
        health_path: "/".to_owned(),
    }
}

const SERVE: &str =
    "cd {directory} && exec python3 -m http.server {port} --bind 127.0.0.1 --directory {directory}";

#[tokio::test]
async fn a_program_is_healthy_is_its_own_process_and_can_be_killed_and_started_again() {
    let mut program = Program::start(settings(&["-c", SERVE])).await.unwrap();
    let first = program.process_id().unwrap();
    let command = std::fs::read_to_string(format!("/proc/{first}/cmdline")).unwrap();
    assert!(command.contains("http.server"), "{command}");
    assert!(!program.started_in().is_zero());
    let url = program.url();

    program.kill().await.unwrap();
    assert!(!PathBuf::from(format!("/proc/{first}")).exists());
    program.restart().await.unwrap();
    assert_eq!(program.url(), url);
    let second = program.process_id().unwrap();
    assert_ne!(second, first);
    program.stop().await.unwrap();
    assert!(!PathBuf::from(format!("/proc/{second}")).exists());
}

#[tokio::test]
async fn a_program_that_ends_is_an_error_with_its_last_line() {
    let error = Program::start(settings(&["-c", "echo no luck; exit 3"]))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "directory ended: no luck");
}
