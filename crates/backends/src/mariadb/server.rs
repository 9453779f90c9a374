//! A running server.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use mysql_async::{Conn, Opts, OptsBuilder};

use super::{
    data_directory,
    program::{find_installer, find_program},
};
use crate::{
    Error,
    port::is_taken,
    process::Signal,
    server::{Server, Start, on_free_ports},
};

/// The database that there is from the start.
const DATABASE: &str = "calls";

/// The account of the functions. It may do everything in its database and nothing else: the server holds it to
/// `max_connections`.
const USER: &str = "calls";

const ADMINISTRATOR: &str = "administrator";

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most connections of users at a time; at least 10.
    pub max_connections: u32,
    /// How long a connection may be idle before the server closes it: whole seconds.
    pub wait_timeout: Duration,
    /// A data directory that [`MariaDb::save`] made; the server works on a copy of it.
    pub data: Option<PathBuf>,
}

impl Default for Options {
    /// 170 connections, MariaDB's `wait_timeout` of 8 hours, no data.
    fn default() -> Self {
        Self {
            max_connections: 170,
            wait_timeout: Duration::from_secs(8 * 60 * 60),
            data: None,
        }
    }
}

/// A running MariaDB. Dropping it ends it.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
    program: PathBuf,
    options: Options,
    port: u16,
    /// Where the administrator connects, whose connections count for themselves.
    extra_port: u16,
    password: String,
}

impl MariaDb {
    /// Starts a server with the database `calls` and a user who may do everything in it, and waits until it answers.
    ///
    /// Nothing of this process's environment reaches it but `PATH`, and none of the system's configuration files.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let program = find_program()?;
        on_free_ports(async |[port, extra_port]| {
            let mut mariadb = Self {
                server: Server::new("MariaDB")?,
                program: program.clone(),
                options: options.clone(),
                port,
                extra_port,
                password: std::iter::repeat_with(fastrand::alphanumeric)
                    .take(24)
                    .collect(),
            };
            mariadb.prepare().await?;
            mariadb.restart().await?;
            // Whoever asked whether it is up takes a place for a moment, which the first user may need.
            mariadb.administration().await?.until_at_most(0).await?;
            Ok(mariadb)
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

    /// The user's name.
    pub fn user(&self) -> &str {
        USER
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The database that there is from the start.
    pub fn database(&self) -> &str {
        DATABASE
    }

    /// The most connections of users at a time.
    pub fn max_connections(&self) -> u32 {
        self.options.max_connections
    }

    /// How to connect as the user: `mysql://USER:PASSWORD@127.0.0.1:PORT/DATABASE`.
    pub fn url(&self) -> String {
        let (password, address) = (self.password(), self.address());
        format!("mysql://{USER}:{password}@{address}/{DATABASE}")
    }

    /// Kills it, as a crash would. Its data stays for [`restart`](Self::restart). Does nothing if it does not run.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.server.end(Signal::Kill).await
    }

    /// Starts it again on the same port with the same data, and waits until it answers. Does nothing if it runs.
    pub async fn restart(&mut self) -> Result<(), Error> {
        if self.server.runs() {
            return Ok(());
        }
        let start = Start {
            program: self.program.clone(),
            arguments: self.arguments(),
            variables: Vec::new(),
        };
        let (administrator, port) = (self.administrator(), self.port);
        let is_healthy = async || takes_password(administrator.clone()).await && is_taken(port);
        self.server.start(&start, is_healthy).await
    }

    /// Ends it in an orderly way and moves its data to a directory, from which [`Options::data`] takes it. The directory
    /// must not exist, the one around it must.
    pub async fn save(mut self, to: &Path) -> Result<(), Error> {
        self.server.end(Signal::Terminate).await?;
        let (from, to) = (self.data(), to.to_owned());
        blocking(move || match fs::rename(&from, &to) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                data_directory::copy(&from, &to)
            }
            renamed => renamed,
        })
        .await
        .map_err(Error::io("MariaDB's data can't be saved"))
    }

    /// Ends it, data and all.
    pub async fn stop(self) -> Result<(), Error> {
        self.server.stop()
    }

    /// How its administrator connects.
    pub(crate) fn administrator(&self) -> Opts {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.extra_port)
            .user(Some(ADMINISTRATOR))
            .pass(Some(self.password()))
            .db_name(Some(DATABASE))
            .prefer_socket(false)
            .into()
    }

    /// Makes the data directory, and what is to be done with it at each start.
    async fn prepare(&self) -> Result<(), Error> {
        let password = self.password();
        // One line each: MariaDB reads this file by lines.
        let accounts = format!(
            "CREATE DATABASE IF NOT EXISTS {DATABASE};
CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';
CREATE OR REPLACE USER {ADMINISTRATOR}@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO {ADMINISTRATOR}@'127.0.0.1';
"
        );
        fs::write(self.accounts(), accounts)
            .map_err(Error::io("MariaDB's accounts can't be written"))?;
        match &self.options.data {
            Some(data) => {
                let (from, to) = (data.clone(), self.data());
                blocking(move || data_directory::copy(&from, &to))
                    .await
                    .map_err(Error::io("MariaDB's data can't be copied"))
            }
            None => self.install().await,
        }
    }

    async fn install(&self) -> Result<(), Error> {
        let start = Start {
            program: find_installer(&self.program)?,
            arguments: data_directory::installer_arguments(&self.data()),
            variables: Vec::new(),
        };
        self.server.prepare(&start).await
    }

    fn arguments(&self) -> Vec<String> {
        let Options {
            max_connections,
            wait_timeout,
            ..
        } = self.options;
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", self.data().display()),
            format!("--tmpdir={}", self.server.directory().display()),
            format!("--init-file={}", self.accounts().display()),
            // In the data directory: the path of a socket must not be long.
            "--socket=socket".to_owned(),
            "--pid-file=pid".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={}", self.port),
            format!("--extra-port={}", self.extra_port),
            "--extra-max-connections=10".to_owned(),
            format!("--max-connections={max_connections}"),
            format!("--wait-timeout={}", wait_timeout.as_secs()),
            // A client's own end of a connection may have the port for a moment, above all between a kill and a restart.
            "--port-open-timeout=5".to_owned(),
            // All users at once: those who find the queue full would try again a second later.
            "--back-log=4096".to_owned(),
            "--skip-name-resolve".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
            "--max-allowed-packet=64M".to_owned(),
            // Clients that vanish are what is tested, not news.
            "--log-warnings=1".to_owned(),
            // Nobody will miss the data after a crash of the machine.
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
            "--skip-innodb-doublewrite".to_owned(),
            // Rows that were just copied are in the system's memory.
            "--innodb-flush-method=fsync".to_owned(),
            "--skip-log-bin".to_owned(),
            // A million rows of 250 bytes, and what is around them.
            "--innodb-buffer-pool-size=512M".to_owned(),
            data_directory::LOG_FILE_SIZE.to_owned(),
            "--skip-performance-schema".to_owned(),
        ];
        arguments.extend(data_directory::user());
        arguments
    }

    fn data(&self) -> PathBuf {
        self.server.directory().join("data")
    }

    fn accounts(&self) -> PathBuf {
        self.server.directory().join("accounts.sql")
    }
}

/// Whether a server takes its administrator's password: who answers on this port may be another server, which was quicker
/// to take it.
async fn takes_password(administrator: Opts) -> bool {
    match Conn::new(administrator).await {
        Ok(connection) => connection.disconnect().await.is_ok(),
        Err(_) => false,
    }
}

async fn blocking(
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<()> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => Err(std::io::Error::other(panicked)),
    }
}
