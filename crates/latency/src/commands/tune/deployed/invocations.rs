//! The invocations of each version, and what they say of its memory size.

use std::time::Duration;

use load::{Latencies, Url};

use super::super::{
    super::deployed::{http_api_event, is_success},
    memory_sizes::Version,
    patience::{Patience, asked, is_busy},
    subject::Subject,
};
use crate::{
    aws::{Error, ReportLine},
    output::Progress,
    warnings::Warning,
};

/// How long a throttled invocation is tried.
const THROTTLED_FOR: Duration = Duration::from_secs(30);

/// What a function does with a memory size.
#[derive(Debug, Default)]
pub(crate) struct AtMemorySize {
    /// The memory size in MB.
    pub(crate) memory_mb: u32,
    /// The durations of the invocations that were no cold start.
    pub(crate) warm: Latencies,
    /// The mean of what was billed for them.
    pub(crate) billed: Option<Duration>,
    /// The init phase of the first invocation, if that was a cold start.
    pub(crate) init: Option<Duration>,
    /// The duration of that invocation, without the init phase.
    pub(crate) first: Option<Duration>,
    /// Invocations that failed, or answered no 2xx.
    pub(crate) failures: u64,
}

/// The invocations of one version.
pub(super) struct Invocations {
    version: Version,
    first: Option<ReportLine>,
    warm: Vec<ReportLine>,
    later_cold: usize,
    unreported: usize,
    failures: u64,
}

/// What came of an invocation.
enum Invoked {
    Reported(ReportLine),
    /// It succeeded, but the tail of its log has no report.
    Unreported,
    Failed,
}

/// Invokes the versions in turns, so that whatever else disturbs them hits all alike: each so many times with a GET of the
/// URL.
pub(super) async fn invoke(
    subject: &Subject<'_>,
    versions: &[Version],
    url: &Url,
    times: u64,
    timeout: Duration,
) -> anyhow::Result<Vec<Invocations>> {
    let event = http_api_event(url);
    let progress = Progress::bar(
        &format!("invoking {} with each memory size", subject.name),
        times * versions.len() as u64,
    );
    let mut all: Vec<_> = versions.iter().map(Invocations::none).collect();
    for _ in 0..times {
        for invocations in &mut all {
            let number = invocations.version.number;
            let mut patience = Patience::new(THROTTLED_FOR);
            let invoked = asked(&mut patience, is_busy, async || {
                invoked(subject, number, event.clone(), timeout).await
            });
            invocations.add(invoked.await?);
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(all)
}

async fn invoked(
    subject: &Subject<'_>,
    version: u64,
    event: Vec<u8>,
    timeout: Duration,
) -> Result<Invoked, Error> {
    let Subject { aws, function, .. } = subject;
    let invocation = aws.invoke_version(function, version, event);
    match tokio::time::timeout(timeout, invocation).await {
        Err(_) | Ok(Err(Error::FunctionError { .. })) => Ok(Invoked::Failed),
        Ok(Err(error)) => Err(error),
        Ok(Ok(invocation)) if !is_success(&invocation.payload) => Ok(Invoked::Failed),
        Ok(Ok(invocation)) => Ok(invocation
            .report
            .map_or(Invoked::Unreported, Invoked::Reported)),
    }
}

impl Invocations {
    fn none(version: &Version) -> Self {
        Self {
            version: *version,
            first: None,
            warm: Vec::new(),
            later_cold: 0,
            unreported: 0,
            failures: 0,
        }
    }

    fn count(&self) -> usize {
        self.warm.len() + self.later_cold + usize::from(self.first.is_some())
    }

    fn add(&mut self, invoked: Invoked) {
        match invoked {
            Invoked::Failed => self.failures += 1,
            Invoked::Unreported => self.unreported += 1,
            Invoked::Reported(report) if report.init_duration.is_none() => self.warm.push(report),
            Invoked::Reported(report) if self.count() == 0 => self.first = Some(report),
            Invoked::Reported(_) => self.later_cold += 1,
        }
    }

    pub(super) fn at_memory_size(&self) -> AtMemorySize {
        let billed: Latencies = self.warm.iter().map(|it| it.billed_duration).collect();
        AtMemorySize {
            memory_mb: self.version.memory_mb,
            warm: self.warm.iter().map(|report| report.duration).collect(),
            billed: billed.mean(),
            init: self.first.and_then(|report| report.init_duration),
            first: self.first.map(|report| report.duration),
            failures: self.failures,
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.later_cold > 0 {
            let cold = Warning::ColdStarts {
                cold: self.later_cold,
                invocations: self.warm.len() + self.later_cold,
            };
            warnings.push(cold.to_string());
        }
        if self.unreported > 0 {
            warnings.push(format!(
                "Lambda sent no report of {} invocations",
                self.unreported
            ));
        }
        let of_size = |warning| format!("{} MB: {warning}", self.version.memory_mb);
        warnings.into_iter().map(of_size).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(duration_ms: u64, init_ms: Option<u64>) -> Invoked {
        Invoked::Reported(ReportLine {
            duration: Duration::from_millis(duration_ms),
            billed_duration: Duration::from_millis(duration_ms + init_ms.unwrap_or(0)),
            memory_mb: 256,
            max_memory_used_mb: 20,
            init_duration: init_ms.map(Duration::from_millis),
        })
    }

    fn invocations(invoked: impl IntoIterator<Item = Invoked>) -> Invocations {
        let mut invocations = Invocations::none(&Version {
            number: 7,
            memory_mb: 256,
        });
        invoked.into_iter().for_each(|it| invocations.add(it));
        invocations
    }

    #[test]
    fn the_first_invocation_is_kept_apart_if_it_was_a_cold_start() {
        let cold = invocations([report(90, Some(15)), report(10, None), report(20, None)]);
        let size = cold.at_memory_size();
        assert_eq!(size.init, Some(Duration::from_millis(15)));
        assert_eq!(size.first, Some(Duration::from_millis(90)));
        assert_eq!(size.warm.mean(), Some(Duration::from_millis(15)));
        assert_eq!(size.billed, Some(Duration::from_millis(15)));

        let warm = invocations([report(10, None), report(20, None)]).at_memory_size();
        assert_eq!((warm.init, warm.first, warm.warm.count()), (None, None, 2));
    }

    #[test]
    fn what_is_no_warm_invocation_is_told_and_counts_for_no_duration() {
        let invocations = invocations([
            report(90, Some(15)),
            report(10, None),
            report(80, Some(14)),
            Invoked::Unreported,
            Invoked::Failed,
        ]);
        let size = invocations.at_memory_size();
        assert_eq!((size.warm.count(), size.failures), (1, 1));
        assert_eq!(
            invocations.warnings(),
            [
                "256 MB: 1 of 2 invocations meant to be warm were cold starts",
                "256 MB: Lambda sent no report of 1 invocations"
            ]
        );
    }
}
