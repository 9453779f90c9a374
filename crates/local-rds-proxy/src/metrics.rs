//! The proxy's metrics, under the names that RDS Proxy has for them in CloudWatch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the proxy is doing, and how it did since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Clients that are connected now.
    pub client_connections: usize,
    /// Connections to the database that are open now, idle or not.
    pub database_connections: usize,
    /// The most of them that were open at a time.
    pub peak_database_connections: usize,
    /// The most of them that there may be.
    pub max_database_connections_allowed: usize,
    /// Those of them that a session has borrowed.
    pub database_connections_currently_borrowed: usize,
    /// Those of them that are borrowed until their session ends.
    pub database_connections_currently_session_pinned: usize,
    /// Clients that showed the right user and password.
    pub client_connections_setup_succeeded: u64,
    /// Clients that did not.
    pub client_connections_setup_failed_auth: u64,
    /// Commands sent on to the database.
    pub query_requests: u64,
    /// Sessions that were pinned.
    pub sessions_pinned: u64,
    /// Requests that found no database connection in time.
    pub borrow_timeouts: u64,
}

/// The metrics as they are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges(Arc<Mutex<Metrics>>);

impl Gauges {
    pub(crate) fn now(&self) -> Metrics {
        self.lock().clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Metrics)) {
        change(&mut self.lock());
    }

    /// Counts one more of what `gauge` selects, until the returned value is dropped.
    pub(crate) fn count(&self, gauge: fn(&mut Metrics) -> &mut usize) -> Counted {
        *gauge(&mut self.lock()) += 1;
        Counted {
            gauges: self.clone(),
            gauge,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those that are counted.
#[derive(Debug)]
pub(crate) struct Counted {
    gauges: Gauges,
    gauge: fn(&mut Metrics) -> &mut usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        *(self.gauge)(&mut self.gauges.lock()) -= 1;
    }
}
