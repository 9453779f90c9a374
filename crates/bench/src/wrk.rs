//! The command against independent clients: the same URL, the same number of connections.

use std::path::Path;

use anyhow::Context as _;
use latency::columns;
use tokio::process::Command;

use crate::{
    command,
    nginx::Nginx,
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
};

/// The connections that servers are loaded on.
pub(crate) const CONNECTIONS: u64 = 64;

const TURNS: usize = 25;
const REQUESTS: u64 = 2000;

const BURST_TURNS: usize = 15;
const BURST_CONNECTIONS: &str = "64";
const BURST_REQUESTS: &str = "40000";
const BURST_TIME: &str = "1s";

/// Has wrk print the median latency in microseconds. Not the mean: wrk adds to it what a stall may have kept from being sent.
const PRINT_P50: &str =
    "function done(summary, latency) io.write('p50 ', latency:percentile(50), '\\n') end\n";

pub(crate) async fn against_probe(served: &Served) -> anyhow::Result<Measured> {
    eprintln!("calling /empty by latency probe and by wrk");
    let url = served.url("/empty");
    let directory = tempfile::tempdir()?;
    let mut ratios = Ratios::default();
    for _ in 0..TURNS {
        ratios.add(probe(&url).await? / wrk(&url, directory.path()).await?);
    }
    Ok(Measured::ratio(
        "latency probe ÷ wrk: p50, 1 connection",
        &ratios,
        Bar::Between(0.95, 1.05),
    ))
}

/// The median in microseconds.
async fn probe(url: &str) -> anyhow::Result<f64> {
    let requests = REQUESTS.to_string();
    let p50_ms = command::number(&["probe", url, "--requests", &requests], columns::P50_MS).await?;
    Ok(p50_ms * 1e3)
}

/// The median in microseconds.
async fn wrk(url: &str, directory: &Path) -> anyhow::Result<f64> {
    let script = directory.join("p50.lua");
    std::fs::write(&script, PRINT_P50)?;
    let script = script.to_string_lossy();
    let arguments = [
        "--threads",
        "1",
        "--connections",
        "1",
        "--duration",
        "1s",
        "--script",
        &script,
        url,
    ];
    let text = printed("wrk", &arguments).await?;
    let p50 = text.lines().find_map(|line| line.strip_prefix("p50 "));
    let p50 = p50.with_context(|| format!("wrk says no median: {text}"))?;
    Ok(p50.parse()?)
}

/// `latency burst` against wrk with one thread, and against oha if it is there, each calling nginx.
pub(crate) async fn against_burst() -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling nginx by latency burst, wrk and oha");
    let nginx = Nginx::start().await?;
    let has_oha = printed("oha", &["--version"]).await;
    if let Err(error) = &has_oha {
        eprintln!("latency burst ÷ oha: skipped: {error:#}");
    }
    let (mut to_wrk, mut to_oha) = (Ratios::default(), Ratios::default());
    for _ in 0..BURST_TURNS {
        let ours = burst(&nginx.constant()).await?;
        to_wrk.add(ours / wrk_per_second(&nginx.constant()).await?);
        if has_oha.is_ok() {
            to_oha.add(ours / oha_per_second(&nginx.constant()).await?);
        }
    }
    nginx.stop().await?;
    let row = |other: &str, ratios: &Ratios, bar: f64| {
        Measured::ratio(
            format!(
                "latency burst ÷ {other}: requests/s of nginx, {BURST_CONNECTIONS} connections"
            ),
            ratios,
            Bar::AtLeast(bar),
        )
    };
    let mut rows = vec![row("wrk with one thread", &to_wrk, 0.85)];
    if has_oha.is_ok() {
        rows.push(row("oha", &to_oha, 1.0));
    }
    Ok(rows)
}

async fn burst(url: &str) -> anyhow::Result<f64> {
    let arguments = [
        "burst",
        url,
        "--connections",
        BURST_CONNECTIONS,
        "--amount",
        BURST_REQUESTS,
        "--warm-up",
        "0s",
        "--runs",
        "1",
    ];
    command::number(&arguments, columns::REQUESTS_PER_SECOND).await
}

async fn wrk_per_second(url: &str) -> anyhow::Result<f64> {
    let arguments = [
        "--threads",
        "1",
        "--connections",
        BURST_CONNECTIONS,
        "--duration",
        BURST_TIME,
        url,
    ];
    let text = printed("wrk", &arguments).await?;
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .with_context(|| format!("wrk says no rate: {text}"))?;
    Ok(rate.trim().parse()?)
}

async fn oha_per_second(url: &str) -> anyhow::Result<f64> {
    let arguments = [
        "-c",
        BURST_CONNECTIONS,
        "-z",
        BURST_TIME,
        "--no-tui",
        "--output-format",
        "json",
        url,
    ];
    let text = printed("oha", &arguments).await?;
    let found: serde_json::Value = serde_json::from_str(&text)?;
    found["summary"]["requestsPerSec"]
        .as_f64()
        .with_context(|| format!("oha says no rate: {text}"))
}

/// What a program of others prints.
async fn printed(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{program} can't be started"))?;
    anyhow::ensure!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Requests a second, in thousands, by one thread in one second. A script may say what is asked for.
pub(crate) async fn thousand_a_second(url: &str, script: Option<&Path>) -> anyhow::Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads=1", "--duration=1s"])
        .arg(format!("--connections={CONNECTIONS}"));
    if let Some(script) = script {
        wrk.arg("--script").arg(script);
    }
    let output = wrk.arg(url).kill_on_drop(true).output().await;
    let output = output.context("wrk can't be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(
        !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{url}: requests failed: {text}"
    );
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .with_context(|| format!("wrk says no rate: {text}"))?;
    Ok(rate.trim().parse::<f64>()? / 1e3)
}
