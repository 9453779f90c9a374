//! `latency probe`: the published latency test, one request after the other on one connection.

use std::time::SystemTime;

use load::{Sequential, on_its_own_thread};

use super::target;
use crate::{
    cli::Probe,
    output::Progress,
    results::{Results, Row, Table},
    warnings,
};

pub(super) async fn run(arguments: &Probe) -> anyhow::Result<Results> {
    let target = target(&arguments.url, arguments.common.timeout).await?;
    let requests = arguments.requests.get();
    let measured_at = SystemTime::now();

    let progress = Progress::bar(&format!("probing {}", arguments.url), requests);
    let bar = progress.clone();
    let measurement = on_its_own_thread(move || async move {
        Sequential::new(target)
            .run(requests, &|| bar.advance())
            .await
    })
    .await?;
    progress.finish();

    let row = Row::default()
        .text("url", "URL", &arguments.url)
        .count("requests", "requests", measurement.requests())
        .latencies(&measurement)
        .count("reconnects", "reconnects", measurement.reconnects)
        .failures(&measurement.failures);
    Ok(Results {
        title: format!("latency probe {}", arguments.url),
        measured_at,
        table: Table::new(vec![row]),
        notes: Vec::new(),
        warnings: warnings::of(&measurement)
            .iter()
            .map(ToString::to_string)
            .collect(),
        failures: measurement.failures.count(),
    })
}
