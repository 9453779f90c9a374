//! The database of a stack: a MariaDB of its own, or a server that runs already.

use mariadb::MariaDb;
use mysql_async::{Opts, UrlError};

/// Where the database comes from, if the template has one.
#[derive(Clone, Debug, Default)]
pub struct DatabaseSettings {
    /// A server that runs already, in place of one of the stack's own: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: Option<String>,
    /// What a server of the stack's own is started with.
    pub server: mariadb::Options,
    /// Whether a stack whose database can't be had is an error. Otherwise the functions that need it are left out.
    pub required: bool,
}

/// Why a URL leads to no database.
#[derive(Debug, thiserror::Error)]
pub enum UrlFault {
    /// It can't be understood.
    #[error("{0}")]
    Malformed(#[from] UrlError),
    /// It lacks something.
    #[error("it has no {0}")]
    Incomplete(&'static str),
}

/// The database of a running stack.
#[derive(Debug)]
pub struct Database {
    url: String,
    address: String,
    user: String,
    password: String,
    name: String,
    server: Option<MariaDb>,
}

impl Database {
    pub(crate) async fn start(options: mariadb::Options) -> Result<Self, mariadb::Error> {
        let server = MariaDb::start(options).await?;
        Ok(Self {
            url: server.url(),
            address: server.address(),
            user: server.user().to_owned(),
            password: server.password().to_owned(),
            name: server.database().to_owned(),
            server: Some(server),
        })
    }

    pub(crate) fn at(url: &str) -> Result<Self, UrlFault> {
        let options = Opts::from_url(url)?;
        let part =
            |what, part: Option<&str>| part.map(str::to_owned).ok_or(UrlFault::Incomplete(what));
        Ok(Self {
            url: url.to_owned(),
            address: format!("{}:{}", options.ip_or_hostname(), options.tcp_port()),
            user: part("user", options.user())?,
            // Without one, the functions would ask for a token of IAM, which such a server knows nothing of.
            password: part("password", options.pass())?,
            name: part("database", options.db_name())?,
            server: None,
        })
    }

    /// `HOST:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How to connect to it: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server, if it is the stack's own.
    pub fn server(&self) -> Option<&MariaDb> {
        self.server.as_ref()
    }

    /// The server, to kill and restart it.
    pub fn server_mut(&mut self) -> Option<&mut MariaDb> {
        self.server.as_mut()
    }

    /// The variables that lead functions to it, but for `DATABASE_HOST`: that may be the proxy's.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("DATABASE_NAME", self.name.clone()),
            ("DATABASE_USER", self.user.clone()),
            ("DATABASE_PASSWORD", self.password.clone()),
        ]
    }

    pub(crate) async fn stop(self) -> Result<(), mariadb::Error> {
        match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}
