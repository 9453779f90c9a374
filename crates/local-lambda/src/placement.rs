//! Who gets the next event: the most recently used idle environment of a function, or a new one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::environment::Environment;

/// The environments of one function.
#[derive(Debug)]
pub(crate) struct Environments {
    /// Bounds how many events are in flight: each has an environment to itself.
    concurrency: Arc<Semaphore>,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    /// The last is the most recently used.
    idle: Vec<(Arc<Environment>, Instant)>,
    all: Vec<Arc<Environment>>,
}

impl Environments {
    /// `concurrency` may be shared with other functions: the account's unreserved concurrency is.
    pub(crate) fn new(concurrency: Arc<Semaphore>) -> Self {
        Self {
            concurrency,
            pool: Mutex::default(),
        }
    }

    /// A place within the concurrency limit, or `None`: throttled.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.concurrency.clone().try_acquire_owned().ok()
    }

    /// Takes the most recently used idle environment.
    pub(crate) fn take_idle(&self) -> Option<Arc<Environment>> {
        self.lock().idle.pop().map(|(environment, _)| environment)
    }

    /// Counts in an environment that has just started.
    pub(crate) fn started(&self, environment: Arc<Environment>) {
        self.lock().all.push(environment);
    }

    /// Gives an environment back after its event.
    pub(crate) fn idle(&self, environment: Arc<Environment>) {
        self.lock().idle.push((environment, Instant::now()));
    }

    /// Takes out the environments that have been idle for as long as `idle_for`, and forgets those that ended.
    pub(crate) fn take_retired(&self, idle_for: Duration) -> Vec<Arc<Environment>> {
        let pool = &mut *self.lock();
        let retired = pool
            .idle
            .extract_if(.., |(_, since)| since.elapsed() >= idle_for)
            .map(|(environment, _)| environment);
        let retired: Vec<_> = retired.collect();
        pool.all.retain(|environment| {
            environment.process_id().is_some()
                && !retired.iter().any(|gone| Arc::ptr_eq(gone, environment))
        });
        retired
    }

    /// Takes out every environment, busy ones too.
    pub(crate) fn take_all(&self) -> Vec<Arc<Environment>> {
        let pool = &mut *self.lock();
        pool.idle.clear();
        std::mem::take(&mut pool.all)
    }

    /// The running processes.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        self.lock()
            .all
            .iter()
            .filter_map(|environment| environment.process_id())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
