//! `latency ramp`: users in this process, and spread over several.

use std::{process::Stdio, time::Duration};

use load::testing::{Behaviour, Server};
use tokio::process::Command;

use crate::{
    command::{json, outcome},
    stack::{LONG, assert_nothing_runs_in, finished, in_its_session, processes_of},
};

/// The command in a session of its own, where a process may have so few files open that twenty users take two.
fn with_few_files(arguments: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command
        .args(["sh", "-c", r#"ulimit -n 48; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_latency"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn each_level_is_measured_and_its_time_line_written() {
    let server = Server::start(Behaviour::UnavailableEvery(5)).await;
    let directory = tempfile::tempdir().unwrap();
    let [export, table, page, history] =
        ["a.json", "a.csv", "a.html", "h.csv"].map(|name| directory.path().join(name));
    let mut command = in_its_session(&["ramp", &server.url(), "--levels=10,20", "--speed=50"]);
    command.arg("--export-json").arg(&export);
    command.arg("--export-csv").arg(&table);
    command.arg("--export-html").arg(&page);
    command.arg("--history").arg(&history);
    let outcome = outcome(command.spawn().unwrap()).await;
    outcome.assert_code(1);

    let export = json(&export);
    let rows = export["rows"].as_array().unwrap();
    let sum = |key: &str| {
        rows.iter()
            .map(|row| row[key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(sum("users"), 30);
    assert_eq!(sum("requests"), server.requests());
    assert_eq!(sum("failures"), server.requests() / 5);
    assert_eq!(server.connections(), 30);
    for row in rows {
        assert_eq!(row["failures"], row["failures_by_cause"]["status 503"]);
        assert!(
            row["p99_from_due_ms"].as_f64() >= row["p99_ms"].as_f64(),
            "{row}"
        );
    }

    // The speed is said wherever the numbers are.
    assert!(
        outcome.stdout.contains(" at 50 times the speed"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("At 50 times the speed"),
        "{}",
        outcome.stdout
    );
    assert_eq!(
        (&rows[0]["speed"], &rows[1]["speed"]),
        (&50.0.into(), &50.0.into())
    );
    let table = std::fs::read_to_string(table).unwrap();
    assert!(table.lines().next().unwrap().contains(",speed,"), "{table}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("id=\"time-line\"") && page.contains("20 users</text>"),
        "{page}"
    );

    let mut history = csv::Reader::from_path(history).unwrap();
    assert!(
        history
            .headers()
            .unwrap()
            .iter()
            .eq(latency::ramp::HISTORY_COLUMNS)
    );
    let seconds: Vec<_> = history.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        latency::ramp::HISTORY_COLUMNS
            .iter()
            .position(|it| *it == name)
    };
    let [users, total] = ["User Count", "Total Request Count"].map(|name| column(name).unwrap());
    for count in ["10", "20"] {
        assert!(seconds.iter().any(|second| &second[users] == count));
    }
    let last = seconds.last().unwrap();
    assert_eq!(last[total], rows[1]["requests"].to_string());
}

#[tokio::test]
async fn users_are_spread_over_processes_where_one_may_not_open_so_many_files() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let directory = tempfile::tempdir().unwrap();
    let export = directory.path().join("a.json");
    let mut command = with_few_files(&["ramp", &server.url(), "--levels=20", "--speed=50"]);
    command.arg("--export-json").arg(&export);
    finished(command.spawn().unwrap()).await.assert_code(0);

    let row = &json(&export)["rows"][0];
    assert_eq!(row["generator_processes"], 2);
    assert_eq!(row["users_started"], 20);
    assert_eq!(row["requests"], server.requests());
    assert_eq!(row["failures"], 0);
    assert_eq!(server.connections(), 20);
    assert!(row["generator_memory_mb"].as_f64().unwrap() > 1.0, "{row}");
}

#[tokio::test]
async fn what_there_are_too_few_of_is_one_clear_line() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let command = with_few_files(&["ramp", &server.url(), "--levels=10000"]).spawn();
    let outcome = finished(command.unwrap()).await;
    outcome.assert_code(1);
    let told: Vec<_> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("latency: "))
        .collect();
    let [told] = told[..] else {
        panic!("{}", outcome.stderr);
    };
    assert!(
        told.contains("a process here may have 48 (ulimit -n)"),
        "{told}"
    );
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_killed_ramp_leaves_no_process_behind() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let mut child = with_few_files(&["ramp", &server.url(), "--levels=20"])
        .spawn()
        .unwrap();
    let session = child.id().unwrap();
    let started = async {
        while server.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, started)
        .await
        .expect("users come");
    assert_eq!(processes_of(session).len(), 3);
    child.kill().await.unwrap();
    assert_nothing_runs_in(session).await;
}
