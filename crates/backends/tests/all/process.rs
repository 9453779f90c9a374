//! The end of a companion, however this process ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use backends::process::{Companion, Signal};

/// A program that says which process it is, in its directory, and goes on for ever.
fn start(directory: &Path) -> Companion {
    fs::create_dir_all(directory).unwrap();
    let log = File::create(directory.join("log")).unwrap();
    let script = format!(
        "echo $$ >{0}/new; mv {0}/new {0}/id; exec sleep 600",
        directory.display()
    );
    let arguments = ["-c".to_owned(), script];
    Companion::start(Path::new("/bin/sh"), &arguments, directory, [], log).unwrap()
}

fn process_id(directory: &Path) -> String {
    let file = directory.join("id");
    until("it runs", || file.exists());
    fs::read_to_string(file).unwrap().trim().to_owned()
}

fn runs(process_id: &str) -> bool {
    // One that has ended and that nobody has waited for has no command line.
    let command = fs::read(format!("/proc/{process_id}/cmdline"));
    command.is_ok_and(|command| !command.is_empty())
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_ends_it_and_leaves_its_directory() {
    for signal in [Signal::Terminate, Signal::Kill] {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("its");
        let mut companion = start(&directory);
        let id = process_id(&directory);
        companion.signal(signal).unwrap();
        until("it has ended", || companion.ended().unwrap().is_some());
        assert!(!runs(&id) && directory.exists(), "{signal:?}");
    }
}

#[test]
fn nothing_is_left_of_it_when_it_is_dropped() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("its");
    let companion = start(&directory);
    let id = process_id(&directory);
    drop(companion);
    until("it is gone", || !runs(&id) && !directory.exists());
}

/// Set in the process that is killed while its companion runs: the companion's directory.
const TO_BE_KILLED: &str = "COMPANION_TEST_TO_BE_KILLED";

#[test]
fn nothing_is_left_of_it_when_its_parent_is_killed() {
    if let Some(directory) = std::env::var_os(TO_BE_KILLED) {
        let directory = Path::new(&directory);
        let _companion = start(directory);
        println!("\nprocess {}", process_id(directory));
        sleep(Duration::from_secs(600));
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("its");
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::nothing_is_left_of_it_when_its_parent_is_killed",
            "--nocapture",
        ])
        .env(TO_BE_KILLED, &directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .find_map(|line| Some(line.ok()?.strip_prefix("process ")?.to_owned()))
        .unwrap();
    assert!(runs(&id));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("it is gone", || !runs(&id) && !directory.exists());
}
