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
