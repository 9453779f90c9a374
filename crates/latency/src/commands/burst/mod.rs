//! `latency burst`: fixed work, closed loop, best of the runs, as the published database comparison used autocannon.

mod level;
mod sweep;

use std::time::Duration;

use load::{Measurement, best};

use self::level::Level;
use super::called;
use crate::{
    BadInput,
    circumstances::Circumstances,
    cli::Burst,
    columns,
    interrupt::Interrupts,
    results::{Column, Group, Results, Row, Table},
    warnings,
};

/// How long a URL is called before the first run, unless it is said: as long as in the published comparison.
const WARM_UP: Duration = Duration::from_secs(30);

pub(super) async fn run(arguments: &Burst, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    match &arguments.url {
        Some(url) => interrupts.during(burst(arguments, url)).await,
        None if !arguments.request.are_default() => Err(BadInput(
            "-X, -H, -d, --data-file and --sigv4 are for a URL, not for functions".to_owned(),
        )
        .into()),
        None => sweep::run(arguments, interrupts).await,
    }
}

async fn burst(arguments: &Burst, url: &str) -> anyhow::Result<Results> {
    let [connections] = arguments.connections[..] else {
        return Err(BadInput("a URL is called on one number of connections".to_owned()).into());
    };
    let target = called(url, &arguments.request, arguments.common.timeout).await?;
    let circumstances = Circumstances::now();
    let level = Level {
        connections: usize::try_from(connections.get())?,
        amount: arguments.amount.get(),
        warm_up: arguments.warm_up.unwrap_or(WARM_UP),
        runs: arguments.runs.get(),
    };
    let (warm_up, runs) = level.measure(&target, url).await?;

    let best = best(&runs);
    let rows = runs.iter().enumerate().map(|(at, run)| {
        Row::default()
            .text(columns::RUN, (at + 1).to_string())
            .text(columns::BEST, if at == best { "best" } else { "" })
            .number(columns::SUCCESS_PERCENT, Some(run.success_percent()))
            .number(
                columns::REQUESTS_PER_SECOND,
                Some(run.requests_per_second()),
            )
            .latencies(run)
            .count(columns::RECONNECTS, run.reconnects)
            .failures(&run.failures)
            .failures_by_second(&run.failures)
    });
    Ok(Results {
        title: format!(
            "latency burst {}{url} with {connections} connections",
            arguments.request.shown()
        ),
        circumstances,
        table: Table::new(rows.collect()),
        notes: warm_up.iter().map(warm_up_note).collect(),
        deciding: Group::only(DECIDING),
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

/// What decides between runs.
const DECIDING: &[Column] = &[
    columns::RUN,
    columns::BEST,
    columns::SUCCESS_PERCENT,
    columns::REQUESTS_PER_SECOND,
    columns::P50_MS,
    columns::P99_MS,
    columns::MAX_MS,
    columns::FAILURES_BY_CAUSE,
];

fn warm_up_note(warm_up: &Measurement) -> String {
    format!(
        "Warm-up: {} requests, {} failed; not counted.",
        warm_up.requests(),
        warm_up.failures.count()
    )
}
