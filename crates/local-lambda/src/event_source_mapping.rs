//! Event source mappings: Lambda's pollers, which read messages off a queue and invoke a function with batches of them.
//!
//! What the function has done is deleted. What it has not done stays in the queue, and becomes visible again when the
//! queue's visibility timeout is over: nothing here changes that time, and the queue itself counts the attempts and moves
//! a message to its dead-letter queue.

mod batch;
mod batch_response;
mod metrics;
mod poller;
mod queue;
mod record;
mod scaling;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_sqs::Client;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

pub use self::metrics::EventSourceMetrics;
use self::{
    batch::Batch,
    metrics::Metrics,
    poller::Poller,
    queue::{MESSAGES_PER_CALL, Queue},
    record::Record,
    scaling::{Scaling, Slot},
};
use crate::{
    backoff::Backoff,
    host::Host,
    invocation::{Invocation, InvokeError},
};

/// Between attempts at a queue, or at a function that is throttled.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// How long batches in flight may go on once a mapping stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// A queue as the source of a function's events, with the settings that Lambda has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqsEventSource {
    /// The queue's ARN.
    pub queue_arn: String,
    /// `BatchSize`: the most records in a batch, 1 to 10,000.
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: how long records are gathered before the function is invoked.
    pub batching_window: Duration,
    /// `MaximumConcurrency`: the most batches in flight at once, 2 to 1000.
    pub maximum_concurrency: Option<usize>,
    /// `ReportBatchItemFailures`: the function's response names the records that failed.
    pub report_batch_item_failures: bool,
}

/// Why a mapping can't be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such function.
    #[error("an event source mapping leads to function {0}, which does not exist")]
    NoFunction(String),
    /// It is not the ARN of a queue.
    #[error("{0:?} is not the ARN of a queue")]
    NoArn(String),
    /// The queue can't be asked, or does not exist.
    #[error("queue {queue} can't be used: {cause}")]
    Queue {
        /// Its ARN.
        queue: String,
        /// What SQS said.
        cause: String,
    },
    /// Lambda would not take these settings.
    #[error("the event source mapping of queue {queue} can't be: {cause}")]
    Settings {
        /// Its ARN.
        queue: String,
        /// What is wrong with them.
        cause: String,
    },
}

impl SqsEventSource {
    /// What Lambda refuses (Lambda API reference, `CreateEventSourceMapping`).
    fn check(&self) -> Result<(), Error> {
        let fifo = self.queue_arn.ends_with(".fifo");
        let cause = if !(1..=10_000).contains(&self.batch_size) {
            "a batch has 1 to 10,000 records"
        } else if self.batching_window > Duration::from_secs(300) {
            "a batching window has at most 300 seconds"
        } else if self
            .maximum_concurrency
            .is_some_and(|maximum| !(2..=1000).contains(&maximum))
        {
            "a maximum concurrency is 2 to 1000"
        } else if fifo && (self.batch_size > MESSAGES_PER_CALL || !self.batching_window.is_zero()) {
            "from a FIFO queue, a batch has at most 10 records and no batching window"
        } else if self.batch_size > MESSAGES_PER_CALL && self.batching_window.is_zero() {
            "batches of more than 10 records need a batching window of at least one second"
        } else {
            return Ok(());
        };
        Err(self.refused(cause))
    }

    fn refused(&self, cause: impl Into<String>) -> Error {
        Error::Settings {
            queue: self.queue_arn.clone(),
            cause: cause.into(),
        }
    }
}

/// A running mapping. Dropping it ends it at once; its messages in flight become visible again.
#[derive(Debug)]
pub struct EventSourceMapping {
    source: SqsEventSource,
    shared: Arc<Shared>,
    /// Stops polling when it goes.
    polling: Option<oneshot::Sender<Infallible>>,
    running: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// The last one counts; the first is the mapping's own.
    hosts: Mutex<Vec<Host>>,
    function: String,
    queue: Arc<Queue>,
    report_batch_item_failures: bool,
    metrics: Arc<Metrics>,
}

impl EventSourceMapping {
    /// Starts polling. Must be called within a Tokio runtime, on which the mapping then runs.
    pub async fn start(
        host: Host,
        function: &str,
        source: SqsEventSource,
        sqs: Client,
    ) -> Result<Self, Error> {
        source.check()?;
        let timeout = host
            .timeout(function)
            .ok_or_else(|| Error::NoFunction(function.to_owned()))?;
        let queue = Arc::new(Queue::find(sqs, &source.queue_arn).await?);
        if queue.visibility_timeout < timeout {
            return Err(source.refused(format!(
                "queue visibility timeout: {} seconds is less than function timeout: {} seconds",
                queue.visibility_timeout.as_secs_f64(),
                timeout.as_secs_f64()
            )));
        }
        let metrics = Arc::<Metrics>::default();
        let poller = Poller::new(
            queue.clone(),
            source.batch_size,
            source.batching_window,
            metrics.clone(),
        );
        let shared = Arc::new(Shared {
            hosts: Mutex::new(vec![host]),
            function: function.to_owned(),
            queue,
            report_batch_item_failures: source.report_batch_item_failures,
            metrics,
        });
        let (polling, stopped) = oneshot::channel();
        let scaling = Scaling::new(source.maximum_concurrency);
        let running = tokio::spawn(run(shared.clone(), poller, scaling, stopped));
        Ok(Self {
            source,
            shared,
            polling: Some(polling),
            running,
        })
    }

    /// The function that it invokes.
    pub fn function(&self) -> &str {
        &self.shared.function
    }

    /// The queue that it polls, and how.
    pub fn source(&self) -> &SqsEventSource {
        &self.source
    }

    /// The URL of the queue that it polls.
    pub fn queue_url(&self) -> &str {
        &self.shared.queue.url
    }

    /// What it has done so far.
    pub fn metrics(&self) -> EventSourceMetrics {
        self.shared.metrics.so_far()
    }

    /// Invokes the function of the same name on another host for as long as the value lives.
    pub fn redirect(&self, host: Host) -> Redirection {
        self.shared.hosts().push(host);
        Redirection(self.shared.clone())
    }

    /// Stops polling, and lets batches in flight finish, for two seconds at most. What is not done by then becomes
    /// visible again.
    pub async fn stop(mut self) {
        drop(self.polling.take());
        // Whoever aborted or panicked the task: it polls no more, which is what was asked for.
        let _ = (&mut self.running).await;
    }
}

impl Drop for EventSourceMapping {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A mapping invokes on another host until this is dropped.
#[derive(Debug)]
pub struct Redirection(Arc<Shared>);

impl Drop for Redirection {
    fn drop(&mut self) {
        self.0.hosts().pop();
    }
}

/// Polls until `stopped`. Idle, it waits in one long poll: as many as Lambda's pollers would only wake the emulator more
/// often.
async fn run(
    shared: Arc<Shared>,
    mut poller: Poller,
    mut scaling: Scaling,
    stopped: oneshot::Receiver<Infallible>,
) {
    let mut in_flight = JoinSet::new();
    let polling = async {
        loop {
            let slot = scaling.slot().await;
            let batch = poller.batch().await;
            while in_flight.try_join_next().is_some() {}
            if batch.is_empty() {
                scaling.idle();
                continue;
            }
            let concurrency = scaling.taken() as u64;
            in_flight.spawn(shared.clone().process(batch, slot));
            shared.metrics.count(|metrics| {
                metrics.peak_concurrency = metrics.peak_concurrency.max(concurrency);
            });
        }
    };
    tokio::select! {
        _ = stopped => {}
        () = polling => {}
    }
    let drained = async { while in_flight.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::debug!(
            function = shared.function,
            "some batches were still in flight"
        );
    }
}

impl Shared {
    fn hosts(&self) -> MutexGuard<'_, Vec<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Invokes the function with the batch and deletes what it has done.
    async fn process(self: Arc<Self>, batch: Batch, mut slot: Slot) {
        let Some(received_at) = batch.received_at() else {
            return;
        };
        let visible_again = received_at + self.queue.visibility_timeout;
        let Some(invocation) = self.invoke(&batch, visible_again, &mut slot).await else {
            return;
        };
        let failed = self.failed(&batch, &invocation);
        let redelivered = batch.records.iter().filter(|record| record.redelivered);
        let redelivered = redelivered.count() as u64;
        self.metrics.count(|metrics| {
            metrics.invocations += 1;
            metrics.records += batch.len() as u64;
            metrics.redelivered += redelivered;
            metrics.failed += failed.len() as u64;
        });
        // With partial batch responses, failures are expected and slow nothing down (Lambda developer guide, "Implementing
        // partial batch responses").
        if failed.len() == batch.len() && !self.report_batch_item_failures {
            slot.failed();
        }
        let done: Vec<&Record> = batch
            .records
            .iter()
            .filter(|record| !failed.contains(record.message_id.as_str()))
            .collect();
        for records in done.chunks(MESSAGES_PER_CALL) {
            let (deleted, calls) = self.queue.delete(records, visible_again).await;
            self.metrics.count(|metrics| {
                metrics.deleted += deleted as u64;
                metrics.delete_calls += calls;
            });
        }
    }

    /// A throttled batch is tried again until its records are visible to others, and then dropped. `None` if it never
    /// reached the function.
    async fn invoke(
        &self,
        batch: &Batch,
        visible_again: Instant,
        slot: &mut Slot,
    ) -> Option<Invocation> {
        let payload = batch.payload();
        let mut backoff = BACKOFF;
        loop {
            let host = self.hosts().last()?.clone();
            match host.invoke(&self.function, payload.clone()).await {
                Ok(invocation) => return Some(invocation),
                Err(InvokeError::Throttled) => {
                    self.metrics.count(|metrics| metrics.throttles += 1);
                    slot.throttled();
                    let pause = backoff.pause();
                    if Instant::now() + pause >= visible_again {
                        tracing::debug!(
                            function = self.function,
                            "a throttled batch was given back"
                        );
                        return None;
                    }
                    tokio::time::sleep(pause).await;
                }
                Err(error) => {
                    tracing::warn!(function = self.function, %error, "a batch was given back");
                    return None;
                }
            }
        }
    }

    /// The ids of the records that the function has not done.
    fn failed<'a>(&self, batch: &'a Batch, invocation: &Invocation) -> BTreeSet<&'a str> {
        let ids = batch
            .records
            .iter()
            .map(|record| record.message_id.as_str());
        if invocation.function_error.is_some() {
            return ids.collect();
        }
        if !self.report_batch_item_failures {
            return BTreeSet::new();
        }
        batch_response::failed(&invocation.payload, ids.clone()).unwrap_or_else(|error| {
            let request_id = &invocation.request_id;
            tracing::warn!(function = self.function, request_id, %error, "the whole batch has failed");
            ids.collect()
        })
    }
}
