//! What a local host reports of its invocations, gathered while it is measured.

use std::{sync::Arc, time::Duration};

use local_lambda::{OnReport, Report};
use tokio::sync::mpsc;

/// How long a report may come after its answer.
const DELAY: Duration = Duration::from_secs(2);

/// The reports of a host, in the order in which its invocations ended.
pub struct Reports(mpsc::UnboundedReceiver<Report>);

impl Reports {
    /// The reports, and what a host has to call with them.
    #[must_use]
    pub fn new() -> (Self, OnReport) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let listener = move |report: &Report| {
            // Nobody listens any more: the measurement is over.
            let _ = sender.send(report.clone());
        };
        (Self(receiver), Arc::new(listener))
    }

    /// Takes the reports of the invocations that have been answered, `count` of them.
    ///
    /// There are fewer if invocations were refused.
    pub async fn take(&mut self, count: u64) -> Vec<Report> {
        let mut reports = Vec::new();
        while (reports.len() as u64) < count {
            match tokio::time::timeout(DELAY, self.0.recv()).await {
                Ok(Some(report)) => reports.push(report),
                Ok(None) | Err(_) => break,
            }
        }
        reports
    }

    /// Takes the reports that have come by now.
    pub fn take_those_that_came(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
