//! A running emulator.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;

use http::Request;
use http_body_util::Full;
use tempfile::TempDir;

use super::{ACCOUNT_ID, Error, REGION, endpoint::send};
use crate::{
    log::last_line,
    port::{free_port, is_taken},
    process::{Companion, Signal},
};

/// How long it may take to start or stop: two seconds are usual, a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a health report may take. Whoever took our port may never answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How many ports are tried: between our choice and its use, somebody else may take one.
const PORTS: usize = 5;

/// A running emulator with nothing in it but what was put there. Dropping it ends it.
#[derive(Debug)]
pub struct Ministack {
    // Before the directory, so that it is gone when the directory goes.
    process: Option<Companion>,
    directory: TempDir,
    program: PathBuf,
    port: u16,
    endpoint: String,
    purpose: Purpose,
}

/// What an emulator is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Memory,
    Durable,
    Deployment,
}

impl Ministack {
    /// Starts an emulator that keeps everything in memory, and waits until it answers.
    ///
    /// Nothing of this process's environment reaches it but `PATH`.
    pub async fn start(program: &Path) -> Result<Self, Error> {
        Self::start_anywhere(program, Purpose::Memory).await
    }

    /// Starts an emulator that has its state back after [`suspend`](Self::suspend) and [`resume`](Self::resume).
    ///
    /// It writes each S3 object to disk, which makes a PUT ten times as slow: for tests, not for measurements.
    pub async fn start_durable(program: &Path) -> Result<Self, Error> {
        Self::start_anywhere(program, Purpose::Durable).await
    }

    /// Starts an emulator to deploy to. The functions that its Lambda runs call it back, and may do what the policies of
    /// their roles allow and nothing else.
    pub async fn start_for_deployment(program: &Path) -> Result<Self, Error> {
        Self::start_anywhere(program, Purpose::Deployment).await
    }

    async fn start_anywhere(program: &Path, purpose: Purpose) -> Result<Self, Error> {
        let mut attempt = 1;
        loop {
            let port = free_port().map_err(Error::io("no port is free"))?;
            let directory = TempDir::with_prefix("ministack-")
                .map_err(Error::io("a temporary directory can't be made"))?;
            let mut ministack = Self {
                process: None,
                directory,
                program: program.to_owned(),
                port,
                endpoint: format!("http://127.0.0.1:{port}"),
                purpose,
            };
            match ministack.resume().await {
                Ok(()) => return Ok(ministack),
                Err(Error::Ended { .. }) if attempt < PORTS && is_taken(port) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops it in an orderly way: from now on, connections are refused. Does nothing if it is suspended already.
    pub async fn suspend(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process
            .signal(Signal::Terminate)
            .map_err(Error::io("ministack can't be asked to stop"))?;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if ended(&mut process)?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(Error::StillRunning(PATIENCE))
    }

    /// Starts it again on the same port and waits until it answers. Does nothing if it runs.
    pub async fn resume(&mut self) -> Result<(), Error> {
        if self.process.is_none() {
            let mut process = self.spawn()?;
            self.until_healthy(&mut process).await?;
            self.process = Some(process);
        }
        Ok(())
    }

    /// Ends it, state and all.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.process = None;
        match self.directory.close() {
            // With a process that was killed, its directory went.
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(()),
            closed => closed.map_err(Error::io("ministack's directory can't be removed")),
        }
    }

    fn spawn(&self) -> Result<Companion, Error> {
        if !self.program.is_file() {
            return Err(Error::NoSuchProgram(self.program.clone()));
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(Error::io("ministack's log can't be opened"))?;
        Companion::start(
            &self.program,
            &[],
            self.directory.path(),
            self.variables(),
            log,
        )
        .map_err(Error::io("ministack can't be started"))
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let inside = |name: &str| self.directory.path().join(name).display().to_string();
        let mut variables = vec![
            ("BIND_HOST", "127.0.0.1".to_owned()),
            ("GATEWAY_PORT", self.port.to_string()),
            ("MINISTACK_ACCOUNT_ID", ACCOUNT_ID.to_owned()),
            ("MINISTACK_EDITION", self.name()),
            ("MINISTACK_REGION", REGION.to_owned()),
            // A log line for each request would take time from what is measured.
            ("LOG_LEVEL", "WARNING".to_owned()),
            // Listeners on ports of their own, open to the network.
            ("IOT_MTLS_ENABLED", "0".to_owned()),
            ("SFTP_ENABLED", "0".to_owned()),
            // No Docker: its housekeeping would end the containers of other emulators.
            ("DOCKER_HOST", format!("unix://{}", inside("no-docker"))),
            // Nothing is read from or written to elsewhere.
            ("HOME", self.name()),
            ("TMPDIR", self.name()),
            ("S3_DATA_DIR", inside("s3")),
            ("STATE_DIR", inside("state")),
        ];
        match self.purpose {
            Purpose::Memory => {}
            Purpose::Durable => {
                variables.push(("PERSIST_STATE", "1".to_owned()));
                variables.push(("S3_PERSIST", "1".to_owned()));
            }
            Purpose::Deployment => {
                variables.push(("AUTH", "true".to_owned()));
                // What it tells the functions.
                variables.push(("AWS_ENDPOINT_URL", self.endpoint.clone()));
            }
        }
        variables
    }

    /// A name that no other emulator has: its health report bears it.
    fn name(&self) -> String {
        self.directory.path().display().to_string()
    }

    async fn until_healthy(&self, process: &mut Companion) -> Result<(), Error> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = ended(process)? {
                // What a shell says of a program that it can't run (POSIX, "Exit Status for Commands").
                return Err(match status.code() {
                    Some(126 | 127) => Error::NoInterpreter(self.program.clone()),
                    _ => Error::Ended {
                        last_line: self.last_log_line(),
                    },
                });
            }
            if self.is_healthy().await {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(Error::Silent {
            waited: PATIENCE,
            last_line: self.last_log_line(),
        })
    }

    async fn is_healthy(&self) -> bool {
        let Ok(request) = Request::get(format!("{}/_ministack/health", self.endpoint))
            .body(Full::<Bytes>::default())
        else {
            return false;
        };
        // Not healthy yet, if it does not answer: what is wrong will be in the log.
        let Ok(Ok(answer)) = tokio::time::timeout(ANSWER_LIMIT, send(request)).await else {
            return false;
        };
        // Whoever answers on this port may be another emulator, which was quicker to take it.
        serde_json::from_str::<serde_json::Value>(answer.body())
            .is_ok_and(|health| health["edition"] == self.name())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("ministack.log")
    }

    fn last_log_line(&self) -> String {
        last_line(&self.log(), |_| true).unwrap_or_else(|| "its log is empty".to_owned())
    }
}

fn ended(process: &mut Companion) -> Result<Option<std::process::ExitStatus>, Error> {
    process
        .ended()
        .map_err(Error::io("ministack can't be waited for"))
}
