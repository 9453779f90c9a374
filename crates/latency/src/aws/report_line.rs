//! The `REPORT` line with which Lambda ends the log of an invocation.

use std::time::Duration;

/// What Lambda reports of an invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportLine {
    /// How long the invocation took, without the init phase.
    pub duration: Duration,
    /// What is billed, in whole milliseconds.
    pub billed_duration: Duration,
    /// The function's memory size in MB.
    pub memory_mb: u32,
    /// The most memory that the environment has used, in MB.
    pub max_memory_used_mb: u32,
    /// How long the init phase took, if this was a cold start.
    pub init_duration: Option<Duration>,
}

impl ReportLine {
    /// Finds the last such line of a log.
    #[must_use]
    pub fn find(log: &str) -> Option<Self> {
        let mut lines = log.lines().rev();
        let line = lines.find(|line| line.starts_with("REPORT RequestId: "))?;
        let number = |name: &str, unit: &str| {
            let field = line
                .split('\t')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix(": "))?;
            field.strip_suffix(unit)?.trim().parse::<f64>().ok()
        };
        let duration = |name: &str| {
            let seconds = number(name, "ms")? / 1e3;
            Duration::try_from_secs_f64(seconds).ok()
        };
        Some(Self {
            duration: duration("Duration")?,
            billed_duration: duration("Billed Duration")?,
            memory_mb: number("Memory Size", "MB")? as u32,
            max_memory_used_mb: number("Max Memory Used", "MB")? as u32,
            init_duration: duration("Init Duration"),
        })
    }
}

#[cfg(test)]
mod tests {
    use local_lambda::{Report, Status};

    use super::*;

    #[test]
    fn the_line_of_a_cold_start_is_read() {
        // As in the Lambda developer guide.
        let log = "START RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95 Version: $LATEST\n\
            REPORT of nothing\n\
            END RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\n\
            REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 79.67 ms\tBilled Duration: 180 ms\t\
            Memory Size: 128 MB\tMax Memory Used: 73 MB\tInit Duration: 100.25 ms\t\n";
        let report = ReportLine::find(log).unwrap();
        assert_eq!(report.duration, Duration::from_micros(79_670));
        assert_eq!(report.billed_duration, Duration::from_millis(180));
        assert_eq!((report.memory_mb, report.max_memory_used_mb), (128, 73));
        assert_eq!(report.init_duration, Some(Duration::from_micros(100_250)));
    }

    #[test]
    fn the_line_that_the_local_host_writes_is_read() {
        let report = Report {
            function: "counter".into(),
            request_id: "8f507cfc-xmpl-4697-b07a-ac58fc914c95".into(),
            duration: Duration::from_micros(1_204),
            billed_duration: Duration::from_millis(2),
            memory_mb: 256,
            max_memory_used_bytes: 6_300_000,
            init_duration: None,
            status: Status::Success,
        };
        assert_eq!(
            ReportLine::find(&report.to_string()),
            Some(ReportLine {
                duration: Duration::from_micros(1_200),
                billed_duration: Duration::from_millis(2),
                memory_mb: 256,
                max_memory_used_mb: 7,
                init_duration: None,
            })
        );
    }

    #[test]
    fn a_log_that_was_cut_off_reports_nothing() {
        assert_eq!(ReportLine::find(""), None);
        assert_eq!(
            ReportLine::find("REPORT RequestId: 1\tDuration: 79.67 ms"),
            None
        );
    }
}
