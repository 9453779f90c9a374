//! `latency probe` against an independent client: the same URL, one connection.

use std::path::Path;

use anyhow::Context as _;
use latency::columns;
use tokio::process::Command;

use crate::{
    command,
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
};

const TURNS: usize = 25;
const REQUESTS: u64 = 2000;

/// Has wrk print the mean latency in microseconds, with all digits.
const PRINT_MEAN: &str =
    "function done(summary, latency) io.write('mean ', latency.mean, '\\n') end\n";

pub(crate) async fn against_probe(served: &Served) -> anyhow::Result<Measured> {
    eprintln!("calling /empty by latency probe and by wrk");
    let url = served.url("/empty");
    let directory = tempfile::tempdir()?;
    let mut ratios = Ratios::default();
    for _ in 0..TURNS {
        ratios.add(probe(&url).await? / wrk(&url, directory.path()).await?);
    }
    Ok(Measured::ratio(
        "latency probe ÷ wrk: mean, 1 connection",
        &ratios,
        Bar::Between(0.95, 1.05),
    ))
}

/// The mean in microseconds.
async fn probe(url: &str) -> anyhow::Result<f64> {
    let requests = REQUESTS.to_string();
    let mean_ms =
        command::number(&["probe", url, "--requests", &requests], columns::MEAN_MS).await?;
    Ok(mean_ms * 1e3)
}

/// The mean in microseconds.
async fn wrk(url: &str, directory: &Path) -> anyhow::Result<f64> {
    let script = directory.join("mean.lua");
    std::fs::write(&script, PRINT_MEAN)?;
    let output = Command::new("wrk")
        .args([
            "--threads",
            "1",
            "--connections",
            "1",
            "--duration",
            "1s",
            "--script",
        ])
        .arg(&script)
        .arg(url)
        .kill_on_drop(true)
        .output()
        .await
        .context("wrk can't be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mean = text
        .lines()
        .find_map(|line| line.strip_prefix("mean "))
        .with_context(|| {
            format!(
                "wrk says no mean: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
    Ok(mean.parse()?)
}
