//! A server's connections: no more than it may have, and no more waiting for one than can have it soon.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mysql_async::Conn;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tracing::info;

use crate::{ConnectionSettings, Database, Error, Question, ask, within};

/// How long a question waits for a connection. Longer than a database that keeps up needs, and short enough that whoever is
/// told to come back later is told at once.
const WAIT: Duration = Duration::from_millis(250);
/// How many may wait for each connection: what a database that answers in 4 ms has done in [`WAIT`] is twice as much.
const WAITING: usize = 32;

/// A pool of connections. Each is opened when it is needed, and closed when it has failed.
#[derive(Debug)]
pub struct Pool {
    settings: ConnectionSettings,
    room: Semaphore,
    /// The connection that was used last is used next: those of a quiet time stay closed or idle.
    idle: Mutex<Vec<Conn>>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl Pool {
    /// Of so many connections at most, at least one. None is open yet.
    #[must_use]
    pub fn new(settings: ConnectionSettings, connections: usize) -> Self {
        let connections = connections.max(1);
        Self {
            settings,
            room: Semaphore::new(connections),
            idle: Mutex::default(),
            waiting: AtomicUsize::new(0),
            most_waiting: connections.saturating_mul(WAITING),
        }
    }

    /// The right to use one connection.
    async fn enter(&self, time_left: Duration) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.room.try_acquire() {
            return Ok(permit);
        }
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            return Err(Error::Busy);
        }
        let waited = timeout(WAIT.min(time_left), self.room.acquire()).await;
        drop(place);
        waited.ok().and_then(Result::ok).ok_or(Error::Busy)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks on a connection and keeps it, unless it fails.
    async fn ask_on<Q: Question>(
        &self,
        mut connection: Conn,
        question: &Q,
    ) -> Result<Q::Answer, Error> {
        let answer = ask(&mut connection, question).await?;
        self.idle().push(connection);
        Ok(answer)
    }
}

impl Database for Pool {
    /// On a connection that is idle, or else on a new one. Where there are too many questions, [`Error::Busy`] within a
    /// quarter of a second.
    async fn ask<Q: Question>(
        &self,
        question: &Q,
        time_left: Duration,
    ) -> Result<Q::Answer, Error> {
        within(time_left, async {
            let _permit = self.enter(time_left).await?;
            let idle = self.idle().pop();
            if let Some(connection) = idle {
                // Half the time: a connection may be dead without a sign of it.
                match within(time_left / 2, self.ask_on(connection, question)).await {
                    Ok(answer) => return Ok(answer),
                    // Whatever it is: reading is safe to repeat, and a new connection knows better.
                    Err(error) => info!(%error, "a connection is replaced"),
                }
            }
            let connection = self.settings.connect().await?;
            self.ask_on(connection, question).await
        })
        .await
    }
}

/// A place among those who wait, given back however the waiting ends.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backends::mariadb::Options;
    use mysql_async::Row;
    use tokio::{task::JoinSet, time::Instant};

    use super::*;
    use crate::testing::{Number, TestDatabase};

    const QUESTION: Number = Number(1);
    const TIME: Duration = Duration::from_secs(20);

    /// A question that takes so many milliseconds.
    struct Slow(u32);

    impl Question for Slow {
        type Answer = ();

        fn statement(&self) -> String {
            format!("SELECT SLEEP({}e-3)", self.0)
        }

        fn answer(&self, _: Vec<Row>) -> Result<(), Error> {
            Ok(())
        }
    }

    async fn pool(connections: usize) -> (TestDatabase, Arc<Pool>) {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let pool = Pool::new(database.settings().unwrap(), connections);
        (database, Arc::new(pool))
    }

    #[tokio::test]
    async fn questions_one_after_the_other_share_one_connection() {
        let (database, pool) = pool(10).await;
        database.log().await.unwrap();
        for _ in 0..100 {
            assert_eq!(pool.ask(&QUESTION, TIME).await.unwrap(), 1);
        }
        let log = database.log().await.unwrap();
        let connects = log.iter().filter(|(command, _)| command == "Connect");
        assert_eq!((connects.count(), log.len()), (1, 1 + 100));
    }

    #[tokio::test]
    async fn there_are_never_more_connections_than_there_may_be() {
        let (database, pool) = pool(3).await;
        let mut administration = database.administration().await.unwrap();
        administration.forget_most_connections().await.unwrap();
        let mut asking = JoinSet::new();
        for _ in 0..30 {
            let pool = pool.clone();
            asking.spawn(async move { pool.ask(&Slow(5), TIME).await });
        }
        asking.join_all().await;
        assert_eq!(administration.most_connections().await.unwrap(), 3);
    }

    #[tokio::test]
    async fn who_finds_too_many_waiting_is_told_at_once_and_who_waits_too_long_soon() {
        let (_database, pool) = pool(1).await;
        let since = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..1 + WAITING + 10 {
            let pool = pool.clone();
            asking.spawn(async move { (pool.ask(&Slow(3_000), TIME).await, since.elapsed()) });
        }
        let mut told = Vec::new();
        while told.len() < WAITING + 10 {
            let (answer, after) = asking.join_next().await.unwrap().unwrap();
            assert!(matches!(answer, Err(Error::Busy)), "{answer:?}");
            told.push(after);
        }
        assert!(told[9] < WAIT && told[10] >= WAIT, "{told:?}");
        assert!(told[WAITING + 9] < Duration::from_millis(3_000), "{told:?}");
        asking.join_next().await.unwrap().unwrap().0.unwrap();
        // Nobody waits any more.
        assert_eq!(pool.ask(&QUESTION, TIME).await.unwrap(), 1);
        assert_eq!(pool.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn connections_that_were_killed_are_replaced_without_a_failure() {
        let (mut database, pool) = pool(4).await;
        for _ in 0..2 {
            let mut asking = JoinSet::new();
            for _ in 0..20 {
                let pool = pool.clone();
                asking.spawn(async move { pool.ask(&QUESTION, TIME).await });
            }
            for answer in asking.join_all().await {
                assert_eq!(answer.unwrap(), 1);
            }
            database.server.kill().await.unwrap();
            let error = pool.ask(&QUESTION, TIME).await.unwrap_err();
            assert!(error.is_transient(), "{error}");
            database.server.restart().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_question_that_takes_too_long_ends_and_its_connection_with_it() {
        let (_database, pool) = pool(1).await;
        let error = pool
            .ask(&Slow(60_000), Duration::from_millis(200))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::TimedOut), "{error}");
        assert!(pool.idle().is_empty());
        // Its answer is nobody's.
        assert_eq!(pool.ask(&Number(7), TIME).await.unwrap(), 7);
    }
}
