//! Polls a queue and gathers what it gets into batches.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{BACKOFF, batch::Batch, metrics::Metrics, queue::Queue, record::Record};
use crate::{
    backoff::Backoff,
    sqs::{LONGEST_POLL, describe},
};

/// How often an empty queue is looked at in the last second of a batching window, which is too short for a long poll.
const SHORT_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The poller of one mapping.
#[derive(Debug)]
pub(super) struct Poller {
    queue: Arc<Queue>,
    batch_size: usize,
    batching_window: Duration,
    metrics: Arc<Metrics>,
    /// Received, and not in a batch yet.
    received: VecDeque<Record>,
    backoff: Backoff,
}

impl Poller {
    pub(super) fn new(
        queue: Arc<Queue>,
        batch_size: usize,
        batching_window: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            queue,
            batch_size,
            batching_window,
            metrics,
            received: VecDeque::new(),
            backoff: BACKOFF,
        }
    }

    /// The next batch; an empty one, if the queue was empty for as long as a long poll takes, or could not be asked.
    ///
    /// The batching window begins with the first record.
    pub(super) async fn batch(&mut self) -> Batch {
        // What did not fit the last batch may have waited for so long that others have it by now.
        let visible = self.queue.visibility_timeout;
        self.received
            .retain(|record| record.received_at.elapsed() < visible);
        if self.received.is_empty() {
            self.receive(self.batch_size, LONGEST_POLL).await;
        }
        let until = Instant::now() + self.batching_window;
        let mut batch = Batch::default();
        while batch.fill(&mut self.received, self.batch_size) && !batch.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let wait = Duration::from_secs(left.as_secs()).min(LONGEST_POLL);
            let room = self.batch_size - batch.len();
            self.receive(room, wait).await;
            if wait.is_zero() && self.received.is_empty() {
                tokio::time::sleep(left.min(SHORT_POLL_INTERVAL)).await;
            }
        }
        batch
    }

    /// One call. If it fails, a pause that gets longer each time: whoever is away will be back.
    async fn receive(&mut self, at_most: usize, wait: Duration) {
        self.metrics.count(|metrics| metrics.receive_calls += 1);
        match self.queue.receive(at_most, wait).await {
            Ok(records) => {
                self.backoff = BACKOFF;
                self.received.extend(records);
            }
            Err(error) => {
                if self.backoff.is_new() {
                    tracing::warn!(
                        error = describe(&error),
                        "a queue can't be polled: trying again"
                    );
                }
                tokio::time::sleep(self.backoff.pause()).await;
            }
        }
    }
}
