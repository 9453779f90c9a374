//! The state file, and what may happen to it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use load::testing::kills::hit;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::client::{ask, connect, program, start, until};

struct State {
    _directory: TempDir,
    file: PathBuf,
}

impl State {
    /// A file whose count is 3.
    fn of_three() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hits");
        let state = Self {
            _directory: directory,
            file,
        };
        let server = start(&["--state", &state.path()]);
        for number in 1..=3 {
            assert_eq!(hit(&mut connect(&server)).unwrap(), number);
        }
        state
    }

    fn path(&self) -> String {
        self.file.display().to_string()
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(&self.file).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    fn next(&self) -> u64 {
        hit(&mut connect(&start(&["--state", &self.path()]))).unwrap()
    }

    fn refused(&self) -> String {
        refused(&self.file)
    }
}

fn refused(file: &Path) -> String {
    let output = Command::new(program())
        .args(["--port=0", "--state"])
        .arg(file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_count_goes_on_after_a_restart() {
    let state = State::of_three();
    assert_eq!(state.next(), 4);
    assert_eq!(state.next(), 5);
}

#[test]
fn a_copy_that_is_broken_anywhere_costs_nothing() {
    let state = State::of_three();
    let mut next = 4;
    for copy in [0, 4096] {
        for at in (0..47).step_by(3) {
            state.write(copy + at, b"\0");
            assert_eq!(state.next(), next, "{copy} + {at}");
            next += 1;
        }
    }
    // And a file that was cut short has one copy.
    let file = File::options().write(true).open(&state.file).unwrap();
    file.set_len(100).unwrap();
    assert_eq!(state.next(), next);
}

#[test]
fn of_two_counts_the_higher_is_right() {
    let state = State::of_three();
    let earlier = fs::read(&state.file).unwrap();
    assert_eq!(state.next(), 4);
    // Killed between the two writes.
    state.write(4096, &earlier[4096..]);
    assert_eq!(state.next(), 5);
}

#[test]
fn a_file_without_a_whole_copy_is_refused_and_left_alone() {
    type Damage = fn(&State);
    let damages: [Damage; 4] = [
        |state| {
            state.write(20, b"9");
            state.write(4096 + 20, b"9");
        },
        |state| fs::write(&state.file, "").unwrap(),
        |state| fs::write(&state.file, "3\n").unwrap(),
        |state| fs::write(&state.file, [0; 8192]).unwrap(),
    ];
    for damage in damages {
        let state = State::of_three();
        damage(&state);
        let before = fs::read(&state.file).unwrap();
        let expected = format!(
            "counter-server: {} is damaged: neither of its copies of the count is whole. \
             Put a backup in its place, or move it away to count from 0\n",
            state.path()
        );
        assert_eq!(state.refused(), expected);
        assert_eq!(fs::read(&state.file).unwrap(), before);
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let state = State::of_three();
    state.write(15, b"2");
    let expected = "is of a newer version: start the newer counter-server\n";
    assert!(state.refused().ends_with(expected));
}

#[test]
fn a_file_that_another_process_counts_in_is_refused() {
    let state = State::of_three();
    let server = start(&["--state", &state.path()]);
    let expected = "is in use: end the other counter-server first\n";
    assert!(state.refused().ends_with(expected));
    assert_eq!(hit(&mut connect(&server)).unwrap(), 4);
}

#[test]
fn what_is_no_file_is_refused() {
    assert!(refused(Path::new("/dev/null")).ends_with("/dev/null is not a file\n"));
    let full = refused(Path::new("/dev/full"));
    assert!(full.ends_with("/dev/full is not a file\n"), "{full}");
}

#[test]
fn a_full_disk_is_a_503_until_there_is_room_again() {
    let state = State::of_three();
    let mut server = start(&["--state", &state.path()]);
    let id = Pid::from_child(server.child());
    // As a full disk does, a limit on the size of files fails each write.
    let room = |bytes| {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(id), Resource::Fsize, limit).unwrap();
    };
    room(Some(0));
    for _ in 0..2 {
        let answer = ask(&server, "GET", "/hits");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(ask(&server, "GET", "/healthz").starts_with("HTTP/1.1 200 "));
    }
    // Room for the first copy only: the second fails.
    room(Some(4096));
    assert!(ask(&server, "GET", "/hits").starts_with("HTTP/1.1 503 "));
    room(None);
    until("hits are counted again", || {
        ask(&server, "GET", "/hits").ends_with("\r\n\r\n4")
    });
}

#[test]
fn without_room_for_a_new_file_it_does_not_start_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" --port=0 --state \"$1\""])
        .arg(program())
        .arg(directory.path().join("hits"))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("the state can't be made: File too large"),
        "{error}"
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
