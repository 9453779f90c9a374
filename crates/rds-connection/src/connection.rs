//! Connections, in the time that there is.

use std::time::Duration;

use mysql_async::Conn;
use tokio::time::timeout;

use crate::{ConnectionSettings, Error, Question, ask};

impl ConnectionSettings {
    /// Opens a connection. Nothing is asked on it: the round trips are those of TCP, of TLS where it is used, and of
    /// authentication.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or lets nobody in.
    pub async fn connect(&self) -> Result<Conn, Error> {
        Conn::new(self.options()?).await.map_err(Error::Connect)
    }
}

/// What the future returns, or [`Error::TimedOut`] when it takes longer.
///
/// # Errors
///
/// Those of the future, and that one.
pub async fn within<T>(
    time: Duration,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(time, future).await.unwrap_or(Err(Error::TimedOut))
}

/// Connects, asks, and disconnects, all in the time that is left.
///
/// # Errors
///
/// When one of the first two fails, or takes longer.
pub async fn connect_and_ask<Q: Question>(
    settings: &ConnectionSettings,
    question: &Q,
    time_left: Duration,
) -> Result<Q::Answer, Error> {
    within(time_left, async {
        let mut connection = settings.connect().await?;
        let answer = ask(&mut connection, question).await?;
        // It is over anyway, whether or not the database hears of it.
        let _ = connection.disconnect().await;
        Ok(answer)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::testing::{Number, TestDatabase, limit_account, settings};

    const QUESTION: Number = Number(1);
    const TIME: Duration = Duration::from_secs(20);

    async fn database(max_connections: u32) -> TestDatabase {
        TestDatabase::with_connections(max_connections)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn nothing_is_sent_but_connect_query_and_quit() {
        let database = database(10).await;
        let settings = database.settings().unwrap();
        database.log().await.unwrap();
        let found = connect_and_ask(&settings, &QUESTION, TIME).await.unwrap();
        assert_eq!(found, 1);
        let mut administration = database.administration().await.unwrap();
        administration.until_at_most(0).await.unwrap();
        let log = database.log().await.unwrap();
        let commands: Vec<&str> = log.iter().map(|(command, _)| command.as_str()).collect();
        assert_eq!(commands, ["Connect", "Query", "Quit"], "{log:?}");
        assert_eq!(log[1].1, QUESTION.statement());
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_without_the_password() {
        let database = database(10).await;
        let mut variables = database.variables();
        variables[3].1 = "open-sesame".into();
        let settings = settings(&variables).unwrap();
        let error = connect_and_ask(&settings, &QUESTION, TIME)
            .await
            .unwrap_err();
        assert!(error.is_transient());
        let told = error.to_string();
        assert!(told.contains("Access denied for user"), "{told}");
        let shown = format!("{told} {error:?} {settings:?}");
        assert!(!shown.contains("open-sesame"), "{shown}");
    }

    #[tokio::test]
    async fn an_unknown_host_is_told() {
        let mut variables = database(10).await.variables();
        variables[0].1 = "database.invalid".into();
        let settings = settings(&variables).unwrap();
        let error = connect_and_ask(&settings, &QUESTION, TIME)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Connect(_)) && error.is_transient());
        assert!(error.to_string().contains("lookup"), "{error}");
    }

    #[tokio::test]
    async fn too_many_connections_are_told_from_other_errors() {
        let database = database(10).await;
        let settings = database.settings().unwrap();
        let mut open = Vec::new();
        let error = loop {
            match settings.connect().await {
                Ok(connection) => open.push(connection),
                Err(error) => break error,
            }
        };
        assert_eq!(open.len(), 10);
        assert!(
            error.is_too_many_connections() && error.is_transient(),
            "{error}"
        );
        for connection in open.drain(..) {
            connection.disconnect().await.unwrap();
        }

        limit_account(&database.server, 1).await.unwrap();
        let mut administration = database.administration().await.unwrap();
        administration.until_at_most(0).await.unwrap();
        let _open = settings.connect().await.unwrap();
        let error = settings.connect().await.unwrap_err();
        assert!(error.is_too_many_connections(), "{error}");

        let mut variables = database.variables();
        variables[0].1 = "127.0.0.1:1".into();
        let nobody = crate::testing::settings(&variables).unwrap();
        let error = nobody.connect().await.unwrap_err();
        assert!(
            !error.is_too_many_connections() && error.is_transient(),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_database_that_never_answers_is_given_up_when_time_is_up() {
        // Connections are made, by the kernel, and nobody takes them.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let variables = [
            ("DATABASE_HOST", silent.local_addr().unwrap().to_string()),
            ("DATABASE_NAME", "calls".into()),
            ("DATABASE_USER", "calls".into()),
            ("DATABASE_PASSWORD", "secret".into()),
        ];
        let settings = settings(&variables).unwrap();
        let since = Instant::now();
        let time = Duration::from_millis(300);
        let error = connect_and_ask(&settings, &QUESTION, time)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::TimedOut) && error.is_transient());
        assert!(since.elapsed() < TIME);
    }
}
