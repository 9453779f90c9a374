//! The latency test as a Lambda function, `latency-probe`: what it is asked, and what it answers.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::{Measurement, PERCENTILES};

/// Most requests that one invocation may be asked for. Guards against an invocation that is paid for to its timeout
/// because of one digit too many; whoever wants more invokes again and merges the measurements.
pub const MAX_REQUESTS: u64 = 10_000;

/// How long one request may take in milliseconds, unless the event says otherwise.
const TIMEOUT_MS: NonZeroU64 = NonZeroU64::new(30_000).unwrap();

/// The event: `{"url": "https://…", "requests": 1000}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What to call. Its origin has to be one of those that the function allows.
    pub url: String,
    /// How many requests, up to [`MAX_REQUESTS`], one after the other on one connection.
    pub requests: NonZeroU64,
    /// How long one request may take, in milliseconds; 30,000 if it is not given.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: NonZeroU64,
}

fn default_timeout_ms() -> NonZeroU64 {
    TIMEOUT_MS
}

/// The other event, `{"kernel": true}`: nothing is called, but the core timed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TimeKernel {
    /// Whether to do so.
    pub kernel: bool,
}

/// The response to an event, whatever was in it: `{"measured": …}`, `{"kernel_ms": …}` or `{"problem": …}`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The target was called.
    Measured(Box<Measured>),
    /// How long the core takes for the kernel, in milliseconds: see [`crate::core::kernel_ms`].
    KernelMs(f64),
    /// The target was not called.
    Problem(ProblemDetails),
}

/// What came of calling the target.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measured {
    /// Whether the invocation's deadline came before all requests were made. What was measured until then is good.
    pub cut_short: bool,
    /// The figures that a person looks for.
    pub summary: Summary,
    /// All that was measured: it can be merged with others.
    pub measurement: Measurement,
}

impl Measured {
    /// What came of `asked` requests.
    #[must_use]
    pub fn new(asked: u64, measurement: Measurement) -> Self {
        Self {
            cut_short: measurement.requests() < asked,
            summary: Summary::of(&measurement),
            measurement,
        }
    }
}

/// The statistics of a measurement; latencies are missing if no request succeeded.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Summary {
    /// Requests that were made.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Those that succeeded, per second.
    pub requests_per_second: f64,
    /// Mean latency in milliseconds.
    pub mean_ms: Option<f64>,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// The latency in milliseconds that 99 % did not exceed.
    pub p99_ms: Option<f64>,
    /// The latency in milliseconds that 99.9 % did not exceed.
    pub p99_9_ms: Option<f64>,
    /// The longest latency in milliseconds.
    pub max_ms: Option<f64>,
}

impl Summary {
    fn of(measurement: &Measurement) -> Self {
        let latencies = &measurement.latencies;
        let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let [p50_ms, p99_ms, p99_9_ms] =
            PERCENTILES.map(|percent| latencies.percentile(percent).map(milliseconds));
        Self {
            requests: measurement.requests(),
            failures: measurement.failures.count(),
            requests_per_second: measurement.requests_per_second(),
            mean_ms: latencies.mean().map(milliseconds),
            p50_ms,
            p99_ms,
            p99_9_ms,
            max_ms: latencies.max().map(milliseconds),
        }
    }
}

/// Why the target was not called: RFC 9457's members, with the status that an HTTP API would have.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProblemDetails {
    /// 400, 403 or 500.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// What is wrong, and with what.
    pub detail: String,
}
