//! What can go wrong, in one line each.

use std::{io, path::PathBuf, time::Duration};

/// Why the emulator is not there, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no ministack to be found.
    #[error("ministack is not installed: run `make tools`, or give its path in MINISTACK")]
    NotInstalled,
    /// It was to be found here, and is not.
    #[error("{} does not exist: run `make tools`, or give ministack's path in MINISTACK", .0.display())]
    NoSuchProgram(PathBuf),
    /// The program is there, but the Python it runs on is not.
    #[error("{} can't be run: is its Python gone? run `make tools` again", .0.display())]
    NoInterpreter(PathBuf),
    /// It ended when it should have run.
    #[error("ministack ended: {last_line}")]
    Ended {
        /// What its log said last.
        last_line: String,
    },
    /// It runs, but does not answer.
    #[error("ministack did not answer within {} s: {last_line}", waited.as_secs())]
    Silent {
        /// How long it was waited for.
        waited: Duration,
        /// What its log said last.
        last_line: String,
    },
    /// It was asked to stop, and did not.
    #[error("ministack did not stop within {} s", .0.as_secs())]
    StillRunning(Duration),
    /// Something that has to be done for it failed.
    #[error("{what}: {cause}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// It did not answer a request.
    #[error("ministack did not answer: {0}")]
    Request(String),
    /// The stack could not be made.
    #[error("stack {stack} can't be made: {reason}")]
    Deploy {
        /// The stack's name.
        stack: String,
        /// The status reason of the resource that failed, or what was wrong with the request.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { what, cause }
    }
}
