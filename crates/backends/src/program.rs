//! A server of ours: any program that serves HTTP on the port it is told.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::{
    Error,
    client::send,
    process::Signal,
    server::{Server, Start, on_free_ports},
};

/// What is run, and how to see that it is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name that messages use.
    pub name: String,
    /// The program's file.
    pub program: PathBuf,
    /// Variables of its environment besides `PATH`.
    pub variables: Vec<(&'static str, String)>,
    /// Its arguments. `{port}` stands for the port to listen on, `{directory}` for a directory of its own, which goes with it.
    pub arguments: Vec<String>,
    /// The path that is answered with a 2xx when it is healthy.
    pub health_path: String,
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    server: Server,
    settings: Settings,
    port: u16,
    started_in: Duration,
}

impl Program {
    /// Starts the program on a free port of 127.0.0.1 and waits until it is healthy.
    ///
    /// Nothing of this process's environment reaches it but `PATH`.
    ///
    /// # Errors
    /// Its file does not exist, it ended, or it does not answer.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        on_free_ports(async |[port]| {
            let mut program = Self {
                server: Server::new(&settings.name)?,
                settings: settings.clone(),
                port,
                started_in: Duration::ZERO,
            };
            program.restart().await?;
            Ok(program)
        })
        .await
    }

    /// The name that messages use.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From the start of its process until it was healthy, to a tenth. Some milliseconds of it are the shell's that keeps it.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The id of its process. Its children's are their own.
    ///
    /// # Errors
    /// It did not leave one.
    pub fn process_id(&self) -> Result<u32, Error> {
        self.server.process_id()
    }

    /// Whether it does not run: it may have ended by itself.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn has_ended(&mut self) -> Result<bool, Error> {
        self.server.has_ended()
    }

    /// Tells it to end in an orderly way, and waits until it has.
    ///
    /// # Errors
    /// It does not end.
    pub async fn end(&mut self) -> Result<(), Error> {
        self.server.end(Signal::Terminate).await
    }

    /// Kills it, as a crash would. Its directory stays.
    ///
    /// # Errors
    /// It can't be killed.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.server.end(Signal::Kill).await
    }

    /// Starts it again on the same port, with the same directory, and waits until it is healthy. Does nothing if it runs.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), Error> {
        if self.server.runs() {
            return Ok(());
        }
        let Settings {
            program,
            variables,
            arguments,
            health_path,
            ..
        } = &self.settings;
        let directory = self.server.directory().display().to_string();
        let port = self.port.to_string();
        let filled = |argument: &String| {
            let argument = argument.replace("{port}", &port);
            argument.replace("{directory}", &directory)
        };
        let start = Start {
            program: program.clone(),
            arguments: arguments.iter().map(filled).collect(),
            variables: variables.clone(),
        };
        let health = format!("{}{health_path}", self.url());
        let since = Instant::now();
        let healthy = || is_well(&health);
        self.server.start(&start, healthy).await?;
        self.started_in = since.elapsed();
        Ok(())
    }

    /// Ends it, directory and all.
    ///
    /// # Errors
    /// It does not end, or its directory can't be removed.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.end().await?;
        self.server.stop()
    }
}

async fn is_well(url: &str) -> bool {
    let Ok(request) = Request::get(url).body(Full::<Bytes>::default()) else {
        return false;
    };
    send(request)
        .await
        .is_ok_and(|answer| answer.status().is_success())
}
