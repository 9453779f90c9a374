//! A running emulator.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::{ACCOUNT_ID, REGION};
use crate::{
    Error,
    client::send,
    process::Signal,
    server::{Server, Start, on_free_ports},
};

/// A running emulator with nothing in it but what was put there. Dropping it ends it.
#[derive(Debug)]
pub struct Ministack {
    server: Server,
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
        if !program.is_file() {
            return Err(Error::NoSuchProgram {
                program: program.to_owned(),
                variable: "MINISTACK",
            });
        }
        on_free_ports(async |[port]| {
            let mut ministack = Self {
                server: Server::new("ministack")?,
                program: program.to_owned(),
                port,
                endpoint: format!("http://127.0.0.1:{port}"),
                purpose,
            };
            ministack.resume().await?;
            Ok(ministack)
        })
        .await
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops it in an orderly way: from now on, connections are refused. Does nothing if it is suspended already.
    pub async fn suspend(&mut self) -> Result<(), Error> {
        self.server.end(Signal::Terminate).await
    }

    /// Starts it again on the same port and waits until it answers. Does nothing if it runs.
    pub async fn resume(&mut self) -> Result<(), Error> {
        if self.server.runs() {
            return Ok(());
        }
        let start = Start {
            program: self.program.clone(),
            arguments: Vec::new(),
            variables: self.variables(),
        };
        let (health, name) = (format!("{}/_ministack/health", self.endpoint), self.name());
        // Whoever answers on this port may be another emulator, which was quicker to take it.
        let is_healthy = async || edition(&health).await == Some(name.clone());
        self.server.start(&start, is_healthy).await
    }

    /// Ends it, state and all.
    pub async fn stop(self) -> Result<(), Error> {
        self.server.stop()
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let inside = |name: &str| self.server.directory().join(name).display().to_string();
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
        self.server.directory().display().to_string()
    }
}

/// What an emulator calls itself in its health report, if it gives one yet.
async fn edition(health: &str) -> Option<String> {
    let request = Request::get(health).body(Full::<Bytes>::default()).ok()?;
    let answer = send(request).await.ok()?;
    let report: serde_json::Value = serde_json::from_str(answer.body()).ok()?;
    Some(report["edition"].as_str()?.to_owned())
}
