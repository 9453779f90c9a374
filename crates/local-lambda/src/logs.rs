//! Where a function's output and its `REPORT` lines go.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

/// Where the logs of all functions go.
#[derive(Clone, Debug, Default)]
pub enum Logs {
    /// To the standard output.
    Stdout,
    /// To one file a function, `<function>.log`, in this directory, which is made if it is missing.
    Directory(PathBuf),
    /// Nowhere.
    #[default]
    Discard,
}

/// The log of one function.
#[derive(Clone, Debug)]
pub(crate) enum Log {
    Stdout,
    File(Arc<Mutex<File>>),
    Discard,
}

impl Log {
    pub(crate) fn open(logs: &Logs, function: &str) -> io::Result<Self> {
        match logs {
            Logs::Stdout => Ok(Self::Stdout),
            Logs::Discard => Ok(Self::Discard),
            Logs::Directory(directory) => {
                std::fs::create_dir_all(directory)?;
                let path = directory.join(format!("{function}.log"));
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                Ok(Self::File(Arc::new(Mutex::new(file))))
            }
        }
    }

    /// What a process of the function writes to: the log itself, with nothing of ours in between.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        match self {
            Self::Stdout => Ok(Stdio::from(io::stdout())),
            Self::Discard => Ok(Stdio::null()),
            Self::File(file) => Ok(file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .try_clone()?
                .into()),
        }
    }

    /// Adds a line. A log that can't be written must not end the host.
    pub(crate) fn line(&self, line: &str) {
        let written = match self {
            Self::Discard => Ok(()),
            Self::Stdout => writeln!(io::stdout().lock(), "{line}"),
            // One write a line, so that lines of several processes do not mix.
            Self::File(file) => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(format!("{line}\n").as_bytes()),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "a log line was lost");
        }
    }
}
