//! `make bench`: the ratios that the README quotes, each against its bar. Both sides of a ratio are measured in turns, in
//! one run, because a machine's speed drifts; what counts is the median of the turns' ratios.

mod bare;
mod baselines;
mod cold;
mod command;
mod database;
mod few_connections;
mod host;
mod memcached;
mod nginx;
mod queue;
mod ramp;
mod ratio;
mod readings;
mod region;
mod rows;
mod scaling;
mod server;
mod stack;
mod tls;
mod wrk;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use latency::{
    circumstances::Circumstances,
    export::Exports,
    machine::{self, Machine},
    output,
    results::{Results, Table},
};

use crate::{rows::Measured, stack::Served};

fn main() -> ExitCode {
    let mut met = Ok(true);
    let ran = local_lambda::block_on(Box::pin(async { met = run().await }));
    match ran.map_err(anyhow::Error::from).and(met) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is measured, a file of results each.
const PARTS: [&str; 10] = [
    "host",
    "functions",
    "baselines",
    "queue",
    "region",
    "ramp",
    "users",
    "server",
    "readings",
    "database",
];

/// Whether every bar was met.
async fn run() -> anyhow::Result<bool> {
    let wanted = std::env::args().nth(1);
    let parts = PARTS
        .iter()
        .filter(|part| wanted.as_deref().is_none_or(|wanted| wanted == **part));
    let parts: Vec<_> = parts.collect();
    anyhow::ensure!(
        !parts.is_empty(),
        "there is no such part: {}",
        PARTS.join(", ")
    );
    let mut met = true;
    let mut served = Served::start().await?;
    for part in parts {
        let circumstances = Circumstances::now();
        let before = Machine::now();
        let measured = match measure(&mut served, part).await {
            Ok(measured) => measured,
            Err(error) => {
                // Nothing is left running.
                served.stop().await?;
                return Err(error);
            }
        };
        met &= show(part, circumstances, before, &measured)?;
    }
    served.stop().await?;
    Ok(met)
}

/// Shows the rows of a part, writes them to files, and tells whether every bar of it was met.
fn show(
    part: &str,
    circumstances: Circumstances,
    before: Option<Machine>,
    measured: &[Measured],
) -> anyhow::Result<bool> {
    let missed = measured.iter().filter(|row| !row.is_met()).count();
    let results = Results {
        title: format!("make bench PART={part}"),
        circumstances,
        table: Table::new(measured.iter().map(Measured::row).collect()),
        deciding: Vec::new(),
        notes: vec!["Ratios: the median of the turns; the range is that of the middle half of them. MB: 2^20 bytes.".to_owned()],
        warnings: machine::warning(before).into_iter().collect(),
        failures: 0,
    };
    output::show(&results, true)?;
    let out = PathBuf::from("out");
    std::fs::create_dir_all(&out).context("the directory out can't be made")?;
    let exports = Exports {
        json: Some(out.join(format!("bench-{part}.json"))),
        markdown: Some(out.join(format!("bench-{part}.md"))),
        ..Exports::default()
    };
    exports.write(&results)?;
    output::written(exports.paths());
    if missed > 0 {
        eprintln!(
            "bench: {missed} of {} bars of {part} missed",
            measured.len()
        );
    }
    Ok(missed == 0)
}

async fn measure(served: &mut Served, part: &str) -> anyhow::Result<Vec<Measured>> {
    let mut measured = Vec::new();
    match part {
        "host" => {
            measured.extend(host::against_watch(served).await?);
            measured.push(nginx::against_host(served).await?);
            measured.extend(scaling::environments().await?);
            measured.push(wrk::against_probe(served).await?);
            measured.extend(wrk::against_burst().await?);
        }
        "functions" => {
            for pair in &bare::COUNTERS {
                measured.push(bare::against_bare_calls(served, pair).await?);
            }
            measured.push(scaling::writers_of_one_object(served).await?);
            measured.extend(cold::against_empty(served).await?);
            measured.extend(served.footprints().await?);
        }
        "baselines" => {
            measured.extend(baselines::against_ours(served).await?);
        }
        "queue" => {
            measured.push(queue::against_bare_loop(served).await?);
            measured.push(queue::run_until_done().await?);
        }
        "region" => {
            measured.extend(tls::handshakes(served).await?);
            measured.extend(region::delays_against_model().await?);
        }
        "ramp" => {
            measured.extend(ramp::against_locust().await?);
        }
        "users" => {
            measured.extend(ramp::many_users().await?);
        }
        "server" => {
            measured.extend(server::measure(served).await?);
        }
        "readings" => {
            measured.extend(readings::measure().await?);
        }
        "database" => {
            let mut skipped = served.stack.skipped().iter();
            if let Some(skipped) = skipped.find(|it| it.name.starts_with("rds-")) {
                eprintln!("{} and the like: skipped: {}", skipped.name, skipped.reason);
                return Ok(measured);
            }
            for pair in &bare::READERS {
                measured.push(bare::against_bare_calls(served, pair).await?);
            }
            measured.extend(database::in_a_crowd(served).await?);
            measured.extend(few_connections::measure().await?);
        }
        _ => {}
    }
    Ok(measured)
}
