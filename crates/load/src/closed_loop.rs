//! Virtual users in a closed loop: each has one connection and sends its next request when it has its answer.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{Connection, Measurement, Target, measurement::Stopwatch};

/// When the loop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// After so many requests of all virtual users together.
    Requests(u64),
    /// After this time; requests under way are finished.
    For(Duration),
    /// After so many requests or after this time, whichever is first.
    AtMost(u64, Duration),
}

/// Runs `connections` virtual users against the target, from the moment when all are connected.
///
/// Calls `on_answer` after each request. The load runs on the runtime of the caller: give it a thread of its own
/// ([`crate::on_its_own_thread`]).
pub async fn closed_loop(
    target: Arc<Target>,
    connections: usize,
    work: Work,
    on_answer: impl Fn() + Send + Sync + 'static,
) -> Measurement {
    compiled_here(target, connections, work, Arc::new(on_answer)).await
}

/// The body of an async function is compiled where it is first polled. As a trait object it is so here, as fast as this
/// crate is.
fn compiled_here(
    target: Arc<Target>,
    connections: usize,
    work: Work,
    on_answer: Arc<dyn Fn() + Send + Sync>,
) -> Pin<Box<dyn Future<Output = Measurement> + Send>> {
    Box::pin(users(target, connections, work, on_answer))
}

async fn users(
    target: Arc<Target>,
    connections: usize,
    work: Work,
    on_answer: Arc<dyn Fn() + Send + Sync>,
) -> Measurement {
    let mut opening = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::new(Arc::clone(&target));
        opening.spawn(async move {
            // Whatever keeps it from opening fails its first request as well, and is counted there.
            let _ = connection.open().await;
            connection
        });
    }
    let opened = opening.join_all().await;

    let shared = Arc::new(Shared::default());
    let stopwatch = Stopwatch::start();
    let mut users = JoinSet::new();
    for mut connection in opened {
        let shared = Arc::clone(&shared);
        let on_answer = on_answer.clone();
        users.spawn(async move {
            let reconnects = connection.reconnects();
            while shared.claim(work, stopwatch.elapsed()) {
                let outcome = connection.request().await;
                shared.with(|all| all.record(stopwatch.elapsed(), outcome));
                on_answer();
            }
            shared.with(|all| all.reconnects += connection.reconnects() - reconnects);
        });
    }
    users.join_all().await;

    let mut measurement = shared.with(std::mem::take);
    stopwatch.stop(&mut measurement);
    measurement
}

#[derive(Default)]
struct Shared {
    claimed: AtomicU64,
    // Never contended: all virtual users are on one thread. One histogram serves any number of them.
    measurement: Mutex<Measurement>,
}

impl Shared {
    /// Takes the next request, if there is one left.
    fn claim(&self, work: Work, elapsed: Duration) -> bool {
        match work {
            Work::Requests(amount) => self.claim_of(amount),
            Work::For(time) => elapsed < time,
            Work::AtMost(amount, time) => elapsed < time && self.claim_of(amount),
        }
    }

    fn claim_of(&self, amount: u64) -> bool {
        self.claimed.fetch_add(1, Ordering::Relaxed) < amount
    }

    fn with<T>(&self, change: impl FnOnce(&mut Measurement) -> T) -> T {
        change(
            &mut self
                .measurement
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}
