//! A measurement second by second, as files and pictures have it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The end of a second, with what happened in the last seconds up to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Moment {
    /// Seconds since the beginning.
    pub second: u32,
    /// Virtual users.
    pub users: u64,
    /// Requests a second, whatever became of them.
    pub requests_per_second: f64,
    /// Failures a second.
    pub failures_per_second: f64,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// The latency in milliseconds that 99 % did not exceed.
    pub p99_ms: Option<f64>,
}

impl From<&load::Moment> for Moment {
    fn from(moment: &load::Moment) -> Self {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let percentile = |percent| moment.latencies.percentile(percent).map(milliseconds);
        Self {
            second: moment.second.try_into().unwrap_or(u32::MAX),
            users: moment.users,
            requests_per_second: moment.requests_per_second,
            failures_per_second: moment.failures_per_second,
            p50_ms: percentile(50.0),
            p99_ms: percentile(99.0),
        }
    }
}
