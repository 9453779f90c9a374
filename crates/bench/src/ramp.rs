//! `latency ramp`: against Locust, which the published comparison was made with, and with as many users as a large one had.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use backends::nginx::Nginx;
use load::testing::{Behaviour, Server};
use local_lambda::cpu_time;
use tokio::{process::Command, time::sleep};

use crate::{
    command,
    ratio::Ratios,
    rows::{Bar, Measured},
};

const LOCUST: &str = ".tools/locust/bin/locust";

const TURNS: usize = 3;
const USERS: u32 = 200;
/// About as long as a published answer took.
const ANSWER: Duration = Duration::from_millis(28);
/// A fifth of the published one, so that a turn takes as much less.
const THINK_SECONDS: (f64, f64) = (1.0, 1.8);
const TURN: Duration = Duration::from_secs(25);
/// When both have started all users, and long before both end: what start-up takes is not the load's.
const STEADY: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(14));

const MANY_USERS: u32 = 30_000;

/// What a user of Locust does.
const LOCUSTFILE: &str = "from locust import HttpUser, between, task

class Caller(HttpUser):
    wait_time = between(LEAST, MOST)

    @task
    def call(self):
        self.client.get('/hits')
";

/// What came of a load.
struct Found {
    requests: f64,
    mean_ms: f64,
    median_ms: f64,
    /// Processor time in the steady part.
    processor_seconds: f64,
}

/// Both against a server that waits before it answers, turn by turn.
pub(crate) async fn against_locust() -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling a server by latency ramp and by Locust");
    let server = Server::start(Behaviour::Answer(ANSWER)).await;
    let directory = tempfile::tempdir()?;
    let mut ratios: [Ratios; 4] = Default::default();
    for _ in 0..TURNS {
        let ours = ramp(&server.url()).await?;
        let theirs = locust(&server.origin(), directory.path()).await?;
        ratios[0].add(ours.requests / theirs.requests);
        ratios[1].add(ours.mean_ms / theirs.mean_ms);
        ratios[2].add(ours.median_ms / theirs.median_ms);
        ratios[3].add(ours.processor_seconds / theirs.processor_seconds);
    }
    let [requests, mean, median, processor] = &ratios;
    let row = |what: &str, ratios: &Ratios, bar| {
        let ms = ANSWER.as_millis();
        let what = format!(
            "latency ramp ÷ Locust: {what}, {USERS} users of a server that answers after {ms} ms"
        );
        Measured::ratio(what, ratios, bar)
    };
    let same = Bar::Between(0.95, 1.05);
    Ok(vec![
        row("requests", requests, same),
        row("mean", mean, same),
        row("median", median, same),
        row("processor time", processor, Bar::AtMost(0.1)),
    ])
}

async fn ramp(url: &str) -> anyhow::Result<Found> {
    let (least, most) = THINK_SECONDS;
    let think_time = format!("{}ms-{}ms", least * 1e3, most * 1e3);
    let (users, time) = (USERS.to_string(), format!("{}s", TURN.as_secs()));
    // All at once, as Locust starts as many as its spawn rate says.
    let arguments = [
        "ramp",
        url,
        "--levels",
        &users,
        "--think-time",
        &think_time,
        "--duration",
        &time,
        "--step",
        "1",
        "--spawn-rate",
        "100000",
    ];
    let (row, processor_seconds) = command::run_beside(&arguments, in_the_steady_part).await?;
    Ok(Found {
        requests: row.number("requests")?,
        mean_ms: row.number("mean_ms")?,
        median_ms: row.number("p50_ms")?,
        processor_seconds,
    })
}

async fn locust(origin: &str, directory: &Path) -> anyhow::Result<Found> {
    let (least, most) = THINK_SECONDS;
    let file = directory.join("locustfile.py");
    let text = LOCUSTFILE
        .replace("LEAST", &least.to_string())
        .replace("MOST", &most.to_string());
    std::fs::write(&file, text)?;
    let prefix = directory.join("found");
    let users = USERS.to_string();
    let child = Command::new(LOCUST)
        .arg("--locustfile")
        .arg(&file)
        .args(["--headless", "--only-summary", "--loglevel", "WARNING"])
        .args(["--users", &users, "--spawn-rate", &users, "--host", origin])
        .args(["--run-time", &format!("{}s", TURN.as_secs())])
        .arg("--csv")
        .arg(&prefix)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{LOCUST} can't be started: run `make bench`"))?;
    let process_id = child.id().context("Locust ended at once")?;
    let output = async { Ok(child.wait_with_output().await?) };
    let (output, processor_seconds) = tokio::try_join!(output, in_the_steady_part(process_id))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "Locust failed: {said}");
    let mut stats = prefix.into_os_string();
    stats.push("_stats.csv");
    let stats = std::fs::read_to_string(&stats).with_context(|| said.into_owned())?;
    let number = |column: &str| {
        number(&stats, column).with_context(|| format!("Locust says no {column}: {stats}"))
    };
    anyhow::ensure!(
        number("Failure Count")? == 0.0,
        "requests of Locust failed: {stats}"
    );
    Ok(Found {
        requests: number("Request Count")?,
        mean_ms: number("Average Response Time")?,
        median_ms: number("Median Response Time")?,
        processor_seconds,
    })
}

/// The processor time that a process uses while the load is steady, in seconds.
async fn in_the_steady_part(process_id: u32) -> anyhow::Result<f64> {
    let (before, steady) = STEADY;
    let used = || cpu_time(process_id).context("the processor time of the load is not known");
    sleep(before).await;
    let from = used()?;
    sleep(steady).await;
    Ok((used()? - from).as_secs_f64())
}

/// What stands in a column of the last line, which is about all URLs together. No cell has a comma in it.
fn number(stats: &str, column: &str) -> Option<f64> {
    let at = stats
        .lines()
        .next()?
        .split(',')
        .position(|name| name == column)?;
    stats.lines().last()?.split(',').nth(at)?.parse().ok()
}

/// So many users that one process may not open enough files, against nginx.
pub(crate) async fn many_users() -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling nginx by {MANY_USERS} users");
    let nginx = Nginx::start(4, constant).await?;
    let url = format!("{}/", nginx.url());
    let users = MANY_USERS.to_string();
    let arguments = [
        "ramp",
        &url,
        "--levels",
        &users,
        "--step",
        "1",
        "--spawn-rate",
        "2000",
        "--duration",
        "60s",
    ];
    let row = command::run(&arguments).await;
    nginx.stop().await?;
    let row = row?;
    let of = |what: &str| format!("{MANY_USERS} users of nginx, think time 5 to 9 s: {what}");
    let value = |what: &str, column: &str, bar| {
        anyhow::Ok(Measured::value(of(what), row.number(column)?, bar))
    };
    Ok(vec![
        value("requests", "requests", Bar::None)?,
        value("failures", "failures", Bar::AtMost(0.0))?,
        // From four fifths on, the command itself warns.
        value(
            "the generator's busiest thread, % of the time",
            "generator_busy_percent",
            Bar::AtMost(50.0),
        )?,
        value(
            "requests that the generator sent late, p99, ms",
            "generator_late_p99_ms",
            Bar::None,
        )?,
        value("latency p99, ms", "p99_ms", Bar::None)?,
        value(
            "memory of the generator's processes, MB",
            "generator_memory_mb",
            Bar::AtMost(1500.0),
        )?,
    ])
}

/// Each worker has a queue of its own, so that each gets as many connections as the others.
fn constant(port: u16) -> String {
    format!(
        "keepalive_requests 1000000; keepalive_timeout 75s;
    server {{ listen 127.0.0.1:{port} reuseport backlog=4096; location / {{ return 200 12345; }} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_locusts_table_is_read() {
        let stats =
            "Type,Name,Request Count,Median Response Time\nGET,/hits,1,2\n,Aggregated,123,7.0\n";
        assert_eq!(number(stats, "Request Count"), Some(123.0));
        assert_eq!(number(stats, "Median Response Time"), Some(7.0));
        assert_eq!(number(stats, "No Such"), None);
    }
}
