//! The functions that read a database, with more callers than the database has connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use load::{Failure, Measurement, Target, Work, best, closed_loop, on_its_own_thread};

use crate::{
    rows::{Bar, Measured},
    stack::{Served, TIMEOUT, sequential},
};

pub(crate) const POOLED: &str = "rds-pooled";
pub(crate) const DIRECT: &str = "rds-direct";
pub(crate) const PROXY: &str = "rds-proxy";

/// Callers, three times as many as the database has connections.
const CROWD: usize = 500;
const REQUESTS: u64 = 10_000;

/// Time enough for every environment to start.
const WARM_UP: Duration = Duration::from_secs(5);
/// The best counts, as in the published comparison.
const RUNS: usize = 2;

/// More callers than the database has connections.
pub(crate) async fn in_a_crowd(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let pooled = crowd(served, POOLED).await?;
    served.stack.host().retire_idle(POOLED).await;

    let proxied = crowd(served, PROXY).await?;
    served.stack.host().retire_idle(PROXY).await;
    let proxy = served
        .stack
        .database()
        .and_then(|database| database.proxy());
    let proxy = proxy.context("there is no proxy")?.metrics();

    let direct = crowd(served, DIRECT).await?;
    let recovered = until_it_answers(served, DIRECT).await?;
    served.stack.host().retire_idle(DIRECT).await;
    let by_cause = direct.failures.by_cause().into_iter();
    let lost = by_cause.filter(|(failure, _)| *failure != Failure::Status(503));
    let lost: u64 = lost.map(|(_, count)| count).sum();

    let of = |function: &str, what: &str| format!("{function}, {CROWD} callers: {what}");
    Ok(vec![
        success(of(POOLED, "success, %"), &pooled),
        Measured::value(of(POOLED, "p99, ms"), p99_ms(&pooled), Bar::AtMost(500.0)),
        success(of(PROXY, "success, %"), &proxied),
        Measured::value(
            of(PROXY, "most database connections"),
            proxy.peak_database_connections as f64,
            Bar::AtMost(proxy.max_database_connections_allowed as f64),
        ),
        Measured::value(
            of(DIRECT, "failures other than 503"),
            lost as f64,
            Bar::AtMost(0.0),
        ),
        Measured::value(
            of(DIRECT, "s from the burst to the next success"),
            recovered.as_secs_f64(),
            Bar::AtMost(1.0),
        ),
    ])
}

/// A warm-up, and then the runs, of which the best is given back.
async fn crowd(served: &Served, function: &str) -> anyhow::Result<Measurement> {
    eprintln!("calling {function} on {CROWD} connections");
    let target = target(served, function).await?;
    let mut runs = on_its_own_thread(move || async move {
        closed_loop(Arc::clone(&target), CROWD, Work::For(WARM_UP), || {}).await;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let target = Arc::clone(&target);
            runs.push(closed_loop(target, CROWD, Work::Requests(REQUESTS), || {}).await);
        }
        runs
    })
    .await?;
    let best = best(&runs);
    Ok(runs.swap_remove(best))
}

async fn until_it_answers(served: &Served, function: &str) -> anyhow::Result<Duration> {
    let url = served.url(&path(function));
    let since = Instant::now();
    while sequential(&url, 1).await.is_err() {
        anyhow::ensure!(since.elapsed() < TIMEOUT, "{url} does not recover");
    }
    Ok(since.elapsed())
}

pub(crate) async fn target(served: &Served, function: &str) -> anyhow::Result<Arc<Target>> {
    let url = served.url(&path(function)).parse()?;
    Ok(Arc::new(Target::resolve(&url, TIMEOUT).await?))
}

/// Where a function answers with one row, the same as that of the bare queries.
fn path(function: &str) -> String {
    format!("/{}/transcriptions/1", function.replace('-', "/"))
}

fn success(what: String, measurement: &Measurement) -> Measured {
    Measured::value(what, measurement.success_percent(), Bar::AtLeast(100.0))
}

pub(crate) fn p99_ms(measurement: &Measurement) -> f64 {
    let p99 = measurement.latencies.percentile(99.0);
    p99.map_or(f64::NAN, |p99| p99.as_secs_f64() * 1e3)
}
