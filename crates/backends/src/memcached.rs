//! memcached for local runs and tests, where ElastiCache is on AWS.

use std::path::PathBuf;

use rustix::process::{Pid, Signal as UnixSignal, kill_process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    Error,
    installed::{Installed, find},
    process::Signal,
    server::{Server, Start, on_free_ports},
};

const MEMCACHED: Installed = Installed {
    server: "memcached",
    variable: "MEMCACHED",
    remedy: "install memcached (Debian or Ubuntu: sudo apt-get install memcached)",
};

/// How much a cache holds: as much as a cache.t4g.micro (Amazon ElastiCache User Guide, "Memcached specific parameters":
/// `max_cache_memory`, in MB).
const MEMORY_MB: u32 = 471;

/// A running memcached with nothing in it. Dropping it ends it.
#[derive(Debug)]
pub struct Memcached {
    server: Server,
    program: PathBuf,
    port: u16,
}

/// What [`find_program`] says when there is none.
#[must_use]
pub fn not_installed() -> Error {
    MEMCACHED.missing()
}

/// Finds the program: what `MEMCACHED` names if it is set (none, if it is empty), or `memcached` in `PATH` or where systems
/// keep servers.
///
/// # Errors
/// It is not installed.
pub fn find_program() -> Result<PathBuf, Error> {
    MEMCACHED.find(|| find("memcached"))
}

impl Memcached {
    /// Starts one on a free port of 127.0.0.1 and waits until it answers.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start() -> Result<Self, Error> {
        let program = find_program()?;
        on_free_ports(async |[port]| {
            let mut memcached = Self {
                server: Server::new("memcached")?,
                program: program.clone(),
                port,
            };
            memcached.restart().await?;
            Ok(memcached)
        })
        .await
    }

    /// Where it answers: `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as a crash would: what it held is gone.
    ///
    /// # Errors
    /// It can't be killed.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.server.end(Signal::Kill).await
    }

    /// Starts it again on the same port, empty, and waits until it answers. Does nothing if it runs.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), Error> {
        if self.server.runs() {
            return Ok(());
        }
        let port = self.port.to_string();
        let memory = MEMORY_MB.to_string();
        let arguments = ["-l", "127.0.0.1", "-p", &port, "-U", "0", "-m", &memory];
        // It refuses to run as root unless told that root is meant; anybody else it leaves alone.
        let arguments = arguments.into_iter().chain(["-u", "root"]);
        let start = Start {
            program: self.program.clone(),
            arguments: arguments.map(str::to_owned).collect(),
            variables: Vec::new(),
        };
        let port = self.port;
        self.server
            .start(&start, async || answers(port).await)
            .await
    }

    /// Stops it without ending it: connections are taken and nothing is answered.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self) -> Result<(), Error> {
        self.signal(UnixSignal::STOP)
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&self) -> Result<(), Error> {
        self.signal(UnixSignal::CONT)
    }

    /// Ends it, directory and all.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.server.end(Signal::Kill).await?;
        self.server.stop()
    }

    fn signal(&self, signal: UnixSignal) -> Result<(), Error> {
        let failed = || Error::io("memcached can't be signalled");
        let id = i32::try_from(self.server.process_id()?)
            .ok()
            .and_then(Pid::from_raw);
        let id = id.ok_or_else(|| failed()(std::io::ErrorKind::NotFound.into()))?;
        kill_process(id, signal).map_err(|error| failed()(error.into()))
    }
}

/// Whether a memcached answers on this port.
async fn answers(port: u16) -> bool {
    let version = async {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
        connection.write_all(b"version\r\n").await?;
        let mut answer = [0; 8];
        connection.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    version.await.is_ok_and(|answer| &answer == b"VERSION ")
}
