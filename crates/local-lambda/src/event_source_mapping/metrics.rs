//! What a mapping has done.

use std::sync::{Mutex, PoisonError};

/// What an event source mapping has done so far. Each delivery of a message is a record of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSourceMetrics {
    /// Invocations: batches that reached the function.
    pub invocations: u64,
    /// Records in these batches.
    pub records: u64,
    /// Those of them that had been received before (`ApproximateReceiveCount` above 1).
    pub redelivered: u64,
    /// Records of failed invocations, and those that partial batch responses named.
    pub failed: u64,
    /// Records that were done and deleted from the queue.
    pub deleted: u64,
    /// Attempts to invoke the function that were throttled.
    pub throttles: u64,
    /// The most batches that were in flight at once.
    pub peak_concurrency: u64,
    /// `ReceiveMessage` calls, those on an empty queue included: SQS has a price for each.
    pub receive_calls: u64,
    /// `DeleteMessageBatch` calls, of up to ten records each.
    pub delete_calls: u64,
}

impl EventSourceMetrics {
    /// Records an invocation, or `None` before the first one.
    pub fn mean_batch_size(&self) -> Option<f64> {
        (self.invocations > 0).then(|| self.records as f64 / self.invocations as f64)
    }
}

#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<EventSourceMetrics>);

impl Metrics {
    pub(super) fn count(&self, change: impl FnOnce(&mut EventSourceMetrics)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn so_far(&self) -> EventSourceMetrics {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
