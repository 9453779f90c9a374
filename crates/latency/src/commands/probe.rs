//! `latency probe`: the published latency test, one request after the other on one connection.

use load::{Measurement, Sequential, on_its_own_thread};

use super::{called, from_lambda::Prober, url};
use crate::{
    BadInput,
    aws::Aws,
    circumstances::Circumstances,
    cli::Probe,
    columns,
    output::Progress,
    results::{Results, Row, Table},
    warnings,
};

pub(super) async fn run(arguments: &Probe) -> anyhow::Result<Results> {
    let circumstances = Circumstances::now();
    let (measurement, notes) = match &arguments.from_lambda.function {
        None => (from_here(arguments).await?, Vec::new()),
        Some(function) => from_lambda(arguments, function.as_deref()).await?,
    };
    let row = Row::default()
        .text(columns::URL, &arguments.url)
        .count(columns::REQUESTS, measurement.requests())
        .latencies(&measurement)
        .count(columns::RECONNECTS, measurement.reconnects)
        .failures(&measurement.failures);
    Ok(Results {
        title: format!(
            "latency probe {}{}",
            arguments.request.shown(),
            arguments.url
        ),
        circumstances,
        table: Table::new(vec![row]),
        deciding: Vec::new(),
        notes,
        warnings: warnings::of(&measurement)
            .iter()
            .map(ToString::to_string)
            .collect(),
        failures: measurement.failures.count(),
    })
}

async fn from_here(arguments: &Probe) -> anyhow::Result<Measurement> {
    let timeout = arguments.common.timeout;
    let target = called(&arguments.url, &arguments.request, timeout).await?;
    let requests = arguments.requests.get();
    let progress = Progress::bar(&format!("probing {}", arguments.url), requests);
    let bar = progress.clone();
    let measurement = on_its_own_thread(move || async move {
        Sequential::new(target)
            .run(requests, &|| bar.advance(1))
            .await
    })
    .await?;
    progress.finish();
    Ok(measurement)
}

/// What was measured, and a note that says where.
async fn from_lambda(
    arguments: &Probe,
    function: Option<&str>,
) -> anyhow::Result<(Measurement, Vec<String>)> {
    if !arguments.request.are_default() {
        return Err(BadInput(
            "--from-lambda sends a GET alone: -X, -H, -d, --data-file and --sigv4 are for what is sent from here"
                .to_owned(),
        )
        .into());
    }
    let url = url(&arguments.url)?;
    let aws = Aws::load().await?;
    let (stack, timeout) = (&arguments.stack, arguments.common.timeout);
    let prober = Prober::find(&aws, function, stack, timeout).await?;
    let requests = arguments.requests.get();
    let what = format!("probing {url} from {}", prober.description());
    let progress = Progress::bar(&what, requests);
    let measurement = prober
        .run(&url, requests, |made| progress.advance(made))
        .await?;
    progress.finish();
    let note = format!("Measured from {}.", prober.description());
    Ok((measurement, vec![note]))
}
