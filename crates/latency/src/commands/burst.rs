//! `latency burst`: fixed work, closed loop, best of the runs, as the published database comparison used autocannon.

use std::{sync::Arc, time::SystemTime};

use load::{Measurement, Target, Work, closed_loop, on_its_own_thread};

use super::target;
use crate::{
    cli::Burst,
    output::Progress,
    results::{Results, Row, Table},
    warnings,
};

pub(super) async fn run(arguments: &Burst) -> anyhow::Result<Results> {
    let target = target(&arguments.url, arguments.common.timeout).await?;
    let connections = usize::try_from(arguments.connections.get())?;
    let amount = arguments.amount.get();
    let measured_at = SystemTime::now();

    let mut notes = Vec::new();
    if !arguments.warm_up.is_zero() {
        let time = humantime::format_duration(arguments.warm_up);
        let progress = Progress::spinner(&format!("warming up {} for {time}", arguments.url));
        let warm_up = load(
            &target,
            connections,
            Work::For(arguments.warm_up),
            &progress,
        )
        .await?;
        notes.push(format!(
            "Warm-up: {} requests, {} failed; not counted.",
            warm_up.requests(),
            warm_up.failures.count()
        ));
    }
    let mut runs = Vec::new();
    for run in 1..=arguments.runs.get() {
        let progress = Progress::bar(
            &format!("run {run}: {amount} requests on {connections} connections"),
            amount,
        );
        runs.push(load(&target, connections, Work::Requests(amount), &progress).await?);
    }

    let best = best(&runs);
    let rows = runs.iter().enumerate().map(|(at, run)| {
        Row::default()
            .text("run", "run", (at + 1).to_string())
            .text("best", "best", if at == best { "best" } else { "" })
            .number(
                "success_percent",
                "success (%)",
                2,
                Some(100.0 * run.latencies.count() as f64 / run.requests().max(1) as f64),
            )
            .number(
                "requests_per_second",
                "requests/s",
                1,
                Some(run.requests_per_second()),
            )
            .latencies(run)
            .count("reconnects", "reconnects", run.reconnects)
            .failures(&run.failures)
            .failures_by_second(&run.failures)
    });
    Ok(Results {
        title: format!(
            "latency burst {} with {connections} connections",
            arguments.url
        ),
        measured_at,
        table: Table::new(rows.collect()),
        notes,
        warnings: runs
            .iter()
            .enumerate()
            .flat_map(|(at, run)| {
                let warnings = warnings::of(run).into_iter();
                warnings.map(move |warning| format!("run {}: {warning}", at + 1))
            })
            .collect(),
        failures: runs.iter().map(|run| run.failures.count()).sum(),
    })
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

/// Success first, then speed.
fn best(runs: &[Measurement]) -> usize {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use load::Failure;

    use super::*;

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
}
