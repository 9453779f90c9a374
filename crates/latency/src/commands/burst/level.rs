//! One number of connections: a warm-up, and the runs.

use std::{sync::Arc, time::Duration};

use load::{Measurement, Target, Work, closed_loop, on_its_own_thread};

use crate::output::Progress;

/// What is done at one number of connections.
pub(super) struct Level {
    pub(super) connections: usize,
    /// Requests in each run, all connections together.
    pub(super) amount: u64,
    pub(super) warm_up: Duration,
    pub(super) runs: u64,
}

impl Level {
    /// The warm-up, if there is to be one, and the runs. `what` is called.
    pub(super) async fn measure(
        &self,
        target: &Arc<Target>,
        what: &str,
    ) -> std::io::Result<(Option<Measurement>, Vec<Measurement>)> {
        let Self {
            connections,
            amount,
            ..
        } = *self;
        let mut warm_up = None;
        if !self.warm_up.is_zero() {
            let time = humantime::format_duration(self.warm_up);
            let progress = Progress::spinner(&format!("warming up {what} for {time}"));
            let work = Work::For(self.warm_up);
            warm_up = Some(load(target, connections, work, &progress).await?);
        }
        let mut runs = Vec::new();
        for run in 1..=self.runs {
            let progress = Progress::bar(
                &format!("run {run}: {amount} requests on {connections} connections"),
                amount,
            );
            runs.push(load(target, connections, Work::Requests(amount), &progress).await?);
        }
        Ok((warm_up, runs))
    }
}

async fn load(
    target: &Arc<Target>,
    connections: usize,
    work: Work,
    progress: &Progress,
) -> std::io::Result<Measurement> {
    let (target, bar) = (Arc::clone(target), progress.clone());
    let measurement =
        on_its_own_thread(move || closed_loop(target, connections, work, move || bar.advance(1)))
            .await?;
    progress.finish();
    Ok(measurement)
}
