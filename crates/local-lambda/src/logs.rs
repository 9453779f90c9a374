//! Where a function's output goes, and with it the lines that Lambda writes around each invocation.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Write},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// Where the logs of all functions go.
#[derive(Clone, Default)]
pub enum Logs {
    /// To this, a line at a time, with the function's name.
    Lines(OnLine),
    /// To one file a function, `<function>.log`, in this directory, which is made if it is missing.
    Directory(PathBuf),
    /// Nowhere.
    #[default]
    Discard,
}

/// What is called with a function's name and a line of its log. Lines of one function come one after the other.
pub type OnLine = Arc<dyn Fn(&str, &str) + Send + Sync>;

impl fmt::Debug for Logs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(_) => out.write_str("Lines"),
            Self::Directory(directory) => out.debug_tuple("Directory").field(directory).finish(),
            Self::Discard => out.write_str("Discard"),
        }
    }
}

/// The log of one function.
#[derive(Clone, Debug)]
pub(crate) enum Log {
    /// Whoever writes here, the function's processes or the host, one thread reads.
    Lines(Arc<PipeWriter>),
    File(Arc<Mutex<File>>),
    Discard,
}

impl Log {
    pub(crate) fn open(logs: &Logs, function: &str) -> io::Result<Self> {
        match logs {
            Logs::Lines(on_line) => {
                let (reader, writer) = io::pipe()?;
                let (on_line, function) = (on_line.clone(), function.to_owned());
                // Ends with the last writer.
                thread::spawn(move || read_lines(reader, &function, &on_line));
                Ok(Self::Lines(Arc::new(writer)))
            }
            Logs::Discard => Ok(Self::Discard),
            Logs::Directory(directory) => {
                std::fs::create_dir_all(directory)?;
                let path = directory.join(format!("{function}.log"));
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                Ok(Self::File(Arc::new(Mutex::new(file))))
            }
        }
    }

    /// What a process of the function writes to.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        match self {
            Self::Lines(pipe) => Ok(pipe.try_clone()?.into()),
            Self::Discard => Ok(Stdio::null()),
            Self::File(file) => Ok(file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .try_clone()?
                .into()),
        }
    }

    /// Adds a line. A log that can't be written must not end the host.
    pub(crate) fn line(&self, line: impl fmt::Display) {
        // One write a line, so that lines of several processes do not mix.
        let written = match self {
            Self::Discard => Ok(()),
            Self::Lines(pipe) => (&**pipe).write_all(format!("{line}\n").as_bytes()),
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

fn read_lines(reader: PipeReader, function: &str, on_line: &OnLine) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    // A pipe that can't be read has no more to say.
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        on_line(
            function,
            String::from_utf8_lossy(&line).trim_end_matches('\n'),
        );
        line.clear();
    }
}
