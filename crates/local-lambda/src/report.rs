//! The `REPORT` line: what Lambda says of an invocation once it is over.

use std::{fmt, time::Duration};

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The function answered.
    Success,
    /// The function answered with an error.
    Error,
    /// The function took longer than its timeout and its environment was ended.
    Timeout,
    /// The environment ended while the invocation was in it, or could not start.
    Crash,
}

/// What one invocation took.
#[derive(Clone, Debug)]
pub struct Report {
    /// The function's name.
    pub function: String,
    /// The invocation's id.
    pub request_id: String,
    /// From handing the event to the environment to its answer.
    pub duration: Duration,
    /// What Lambda would bill: whole milliseconds, the init phase of a cold start included.
    pub billed_duration: Duration,
    /// The configured memory size in MB.
    pub memory_mb: u32,
    /// The environment's peak resident memory so far, in bytes.
    pub max_memory_used_bytes: u64,
    /// The init phase, where this invocation was a cold start.
    pub init_duration: Option<Duration>,
    /// How it ended.
    pub status: Status,
}

impl Report {
    /// Duration and, on a cold start, init duration, together rounded up to the next millisecond: since August 2025
    /// the init phase is billed for every kind of runtime (AWS Compute Blog, "AWS Lambda standardizes billing for
    /// INIT Phase").
    pub(crate) fn billed(duration: Duration, init_duration: Option<Duration>) -> Duration {
        let nanos = (duration + init_duration.unwrap_or_default()).as_nanos();
        Duration::from_millis(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, line: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        write!(
            line,
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request_id,
            milliseconds(self.duration),
            self.billed_duration.as_millis(),
            self.memory_mb,
            self.max_memory_used_bytes.div_ceil(1 << 20),
        )?;
        if let Some(init) = self.init_duration {
            write!(line, "Init Duration: {:.2} ms\t", milliseconds(init))?;
        }
        match self.status {
            Status::Success => Ok(()),
            Status::Error => write!(line, "Status: error\tError Type: Unhandled\t"),
            Status::Timeout => write!(line, "Status: timeout\t"),
            Status::Crash => write!(line, "Status: error\tError Type: Runtime.ExitError\t"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(init_duration: Option<Duration>) -> Report {
        let duration = Duration::from_micros(1_204);
        Report {
            function: "counter".into(),
            request_id: "8f507cfc-xmpl-4697-b07a-ac58fc914c95".into(),
            duration,
            billed_duration: Report::billed(duration, init_duration),
            memory_mb: 128,
            max_memory_used_bytes: 6_300_000,
            init_duration,
            status: Status::Success,
        }
    }

    #[test]
    fn a_warm_invocation_is_billed_in_whole_milliseconds() {
        assert_eq!(
            report(None).to_string(),
            "REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 1.20 ms\tBilled Duration: 2 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 7 MB\t"
        );
    }

    #[test]
    fn a_cold_start_is_billed_with_its_init_phase() {
        let line = report(Some(Duration::from_micros(2_900))).to_string();
        assert!(line.contains("Billed Duration: 5 ms\t"), "{line}");
        assert!(line.ends_with("Init Duration: 2.90 ms\t"), "{line}");
    }

    #[test]
    fn an_exact_millisecond_is_not_rounded_up() {
        assert_eq!(
            Report::billed(Duration::from_millis(3), None),
            Duration::from_millis(3)
        );
    }
}
