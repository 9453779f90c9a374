//! What can go wrong, in one line each.

use std::{io, path::PathBuf, time::Duration};

/// Why a server is not there, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its program is not to be found.
    #[error("{server} is not installed: {remedy}")]
    NotInstalled {
        /// Which server.
        server: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Its program was to be in this file, and is not.
    #[error("{} does not exist: give the program's path in {variable}", program.display())]
    NoSuchProgram {
        /// The file.
        program: PathBuf,
        /// The environment variable that names it.
        variable: &'static str,
    },
    /// Its program is there, but not what that runs on, such as its Python.
    #[error("{} can't be run: is its interpreter gone? install it again, ministack by `make tools`", .0.display())]
    NoInterpreter(PathBuf),
    /// It ended when it should have run.
    #[error("{server} ended: {last_line}")]
    Ended {
        /// Which server.
        server: String,
        /// What its log said last.
        last_line: String,
    },
    /// It runs, but does not answer.
    #[error("{server} did not answer within {} s: {last_line}", waited.as_secs())]
    Silent {
        /// Which server.
        server: String,
        /// How long it was waited for.
        waited: Duration,
        /// What its log said last.
        last_line: String,
    },
    /// It was told to end, and did not.
    #[error("{server} did not end within {} s", waited.as_secs())]
    StillRunning {
        /// Which server.
        server: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Something that has to be done for it failed.
    #[error("{what}: {cause}")]
    Io {
        /// What could not be done.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
    /// ministack did not answer a request.
    #[error("ministack did not answer: {0}")]
    Request(String),
    /// ministack could not make a stack.
    #[error("stack {stack} can't be made: {reason}")]
    Deploy {
        /// The stack's name.
        stack: String,
        /// The status reason of the resource that failed, or what was wrong with the request.
        reason: String,
    },
    /// MariaDB did not do what its administrator asked for.
    #[error("MariaDB refused its administrator: {0}")]
    Administration(#[from] mysql_async::Error),
    /// Connections to MariaDB were to be closed, and are not.
    #[error("MariaDB has {open} open connections that nobody uses, after {} s", waited.as_secs())]
    StillConnected {
        /// How many.
        open: u64,
        /// How long it was waited for.
        waited: Duration,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |cause| Self::Io { what, cause }
    }
}
