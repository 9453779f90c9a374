//! The life of a server, whatever it serves: started in a directory of its own, healthy, told to end, gone with its owner.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Error,
    port::{free_port, is_taken},
    process::{Companion, Signal},
};

/// How long it may take to start or end: two seconds are usual, a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

const SHORTEST_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// How long one question whether it is healthy may take. Whoever took our port may never answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How many times ports are chosen: between our choice and its use, somebody else may take one.
const ATTEMPTS: usize = 5;

/// A server that runs, or has run and can again. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    // Before the directory, so that it is gone when the directory goes.
    process: Option<Companion>,
    directory: TempDir,
}

/// How a server is started.
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Server {
    /// A directory for a server, of which messages and log speak by this name.
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let directory = TempDir::with_prefix(format!("{}-", name.to_lowercase()))
            .map_err(Error::io("a temporary directory can't be made"))?;
        Ok(Self {
            name: name.to_owned(),
            process: None,
            directory,
        })
    }

    /// Where it keeps its files. No other server has this path.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The id of its process.
    pub(crate) fn process_id(&self) -> Result<u32, Error> {
        let unknown = || self.io("has an unknown process");
        let text = fs::read_to_string(self.directory().join("process")).map_err(unknown())?;
        text.trim()
            .parse()
            .map_err(io::Error::other)
            .map_err(unknown())
    }

    pub(crate) fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Whether it does not run. If it has ended by itself, that is known from now on.
    pub(crate) fn has_ended(&mut self) -> Result<bool, Error> {
        if let Some(mut process) = self.process.take()
            && self.ended(&mut process)?.is_none()
        {
            self.process = Some(process);
        }
        Ok(!self.runs())
    }

    /// Starts it and waits until it is healthy.
    pub(crate) async fn start<F: Future<Output = bool>>(
        &mut self,
        start: &Start,
        is_healthy: impl Fn() -> F,
    ) -> Result<(), Error> {
        let mut process = self.spawn(start)?;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.ended(&mut process)? {
                return Err(self.failure(status, &start.program));
            }
            if tokio::time::timeout(ANSWER_LIMIT, is_healthy()).await == Ok(true) {
                self.process = Some(process);
                return Ok(());
            }
            // How long a start took is known to a tenth, and one that takes long is left alone.
            let next = (since.elapsed() / 10).clamp(SHORTEST_POLL_INTERVAL, POLL_INTERVAL);
            tokio::time::sleep(next).await;
        }
        Err(Error::Silent {
            server: self.name.clone(),
            waited: PATIENCE,
            last_line: self.last_line(),
        })
    }

    /// Runs a program that prepares its directory, and waits for its success.
    pub(crate) async fn prepare(&self, start: &Start) -> Result<(), Error> {
        let status = self.until_ended(self.spawn(start)?).await?;
        match status.success() {
            true => Ok(()),
            false => Err(self.failure(status, &start.program)),
        }
    }

    /// Ends it and waits until it is gone. Its directory stays. Does nothing if it does not run.
    pub(crate) async fn end(&mut self, signal: Signal) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process
                .signal(signal)
                .map_err(self.io("can't be told to end"))?;
            self.until_ended(process).await?;
        }
        Ok(())
    }

    /// Ends it, directory and all.
    pub(crate) fn stop(self) -> Result<(), Error> {
        let failure = self.io("has a directory that can't be removed");
        drop(self.process);
        match self.directory.close() {
            // With a process that was killed, its directory went.
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(()),
            closed => closed.map_err(failure),
        }
    }

    fn spawn(&self, start: &Start) -> Result<Companion, Error> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(self.io("has no log: it can't be opened"))?;
        let home = self.directory().display().to_string();
        let mut variables = vec![("HOME", home.clone()), ("TMPDIR", home)];
        variables.extend(start.variables.iter().cloned());
        Companion::start(
            &start.program,
            &start.arguments,
            self.directory(),
            variables,
            log,
        )
        .map_err(self.io("can't be started"))
    }

    async fn until_ended(&self, mut process: Companion) -> Result<ExitStatus, Error> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.ended(&mut process)? {
                return Ok(status);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(Error::StillRunning {
            server: self.name.clone(),
            waited: PATIENCE,
        })
    }

    fn ended(&self, process: &mut Companion) -> Result<Option<ExitStatus>, Error> {
        process.ended().map_err(self.io("can't be waited for"))
    }

    fn failure(&self, status: ExitStatus, program: &Path) -> Error {
        match status.code() {
            // What a shell says of a program that it can't run (POSIX, "Exit Status for Commands").
            Some(126 | 127) => Error::NoInterpreter(program.to_owned()),
            _ => Error::Ended {
                server: self.name.clone(),
                last_line: self.last_line(),
            },
        }
    }

    fn io(&self, what: &str) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(format!("{} {what}", self.name))
    }

    fn log(&self) -> PathBuf {
        self.directory().join("log")
    }

    /// What it said before it ended: its last error, as MariaDB marks it, or its last line. After its last error, MariaDB
    /// goes on to say that it aborts.
    fn last_line(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines()
            .rfind(|line| line.contains("[ERROR]") && !line.ends_with("Aborting"))
            .or_else(|| lines().next_back())
            .unwrap_or("its log is empty")
            .to_owned()
    }
}

/// Starts a server on ports that nobody listens on, and on others if somebody was quicker to take one.
pub(crate) async fn on_free_ports<S, const N: usize>(
    start: impl AsyncFn([u16; N]) -> Result<S, Error>,
) -> Result<S, Error> {
    let mut attempt = 1;
    loop {
        let mut ports = [0; N];
        for port in &mut ports {
            *port = free_port().map_err(Error::io("no port is free"))?;
        }
        match start(ports).await {
            Err(Error::Ended { .. })
                if attempt < ATTEMPTS && ports.iter().any(|port| is_taken(*port)) =>
            {
                attempt += 1;
            }
            started => return started,
        }
    }
}
