//! What a run of requests left behind.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::{FailedRequest, Failures, Latencies, wire::nanoseconds};

/// A server may say something else each time.
const MOST_DETAILS: usize = 8;

/// What was measured: latencies of what succeeded, failures of what did not.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Measurement {
    /// The latencies of the requests that succeeded.
    pub latencies: Latencies,
    /// The requests that failed.
    pub failures: Failures,
    /// What answers said of failures, and how often: eight different details at most.
    #[serde(default)]
    pub details: BTreeMap<String, u64>,
    /// Connections that had to be opened again, because the server closed them between two requests or because a
    /// request on them failed.
    pub reconnects: u64,
    /// From the first request to the last answer, or to the moment when the run was cut short.
    #[serde(rename = "elapsed_ns", with = "nanoseconds")]
    pub elapsed: Duration,
    /// Processor time of the load's own thread in that time.
    #[serde(rename = "client_cpu_ns", with = "nanoseconds")]
    pub client_cpu: Duration,
}

impl Measurement {
    /// Adds one request's outcome, `since_start` after the start.
    pub fn record(&mut self, since_start: Duration, outcome: Result<Duration, FailedRequest>) {
        match outcome {
            Ok(latency) => self.latencies.record(latency),
            Err(FailedRequest { failure, detail }) => {
                self.failures.record(since_start.as_secs(), failure);
                if let Some(detail) = detail {
                    self.add_detail(&detail, 1);
                }
            }
        }
    }

    pub(crate) fn add_detail(&mut self, detail: &str, count: u64) {
        if let Some(known) = self.details.get_mut(detail) {
            *known += count;
        } else if self.details.len() < MOST_DETAILS {
            self.details.insert(detail.to_owned(), count);
        }
    }

    /// Adds a further round of the same load.
    pub fn merge(&mut self, later: &Self) {
        self.failures.merge(&later.failures, self.elapsed.as_secs());
        for (detail, &count) in &later.details {
            self.add_detail(detail, count);
        }
        self.latencies.merge(&later.latencies);
        self.reconnects += later.reconnects;
        self.elapsed += later.elapsed;
        self.client_cpu += later.client_cpu;
    }

    /// Adds another part of the same load, which ran at the same time.
    pub fn join(&mut self, part: &Self) {
        self.failures.merge(&part.failures, 0);
        for (detail, &count) in &part.details {
            self.add_detail(detail, count);
        }
        self.latencies.merge(&part.latencies);
        self.reconnects += part.reconnects;
        self.elapsed = self.elapsed.max(part.elapsed);
        self.client_cpu += part.client_cpu;
    }

    /// Requests, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.latencies.count() + self.failures.count()
    }

    /// Of all requests, those that succeeded, in percent; 0 if there were none.
    #[must_use]
    pub fn success_percent(&self) -> f64 {
        100.0 * self.latencies.count() as f64 / self.requests().max(1) as f64
    }

    /// Requests that succeeded, per second; 0 if none did.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.latencies.count() as f64 / seconds
        } else {
            0.0
        }
    }

    /// The share of the time in which the load's own thread was busy, from 0 to 1.
    #[must_use]
    pub fn client_busy(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            (self.client_cpu.as_secs_f64() / seconds).min(1.0)
        } else {
            0.0
        }
    }
}

/// Where the best of these runs is: success first, then speed, then the earlier one. 0 if there are none.
#[must_use]
pub fn best(runs: &[Measurement]) -> usize {
    let mut best = 0;
    for (at, run) in runs.iter().enumerate() {
        let (failures, fewest) = (run.failures.count(), runs[best].failures.count());
        let faster = run.requests_per_second() > runs[best].requests_per_second();
        if failures < fewest || (failures == fewest && faster) {
            best = at;
        }
    }
    best
}

/// Wall time and this thread's processor time since a moment.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch {
    started: Instant,
    processor: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            processor: thread_processor_time(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn stop(self, measurement: &mut Measurement) {
        measurement.elapsed = self.started.elapsed();
        measurement.client_cpu = thread_processor_time().saturating_sub(self.processor);
    }
}

fn thread_processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    #[test]
    fn a_failure_is_counted_and_is_not_a_latency() {
        let mut measurement = Measurement {
            elapsed: Duration::from_secs(2),
            ..Measurement::default()
        };
        measurement.record(Duration::ZERO, Ok(Duration::from_millis(1)));
        measurement.record(Duration::from_millis(1_500), Err(Failure::TimedOut.into()));
        assert_eq!(measurement.requests(), 2);
        assert_eq!(measurement.latencies.count(), 1);
        assert_eq!(measurement.latencies.max(), Some(Duration::from_millis(1)));
        assert!((measurement.requests_per_second() - 0.5).abs() < 1e-9);
        assert_eq!(
            measurement.failures.by_second().collect::<Vec<_>>(),
            [(1, Failure::TimedOut, 1)]
        );
    }

    fn run(milliseconds: u64, failures: usize) -> Measurement {
        let mut run = Measurement {
            latencies: [Duration::from_millis(1)].into_iter().collect(),
            elapsed: Duration::from_millis(milliseconds),
            ..Measurement::default()
        };
        (0..failures).for_each(|_| run.failures.record(0, Failure::Status(503)));
        run
    }

    #[test]
    fn the_best_run_has_the_fewest_failures_and_then_the_most_requests_a_second() {
        assert_eq!(best(&[run(10, 0), run(5, 0), run(7, 0)]), 1);
        assert_eq!(best(&[run(1, 1), run(10, 0)]), 1);
        assert_eq!(best(&[run(10, 0), run(10, 0)]), 0);
    }

    #[test]
    fn a_busy_thread_is_seen_and_a_waiting_one_is_not() {
        let mut busy = Measurement::default();
        let stopwatch = Stopwatch::start();
        while thread_processor_time() < stopwatch.processor + Duration::from_millis(20) {}
        stopwatch.stop(&mut busy);
        assert!(busy.client_cpu >= Duration::from_millis(20));

        let mut waiting = Measurement::default();
        let stopwatch = Stopwatch::start();
        std::thread::sleep(Duration::from_millis(20));
        stopwatch.stop(&mut waiting);
        assert!(waiting.client_busy() < 0.5, "{}", waiting.client_busy());
    }
}
