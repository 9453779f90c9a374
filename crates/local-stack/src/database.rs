//! The database of a stack: a MariaDB of its own, or a server that runs already.

use std::{error, fmt, pin::Pin, sync::Arc};

use backends::mariadb::MariaDb;
use local_rds_proxy::RdsProxy;
use mysql_async::{Opts, UrlError};

use crate::{Error, template::ConnectionPool};

/// Where the database comes from, if the template has one.
#[derive(Clone, Debug, Default)]
pub struct DatabaseSettings {
    /// A server that runs already, in place of one of the stack's own: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: Option<String>,
    /// What a server of the stack's own is started with.
    pub server: backends::mariadb::Options,
    /// What is done to a server of the stack's own before the servers start that read it: they may fill a cache from it.
    pub prepare: Option<Prepare>,
    /// Whether a stack whose database can't be had is an error. Otherwise the functions that need it are left out.
    pub required: bool,
}

/// What fills a database, told its URL.
#[derive(Clone)]
pub struct Prepare(Arc<dyn Fn(String) -> Preparing + Send + Sync>);

type Preparing = Pin<Box<dyn Future<Output = Result<(), PrepareError>> + Send>>;

/// Why a database is not filled.
pub type PrepareError = Box<dyn error::Error + Send + Sync>;

impl Prepare {
    /// By this, which is given `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub fn with<F>(prepare: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), PrepareError>> + Send + 'static,
    {
        Self(Arc::new(move |url| Box::pin(prepare(url))))
    }

    pub(crate) async fn run(&self, database: &Database) -> Result<(), Error> {
        let prepared = (self.0)(database.url.clone()).await;
        prepared.map_err(Error::Prepare)
    }
}

impl fmt::Debug for Prepare {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Prepare")
    }
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
    // Before the server: its connections end first.
    proxy: Option<RdsProxy>,
    server: Option<MariaDb>,
}

impl Database {
    pub(crate) async fn start(
        options: backends::mariadb::Options,
    ) -> Result<Self, backends::Error> {
        let server = MariaDb::start(options).await?;
        Ok(Self {
            url: server.url(),
            address: server.address(),
            user: server.user().to_owned(),
            password: server.password().to_owned(),
            name: server.database().to_owned(),
            proxy: None,
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
            proxy: None,
            server: None,
        })
    }

    /// Starts a proxy in front of it.
    pub(crate) async fn start_proxy(
        &mut self,
        pool: &ConnectionPool,
    ) -> Result<(), local_rds_proxy::Error> {
        let (address, user, password) = (&*self.address, &*self.user, &*self.password);
        let settings = local_rds_proxy::Settings {
            max_connections_percent: pool.max_connections_percent,
            max_idle_connections_percent: pool.max_idle_connections_percent,
            borrow_timeout: pool.borrow_timeout,
            ..local_rds_proxy::Settings::new(address, user, password)
        };
        self.proxy = Some(RdsProxy::start(settings).await?);
        Ok(())
    }

    /// `HOST:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How to connect to it: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The stand-in for RDS Proxy in front of it, if the template has a proxy.
    pub fn proxy(&self) -> Option<&RdsProxy> {
        self.proxy.as_ref()
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
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("DATABASE_NAME", self.name.clone()),
            ("DATABASE_USER", self.user.clone()),
            ("DATABASE_PASSWORD", self.password.clone()),
        ]
    }

    pub(crate) async fn stop(self) -> Result<(), Error> {
        if let Some(proxy) = self.proxy {
            proxy.stop().await?;
        }
        if let Some(server) = self.server {
            server.stop().await?;
        }
        Ok(())
    }
}
