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
/// So long that what Locust itself adds, a few milliseconds of Python, is little of it; from 100 ms on it rounds to tens.
const ANSWER: Duration = Duration::from_millis(90);
/// A fifth of the published one, so that a turn takes as much less.
const THINK_SECONDS: (f64, f64) = (1.0, 1.8);
/// A tenth of the users each second, and these at once: what Locust makes of its spawn rate.
const SPAWN_RATE: u32 = USERS / 10;
const TURN: Duration = Duration::from_secs(30);
/// When both have started all users, and before both end: what start-up takes is not the load's.
const STEADY: (Duration, Duration) = (Duration::from_secs(14), Duration::from_secs(12));

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
    /// Once all users are there. Locust ends a second or two before its time, so that sums can't be compared.
    requests_per_second: f64,
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
    let mut ratios: [Ratios; 5] = Default::default();
    for _ in 0..TURNS {
        let ours = ramp(&server.url(), directory.path()).await?;
        let theirs = locust(&server.origin(), directory.path()).await?;
        ratios[0].add(ours.requests_per_second / theirs.requests_per_second);
        ratios[1].add(ours.mean_ms / theirs.mean_ms);
        ratios[2].add(ours.median_ms / theirs.median_ms);
        ratios[3].add(ours.processor_seconds / theirs.processor_seconds);
        ratios[4].add(theirs.median_ms - ours.median_ms);
    }
    let [requests, mean, median, processor, overhead] = &ratios;
    let row = |what: &str, ratios: &Ratios, bar| {
        let ms = ANSWER.as_millis();
        let what = format!("latency ramp ÷ Locust: {what}, {USERS} users, answers after {ms} ms");
        Measured::ratio(what, ratios, bar)
    };
    let same = Bar::Between(0.95, 1.05);
    Ok(vec![
        row("requests/s", requests, same),
        row("mean", mean, same),
        row("median", median, same),
        row("processor time", processor, Bar::AtMost(0.1)),
        Measured::ratio(
            "Locust's median less ours of the same, ms",
            overhead,
            Bar::None,
        ),
    ])
}

async fn ramp(url: &str, directory: &Path) -> anyhow::Result<Found> {
    let (least, most) = THINK_SECONDS;
    let arguments = format!(
        "ramp {url} --levels {USERS} --think-time {}ms-{}ms --step 0.1 --step-length 1s --spawn-rate 100000 --duration {}s",
        least * 1e3,
        most * 1e3,
        TURN.as_secs()
    );
    let history = directory.join("history.csv");
    let mut arguments: Vec<_> = arguments.split(' ').collect();
    let file = history.to_string_lossy();
    arguments.extend(["--history", &file]);
    let (row, processor_seconds) = command::run_beside(&arguments, in_the_steady_part).await?;
    Ok(Found {
        requests_per_second: steady_rate(&history)?,
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
    let [users, rate] = [USERS, SPAWN_RATE].map(|number| number.to_string());
    let child = Command::new(LOCUST)
        .arg("--locustfile")
        .arg(&file)
        .args(["--headless", "--only-summary", "--loglevel", "WARNING"])
        .args(["--users", &users, "--spawn-rate", &rate, "--host", origin])
        .args(["--run-time", &format!("{}s", TURN.as_secs())])
        // What it takes to start users, 20 at once, is not in its latencies.
        .args(["--reset-stats", "--csv"])
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
    let stats = std::fs::read_to_string(directory.join("found_stats.csv"))
        .with_context(|| said.into_owned())?;
    let number = |column: &str| {
        let rows = column_of(&stats, column)?;
        // The last line is about all URLs together.
        rows.last()
            .copied()
            .with_context(|| format!("Locust says no {column}: {stats}"))
    };
    anyhow::ensure!(
        number("Failure Count")? == 0.0,
        "requests of Locust failed: {stats}"
    );
    Ok(Found {
        requests_per_second: steady_rate(&directory.join("found_stats_history.csv"))?,
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

/// Requests a second once all users are there, from a history as Locust and we write it.
fn steady_rate(history: &Path) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(history)?;
    let [times, users, totals] =
        ["Timestamp", "User Count", "Total Request Count"].map(|name| column_of(&text, name));
    let (times, totals) = (times?, totals?);
    let all = |users: &f64| *users == f64::from(USERS);
    let users = users?;
    // In its first seconds with all users, Locust begins to count anew.
    let from = users.iter().position(all).context("not all users came")? + 3;
    let to = users.iter().rposition(all).unwrap_or_default();
    anyhow::ensure!(from < to, "all users were there too short: {text}");
    Ok((totals[to] - totals[from]) / (times[to] - times[from]))
}

/// The numbers in a column of a table in which no cell has a comma.
fn column_of(csv: &str, name: &str) -> anyhow::Result<Vec<f64>> {
    let mut lines = csv.lines();
    let head = lines.next().unwrap_or_default();
    let at = head.split(',').position(|known| known == name);
    let at = at.with_context(|| format!("no column {name}: {head}"))?;
    let numbers = lines.map(|line| line.split(',').nth(at)?.parse().ok());
    numbers
        .collect::<Option<_>>()
        .with_context(|| format!("no numbers in {name}: {csv}"))
}

/// So many users that one process may not open enough files, against nginx.
pub(crate) async fn many_users() -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling nginx by {MANY_USERS} users");
    let nginx = Nginx::start(4, constant).await?;
    let url = format!("{}/", nginx.url());
    let arguments =
        format!("ramp {url} --levels {MANY_USERS} --step 1 --spawn-rate 2000 --duration 60s");
    let arguments: Vec<_> = arguments.split(' ').collect();
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
    fn the_rate_is_that_of_the_time_when_all_users_are_there() {
        let mut history = "Timestamp,User Count,Total Request Count\n".to_owned();
        // Locust's count begins anew once all users are there.
        for (second, users, total) in [
            (0, 20, 5),
            (1, 200, 60),
            (2, 200, 2),
            (3, 200, 12),
            (4, 200, 22),
            (8, 200, 62),
            (9, 0, 62),
        ] {
            history += &format!("{second},{users},{total}\n");
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("history.csv");
        std::fs::write(&file, history).unwrap();
        assert_eq!(steady_rate(&file).unwrap(), 10.0);
        std::fs::write(&file, "Timestamp,User Count,Total Request Count\n0,20,1\n").unwrap();
        assert!(steady_rate(&file).is_err());
    }
}
