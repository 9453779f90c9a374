//! For tests: a MariaDB of their own, and what was sent to it.

use backends::{
    Error,
    mariadb::{Administration, MariaDb, Options},
};
use environment::MissingVariable;
use mysql_async::{Row, prelude::Queryable};

use crate::{ConnectionSettings, Question, SettingsError};

/// A database with nothing in it.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its server.
    pub server: MariaDb,
}

impl TestDatabase {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When the server cannot be started.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let server = MariaDb::start(options).await?;
        Ok(Self { server })
    }

    /// Starts a server with so many connections at most.
    ///
    /// # Errors
    ///
    /// When the server cannot be started.
    pub async fn with_connections(max_connections: u32) -> Result<Self, Error> {
        Self::start(Options {
            max_connections,
            ..Options::default()
        })
        .await
    }

    /// The variables of a program that uses it.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_HOST", self.server.address()),
            ("DATABASE_NAME", self.server.database().to_owned()),
            ("DATABASE_USER", self.server.user().to_owned()),
            ("DATABASE_PASSWORD", self.server.password().to_owned()),
        ]
    }

    /// The settings of a program that uses it.
    ///
    /// # Errors
    ///
    /// None that is known of.
    pub fn settings(&self) -> Result<ConnectionSettings, SettingsError> {
        settings(&self.variables())
    }

    /// What was sent since [`log`](Self::log) was last called: the command and its argument.
    ///
    /// # Errors
    ///
    /// When the server does not run.
    pub async fn log(&self) -> Result<Vec<(String, String)>, Error> {
        let mut administration = self.administration().await?;
        let connection = administration.connection();
        let query = format!(
            "SELECT command_type, argument FROM mysql.general_log WHERE user_host LIKE '%{}%' ORDER BY event_time",
            self.server.user()
        );
        let log = connection.query(query).await?;
        for statement in [
            "SET GLOBAL general_log = OFF",
            "TRUNCATE mysql.general_log",
            "SET GLOBAL log_output = 'TABLE'",
            "SET GLOBAL general_log = ON",
        ] {
            connection.query_drop(statement).await?;
        }
        Ok(log)
    }

    /// A connection that takes no place among those of the users.
    ///
    /// # Errors
    ///
    /// When the server does not run.
    pub async fn administration(&self) -> Result<Administration, Error> {
        self.server.administration().await
    }
}

/// The settings from these variables and nothing else.
///
/// # Errors
///
/// When one is missing or not as it should be.
pub fn settings(variables: &[(&'static str, String)]) -> Result<ConnectionSettings, SettingsError> {
    ConnectionSettings::from_variables(|name| {
        let variable = variables.iter().find(|(set, _)| *set == name);
        variable
            .map(|(_, value)| value.clone())
            .ok_or(MissingVariable(name))
    })
}

/// Lets the users' account have so many connections at a time.
///
/// # Errors
///
/// When the server does not run.
pub async fn limit_account(server: &MariaDb, connections: u32) -> Result<(), Error> {
    let user = server.user();
    let limit = format!("ALTER USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS {connections}");
    let mut administration = server.administration().await?;
    Ok(administration.connection().query_drop(limit).await?)
}

/// Asks the database for a number that it is told.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub u64);

impl Question for Number {
    type Answer = u64;

    fn statement(&self) -> String {
        format!("SELECT {}", self.0)
    }

    fn answer(&self, mut rows: Vec<Row>) -> Result<u64, crate::Error> {
        let number = rows.pop().and_then(|mut row| row.take(0));
        number.ok_or(crate::Error::Row)
    }
}
