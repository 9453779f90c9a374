//! The connection pool: never more database connections than the proxy's share, lent first come, first served.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    database_connection::{DatabaseConnection, Failure, Login},
    metrics::{Counted, Gauges},
    response::Response,
    state::State,
};

/// How long the proxy waits before it asks a database again that could not take one more connection.
const PAUSE: Duration = Duration::from_millis(20);

/// How often idle connections are looked for.
const RETIREMENT_CHECK: Duration = Duration::from_secs(10);

/// How long the database may take to notice, at the end, that its connections are closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How many connections there may be, and how long one is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open ones, idle or not.
    pub(crate) connections: usize,
    /// Of those that nobody used for [`idle_after`](Self::idle_after).
    pub(crate) idle_connections: usize,
    pub(crate) idle_after: Duration,
    pub(crate) borrow_timeout: Duration,
}

/// Why there was no connection to borrow.
#[derive(Debug)]
pub(crate) enum BorrowError {
    TimedOut,
    /// The database answered with this error packet.
    Refused(Vec<u8>),
}

#[derive(Debug)]
pub(crate) struct Pool {
    login: Login,
    limits: Limits,
    /// One for each connection that may be in use. Its queue is fair.
    permits: Arc<Semaphore>,
    open: Arc<AtomicUsize>,
    /// The one that was used last is the last.
    unused: Mutex<Vec<Unused>>,
    gauges: Gauges,
}

#[derive(Debug)]
struct Unused {
    connection: DatabaseConnection,
    place: Place,
    since: Instant,
}

/// A place among the connections that there may be.
#[derive(Debug)]
struct Place {
    open: Arc<AtomicUsize>,
    _counted: Counted,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that only its borrower uses. It is to be given back, as it is or undone.
#[derive(Debug)]
pub(crate) struct Borrowed {
    pub(crate) connection: DatabaseConnection,
    pool: Arc<Pool>,
    place: Place,
    // Given up last: whoever gets it next must find the connection, or the place for a new one.
    permit: OwnedSemaphorePermit,
    counted: Counted,
}

impl Pool {
    pub(crate) fn new(login: Login, limits: Limits, gauges: Gauges) -> Self {
        Self {
            login,
            limits,
            permits: Arc::new(Semaphore::new(limits.connections)),
            open: Arc::default(),
            unused: Mutex::default(),
            gauges,
        }
    }

    /// A connection in this state, once it is this borrower's turn. If the returned future is dropped, the connection that
    /// was meant for it goes to the pool.
    pub(crate) async fn borrow(self: &Arc<Self>, state: &State) -> Result<Borrowed, BorrowError> {
        let lending = async {
            // The semaphore is never closed: were it, nobody would wait any longer than for their turn.
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                return Err(BorrowError::TimedOut);
            };
            if let Some((connection, place)) = self.unused_in(|held| held == state) {
                return Ok(self.lend(connection, place, permit));
            }
            let (answer, answered) = oneshot::channel();
            // A task of its own: a connection half made counts in the database whether somebody waits for it or not.
            tokio::spawn(Arc::clone(self).provide(state.clone(), permit, answer));
            answered.await.unwrap_or(Err(BorrowError::TimedOut))
        };
        match timeout(self.limits.borrow_timeout, lending).await {
            Ok(lent) => lent,
            Err(_) => Err(BorrowError::TimedOut),
        }
    }

    async fn provide(
        self: Arc<Self>,
        state: State,
        permit: OwnedSemaphorePermit,
        answer: oneshot::Sender<Result<Borrowed, BorrowError>>,
    ) {
        let provided = loop {
            match self.connection_in(&state).await {
                Ok((connection, place)) => break Ok(self.lend(connection, place, permit)),
                Err(failure) if failure.passes() && !answer.is_closed() => sleep(PAUSE).await,
                Err(Failure::Refused(packet)) => break Err(BorrowError::Refused(packet)),
                Err(Failure::Io(_)) => break Err(BorrowError::TimedOut),
            }
        };
        if let Err(Ok(borrowed)) = answer.send(provided) {
            borrowed.give_back();
        }
    }

    /// A connection in this state, for one who has a permit: an unused one, or a new one, in place of an unused one if need
    /// be.
    async fn connection_in(&self, state: &State) -> Result<(DatabaseConnection, Place), Failure> {
        if let Some(found) = self.unused_in(|held| held == state) {
            return Ok(found);
        }
        let place = loop {
            if let Some(place) = self.place() {
                break place;
            }
            // Others use at most all but one: the last is unused, or just being given back.
            match self.unused_in(|_| true) {
                Some((connection, place)) => close(connection, (place,)).await,
                None => tokio::task::yield_now().await,
            }
        };
        let (connection, _) = DatabaseConnection::connect(&self.login, state).await?;
        Ok((connection, place))
    }

    /// An unused connection whose state is right, if there is one that is still alive.
    fn unused_in(&self, is_right: impl Fn(&State) -> bool) -> Option<(DatabaseConnection, Place)> {
        let mut unused = self.unused();
        while let Some(at) = unused
            .iter()
            .rposition(|unused| is_right(unused.connection.state()))
        {
            let Unused {
                connection, place, ..
            } = unused.remove(at);
            if connection.is_alive() {
                return Some((connection, place));
            }
        }
        None
    }

    fn place(&self) -> Option<Place> {
        let most = self.limits.connections;
        let one_more = |open| (open < most).then_some(open + 1);
        let taken = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok()?;
        let counted = self
            .gauges
            .count(|metrics| &mut metrics.database_connections);
        self.gauges.change(|metrics| {
            let peak = &mut metrics.peak_database_connections;
            *peak = metrics.database_connections.max(*peak);
        });
        Some(Place {
            open: Arc::clone(&self.open),
            _counted: counted,
        })
    }

    fn lend(
        self: &Arc<Self>,
        connection: DatabaseConnection,
        place: Place,
        permit: OwnedSemaphorePermit,
    ) -> Borrowed {
        Borrowed {
            connection,
            pool: Arc::clone(self),
            place,
            permit,
            counted: self
                .gauges
                .count(|metrics| &mut metrics.database_connections_currently_borrowed),
        }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Unused>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes idle connections that are too many, now and then, for ever.
    pub(crate) async fn retire(&self) {
        loop {
            sleep(RETIREMENT_CHECK).await;
            self.close_idle_connections().await;
        }
    }

    pub(crate) async fn close_idle_connections(&self) {
        for unused in self.idle_too_many() {
            close(unused.connection, (unused.place,)).await;
        }
    }

    fn idle_too_many(&self) -> Vec<Unused> {
        let mut unused = self.unused();
        // Sorted, for the one that was used last is the last.
        let idle =
            unused.partition_point(|unused| unused.since.elapsed() >= self.limits.idle_after);
        let too_many = idle.saturating_sub(self.limits.idle_connections);
        unused.drain(..too_many).collect()
    }

    /// Closes all connections that nobody uses, and returns when the database has noticed.
    pub(crate) async fn close(&self) {
        let unused = std::mem::take(&mut *self.unused());
        let closing: JoinSet<()> = unused
            .into_iter()
            .map(|unused| close(unused.connection, (unused.place,)))
            .collect();
        // Whatever it does not notice in time, it will.
        let _ = timeout(CLOSE_LIMIT, closing.join_all()).await;
    }
}

impl Borrowed {
    /// Gives it back as it is: in the state that it tells of, and no transaction open.
    pub(crate) fn give_back(self) {
        let Self {
            connection,
            pool,
            place,
            permit,
            counted,
        } = self;
        pool.unused().push(Unused {
            connection,
            place,
            since: Instant::now(),
        });
        drop((counted, permit));
    }

    /// Gives it back when what its borrower did not wait for is over, and what it left behind is undone.
    pub(crate) fn undo(mut self, under_way: Option<Response>) {
        tokio::spawn(async move {
            let undone = async {
                if let Some(response) = under_way {
                    self.connection.finish(response).await?;
                }
                self.connection.reset().await
            };
            match undone.await {
                Ok(()) => self.give_back(),
                Err(_) => self.close().await,
            }
        });
    }

    async fn close(self) {
        close(self.connection, (self.place, self.counted, self.permit)).await;
    }
}

/// Closes a connection, and gives up what it held when the database has noticed.
async fn close<H>(connection: DatabaseConnection, held: H) {
    connection.close().await;
    drop(held);
}
