//! What a local host reports of its invocations, gathered while it is measured.

use std::sync::Arc;

use local_lambda::{Host, OnReport, Report};
use tokio::sync::mpsc;

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

    /// Takes the reports of all invocations since the last call, once the host has no other left.
    ///
    /// Nothing is left behind for the next phase of a measurement: neither the report of a failure nor one of a request
    /// whose caller gave up.
    pub async fn take(&mut self, host: &Host) -> Vec<Report> {
        host.settled().await;
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
