//! The log: one JSON object a line on the standard output.
//!
//! Requests never wait for whoever reads it. Lines are gathered in memory and written by a thread of their own, some at a
//! time; where the reader does not keep up, lines are left out, and a line says how many.

use std::{
    io::{self, Write as _},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use axum::http::{Method, StatusCode};
use serde_json::json;

/// How long lines are gathered: a reader sees them this much later, and a write has many.
const GATHERED: Duration = Duration::from_millis(20);

/// How much is kept for a reader that does not keep up, in bytes.
const KEPT: usize = 1 << 20;

/// How long the reader is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// A handle of the log.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Lines>,
    /// There is something to write, or it was written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    left_out: u64,
    is_writing: bool,
    is_ending: bool,
}

/// A request that was answered.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) status: StatusCode,
    /// From the request's head to the answer's, without sending it.
    pub(crate) duration: Duration,
    /// Of the body.
    pub(crate) bytes: u64,
}

impl Log {
    /// Starts the thread that writes it.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let log = Self(shared.clone());
        thread::spawn(move || shared.write(&mut io::stdout()));
        log
    }

    /// Says something of the server itself.
    pub fn message(&self, level: &str, message: &str) {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = json!({"time": time, "level": level, "message": message});
        self.line(|text| writeln!(text, "{line}"));
    }

    /// The line of the access log.
    pub(crate) fn answered(&self, answered: &Answered<'_>) {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let Answered {
            method,
            path,
            status,
            duration,
            bytes,
        } = answered;
        let micros = duration.as_micros();
        let (ms, rest) = (micros / 1000, micros % 1000);
        self.line(|text| {
            write!(text, r#"{{"time":"{time}","method":"{method}","path":"#)?;
            // A path may have quotation marks in it.
            serde_json::to_writer(&mut *text, path)?;
            let status = status.as_u16();
            writeln!(
                text,
                r#","status":{status},"duration_ms":{ms}.{rest:03},"bytes":{bytes}}}"#
            )
        });
    }

    /// Waits until everything is written, or the reader has had its time.
    pub fn flush(&self) {
        let mut lines = self.0.lines();
        lines.is_ending = true;
        self.0.changed.notify_all();
        let unwritten = |lines: &mut Lines| lines.is_writing || !lines.text.is_empty();
        let waited = self
            .0
            .changed
            .wait_timeout_while(lines, PATIENCE, unwritten);
        drop(waited);
    }

    fn line(&self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        let mut lines = self.0.lines();
        if lines.text.len() >= KEPT {
            lines.left_out += 1;
            return;
        }
        let was_empty = lines.text.is_empty();
        // Nothing fails that is written to memory.
        let _ = write(&mut lines.text);
        drop(lines);
        if was_empty {
            self.0.changed.notify_all();
        }
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, out: &mut impl io::Write) {
        let mut taken = Vec::new();
        loop {
            let mut lines = self.lines();
            while lines.text.is_empty() {
                let woken = self.changed.wait(lines);
                lines = woken.unwrap_or_else(PoisonError::into_inner);
            }
            if !lines.is_ending {
                drop(lines);
                thread::sleep(GATHERED);
                lines = self.lines();
            }
            lines.is_writing = true;
            mem::swap(&mut lines.text, &mut taken);
            let left_out = mem::take(&mut lines.left_out);
            drop(lines);
            if left_out > 0 {
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                let message =
                    format!("{left_out} lines are left out: the log is not read fast enough");
                let line = json!({"time": time, "level": "WARN", "message": message});
                let _ = writeln!(taken, "{line}");
            }
            // Whoever closed it wants no log; the server goes on.
            let _ = out.write_all(&taken).and_then(|()| out.flush());
            taken.clear();
            self.lines().is_writing = false;
            self.changed.notify_all();
        }
    }
}
