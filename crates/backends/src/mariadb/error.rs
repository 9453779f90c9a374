//! What can go wrong, in one line each.

use std::{io, path::PathBuf, time::Duration};

/// Why MariaDB is not there, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no MariaDB server to be found.
    #[error(
        "MariaDB is not installed: install mariadb-server (Debian or Ubuntu: sudo apt-get install mariadb-server-core mariadb-client-core)"
    )]
    NotInstalled,
    /// It was to be found here, and is not.
    #[error("{} does not exist, which MARIADBD names", .0.display())]
    NoSuchProgram(PathBuf),
    /// It ended when it should have run.
    #[error("MariaDB ended: {last_line}")]
    Ended {
        /// What its log said last.
        last_line: String,
    },
    /// It runs, but does not answer.
    #[error("MariaDB did not answer within {} s: {last_line}", waited.as_secs())]
    Silent {
        /// How long it was waited for.
        waited: Duration,
        /// What its log said last.
        last_line: String,
    },
    /// It was told to end, and did not.
    #[error("MariaDB did not end within {} s", .0.as_secs())]
    StillRunning(Duration),
    /// Connections were to be closed, and are not.
    #[error("MariaDB has {open} open connections that nobody uses, after {} s", waited.as_secs())]
    StillConnected {
        /// How many.
        open: u64,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Something that has to be done for it failed.
    #[error("{what}: {cause}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// It did not do what its administrator asked for.
    #[error("MariaDB refused its administrator: {0}")]
    Administration(#[from] mysql_async::Error),
}

impl Error {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { what, cause }
    }
}
