//! A connection that is kept from one invocation to the next: opened in the init phase, replaced when it is dead, and given
//! up when others need it more.
//!
//! An execution environment is frozen between invocations, so nothing happens in the background: what is to be known about
//! the connection is found out by using it.

use std::time::Duration;

use mysql_async::Conn;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tracing::{info, warn};

use crate::{
    ConnectionSettings, Database, Error, Limits, Question, ask, ask_and,
    backoff::{Backoff, stand_back},
    idle::Sweep,
    utilisation::{QUESTION, Watch},
    within,
};

/// How long the init phase may wait for the database. Without a connection, the first invocation opens one.
const TO_OPEN: Duration = Duration::from_secs(1);

/// The connection of one execution environment.
#[derive(Debug)]
pub struct KeptConnection {
    settings: ConnectionSettings,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    connection: Option<Conn>,
    watch: Watch,
    sweep: Sweep,
}

impl KeptConnection {
    /// None is open yet.
    #[must_use]
    pub fn new(settings: ConnectionSettings, limits: Limits) -> Self {
        Self {
            settings,
            kept: Mutex::new(Kept {
                connection: None,
                watch: Watch::new(limits.max_utilisation, Instant::now()),
                sweep: Sweep::new(limits.max_idle),
            }),
        }
    }

    /// Opens the connection and tries it with a question, and keeps it unless too many are kept already. For the init phase: a
    /// database that is away is news for the log, and nothing else.
    pub async fn open<Q: Question>(&self, first: &Q) {
        let opened = within(TO_OPEN, async {
            let mut kept = self.kept.lock().await;
            let connection = self.settings.connect().await?;
            kept.ask(connection, first).await
        })
        .await;
        if let Err(error) = opened {
            warn!(%error, "no connection was opened in the init phase");
        }
    }

    /// Whether there is a connection that the next question goes to.
    pub async fn is_open(&self) -> bool {
        self.kept.lock().await.connection.is_some()
    }
}

impl Database for KeptConnection {
    /// In one round trip on the connection that was kept, or else on a new one.
    async fn ask<Q: Question>(
        &self,
        question: &Q,
        time_left: Duration,
    ) -> Result<Q::Answer, Error> {
        let deadline = Instant::now() + time_left;
        within(time_left, async {
            let mut kept = self.kept.lock().await;
            if let Some(connection) = kept.connection.take() {
                // Half the time: a connection may be dead without a sign of it.
                match within(time_left / 2, kept.ask(connection, question)).await {
                    Ok(answer) => return Ok(answer),
                    // Whatever it is: reading is safe to repeat, and a new connection knows better.
                    Err(error) => info!(%error, "the connection is replaced"),
                }
            }
            let connection = kept.connect(&self.settings, deadline).await?;
            kept.ask(connection, question).await
        })
        .await
    }
}

impl Kept {
    /// Connects, as soon as there is a connection to be had. When there is none until the deadline, the error says so.
    async fn connect(
        &mut self,
        settings: &ConnectionSettings,
        deadline: Instant,
    ) -> Result<Conn, Error> {
        if self.watch.is_contended() {
            sleep(stand_back()).await;
        }
        let mut backoff = Backoff::new();
        loop {
            let error = match settings.connect().await {
                Err(error) if error.is_too_many_connections() => error,
                result => return result,
            };
            self.watch.refused(Instant::now());
            let wait = backoff.next();
            if Instant::now() + wait >= deadline {
                return Err(error);
            }
            sleep(wait).await;
        }
    }

    /// Asks the question, and now and then how many connections there are. Where it is crowded, the connection is closed
    /// after that; one that fails, always.
    async fn ask<Q: Question>(
        &mut self,
        mut connection: Conn,
        question: &Q,
    ) -> Result<Q::Answer, Error> {
        let answer = if self.watch.is_due(Instant::now()) {
            let (answer, about) = ask_and(&mut connection, question, QUESTION).await?;
            self.watch.answered(&about, Instant::now());
            answer
        } else {
            ask(&mut connection, question).await?
        };
        if !self.watch.is_crowded() {
            self.connection = Some(connection);
        } else if self.sweep.run(&mut connection).await.is_ok() {
            // It is over anyway, whether or not the database hears of it.
            let _ = connection.disconnect().await;
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backends::mariadb::Options;
    use tokio::{
        io::copy_bidirectional,
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    use super::*;
    use crate::testing::{Number, TestDatabase, settings};

    const QUESTION: Number = Number(1);
    const TIME: Duration = Duration::from_secs(20);

    async fn database(max_connections: u32) -> TestDatabase {
        TestDatabase::with_connections(max_connections)
            .await
            .unwrap()
    }

    /// The connection of another environment.
    fn environment(database: &TestDatabase) -> KeptConnection {
        KeptConnection::new(database.settings().unwrap(), Limits::default())
    }

    async fn id(connection: &KeptConnection) -> Result<u64, Error> {
        connection.ask(&QUESTION, TIME).await
    }

    #[tokio::test]
    async fn an_invocation_is_one_query_on_the_connection_of_the_init_phase() {
        let database = database(10).await;
        database.log().await.unwrap();
        let environment = environment(&database);
        environment.open(&QUESTION).await;
        for _ in 0..100 {
            assert_eq!(id(&environment).await.unwrap(), 1);
        }
        let log = database.log().await.unwrap();
        let count = |what: &str| log.iter().filter(|(it, _)| it == what).count();
        assert_eq!(count("Connect"), 1);
        let watched = log
            .iter()
            .filter(|(_, text)| text.contains("Threads_connected"));
        let watched = watched.count();
        // Once in the init phase; the rest took seconds if this machine is very slow.
        assert!((1..=10).contains(&watched), "asked {watched} times");
        // That one alone; any other goes along with a query.
        assert_eq!(count("Query"), 100 + 1);
        assert_eq!(log.len(), 1 + 100 + 1);
    }

    #[tokio::test]
    async fn a_database_that_is_away_does_not_keep_an_environment_from_starting() {
        let mut database = database(10).await;
        database.server.kill().await.unwrap();
        let environment = environment(&database);
        environment.open(&QUESTION).await;
        let error = id(&environment).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        database.server.restart().await.unwrap();
        assert_eq!(id(&environment).await.unwrap(), 1);
        assert!(environment.is_open().await);
    }

    #[tokio::test]
    async fn a_connection_that_was_killed_is_replaced_in_the_same_invocation() {
        let database = database(10).await;
        let environment = environment(&database);
        environment.open(&QUESTION).await;
        let mut administration = database.administration().await.unwrap();
        for _ in 0..3 {
            administration.kill_connections().await.unwrap();
            assert_eq!(id(&environment).await.unwrap(), 1);
            assert!(environment.is_open().await);
        }
    }

    #[tokio::test]
    async fn a_database_that_was_killed_and_restarted_fails_no_invocation() {
        let mut database = database(10).await;
        let environment = environment(&database);
        environment.open(&QUESTION).await;
        for _ in 0..2 {
            database.server.kill().await.unwrap();
            database.server.restart().await.unwrap();
            assert_eq!(id(&environment).await.unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_idle_for_too_long_is_replaced_in_the_same_invocation() {
        let options = Options {
            wait_timeout: Duration::from_secs(2),
            ..Options::default()
        };
        let database = TestDatabase::start(options).await.unwrap();
        let environment = environment(&database);
        environment.open(&QUESTION).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(id(&environment).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_connection_that_is_dead_without_a_sign_of_it_is_replaced_in_the_same_invocation() {
        let database = database(10).await;
        // Like a gateway that has forgotten the connection: it stays open, and nothing comes through.
        let gateway = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut variables = database.variables();
        variables[0].1 = gateway.local_addr().unwrap().to_string();
        let server = database.server.address();
        let relays = tokio::spawn(async move {
            let mut relays = Vec::new();
            let mut streams = Vec::new();
            loop {
                let (client, _) = gateway.accept().await.unwrap();
                let server = TcpStream::connect(&server).await.unwrap();
                let streams_of = Arc::new(Mutex::new((client, server)));
                streams.push(Arc::clone(&streams_of));
                relays.iter().for_each(tokio::task::JoinHandle::abort);
                relays.push(tokio::spawn(async move {
                    let (client, server) = &mut *streams_of.lock().await;
                    let _ = copy_bidirectional(client, server).await;
                }));
            }
        });
        let settings = settings(&variables).unwrap();
        let environment = KeptConnection::new(settings, Limits::default());
        environment.open(&QUESTION).await;
        assert!(environment.is_open().await);
        // The gateway forgets the connection when there is another.
        let another = TcpStream::connect(&variables[0].1).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let time = Duration::from_secs(3);
        assert_eq!(environment.ask(&QUESTION, time).await.unwrap(), 1);
        drop(another);
        relays.abort();
    }

    #[tokio::test]
    async fn where_there_are_too_many_connections_an_invocation_waits_for_one() {
        let database = database(10).await;
        let environment = environment(&database);
        let settings = database.settings().unwrap();
        let mut others = Vec::new();
        while let Ok(other) = settings.connect().await {
            others.push(other);
        }
        assert_eq!(others.len(), 10);
        // Its failure is ignored.
        environment.open(&QUESTION).await;
        assert!(!environment.is_open().await);

        let time = Duration::from_millis(300);
        let since = Instant::now();
        let error = environment.ask(&QUESTION, time).await.unwrap_err();
        assert!(error.is_too_many_connections(), "{error}");
        assert!(since.elapsed() < TIME);

        let waits = id(&environment);
        let leaves = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            others.pop().unwrap().disconnect().await.unwrap();
        };
        let (id, ()) = tokio::join!(waits, leaves);
        assert_eq!(id.unwrap(), 1);
        assert!(!environment.is_open().await);
    }

    #[tokio::test]
    async fn where_it_is_crowded_a_connection_is_not_kept() {
        let database = database(10).await;
        let settings = database.settings().unwrap();
        let mut others = Vec::new();
        for _ in 0..8 {
            others.push(settings.connect().await.unwrap());
        }
        let ninth = environment(&database);
        ninth.open(&QUESTION).await;
        assert!(!ninth.is_open().await);
        assert_eq!(id(&ninth).await.unwrap(), 1);
        assert!(!ninth.is_open().await);

        others.pop().unwrap().disconnect().await.unwrap();
        // After the interval at the latest, it sees that it is not crowded any more.
        let since = Instant::now();
        while !ninth.is_open().await {
            assert_eq!(id(&ninth).await.unwrap(), 1);
            assert!(since.elapsed() < TIME);
        }
    }

    #[tokio::test]
    async fn where_it_is_crowded_idle_connections_of_others_are_closed() {
        let database = database(10).await;
        let mut frozen = Vec::new();
        for _ in 0..9 {
            frozen.push(database.settings().unwrap().connect().await.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let limits = Limits {
            max_idle: 1,
            ..Limits::default()
        };
        let living = KeptConnection::new(database.settings().unwrap(), limits);
        let mut administration = database.administration().await.unwrap();
        let since = Instant::now();
        while administration.connections().await.unwrap() > 2 {
            assert_eq!(id(&living).await.unwrap(), 1);
            assert!(since.elapsed() < TIME);
        }
    }

    #[tokio::test]
    async fn many_more_environments_than_connections_share_them() {
        let database = database(20).await;
        let mut environments = JoinSet::new();
        for _ in 0..100 {
            let environment = environment(&database);
            environments.spawn(async move {
                environment.open(&QUESTION).await;
                for _ in 0..20 {
                    assert_eq!(id(&environment).await.unwrap(), 1);
                }
            });
        }
        environments.join_all().await;
    }
}
