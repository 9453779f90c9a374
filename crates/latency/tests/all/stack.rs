//! The commands that serve the template: they need the functions (`cargo lambda build --release`) and ministack (`make
//! tools`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::command::{Outcome, json, outcome, send};

pub(crate) const LONG: Duration = Duration::from_secs(120);

/// The command in a session of its own, which everything it starts belongs to.
pub(crate) fn in_its_session(arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new("setsid");
    command
        .arg(env!("CARGO_BIN_EXE_latency"))
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn finished(child: Child) -> Outcome {
    let session = child.id().unwrap();
    let outcome = outcome(child).await;
    assert_nothing_runs_in(session).await;
    outcome
}

pub(crate) async fn assert_nothing_runs_in(session: u32) {
    let mut left = processes_of(session);
    for _ in 0..100 {
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = processes_of(session);
    }
    panic!("left running: {left:?}");
}

/// Names of the processes whose session (the sixth field of proc_pid_stat(5)) this is.
pub(crate) fn processes_of(session: u32) -> Vec<String> {
    let stat = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("stat")).ok();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| stat(entry.ok()?))
        .filter_map(|stat| {
            let (name, rest) = stat.split_once(" (")?.1.rsplit_once(") ")?;
            let fields: Vec<_> = rest.split(' ').collect();
            let zombie = fields[0] == "Z";
            (fields[3] == session.to_string() && !zombie).then(|| name.to_owned())
        })
        .collect()
}

/// The child's standard output until a line contains `part`; returns that line.
pub(crate) async fn line_with(child: &mut Child, part: &str) -> String {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(part) {
                return Some(line);
            }
        }
        None
    };
    let found = tokio::time::timeout(LONG, found)
        .await
        .expect("a line in time");
    match found {
        Some(line) => line,
        None => {
            let mut error = String::new();
            let stderr = child.stderr.as_mut().unwrap();
            stderr.read_to_string(&mut error).await.unwrap();
            panic!("no line with '{part}': {error}");
        }
    }
}

#[tokio::test]
async fn compare_measures_every_function_of_the_template() {
    let out = tempfile::tempdir().unwrap();
    let directory = out.path().to_str().unwrap();
    let measured = ["compare", "-n", "60", "--starts", "2", "--burst", "200"];
    let child = in_its_session(&[&measured[..], &["--out", directory]].concat())
        .spawn()
        .unwrap();
    let outcome = finished(child).await;
    outcome.assert_code(0);

    let json = json(&out.path().join("compare.json"));
    let rows = json["rows"].as_array().unwrap();
    let row = |name: &str| {
        rows.iter()
            .find(|row| row["architecture"] == name)
            .unwrap_or_else(|| panic!("no row {name} in {json}"))
    };
    for row in [row("empty"), row("counter-dynamodb"), row("counter-s3")] {
        for key in [
            "mean_ms",
            "p50_ms",
            "p99_9_ms",
            "requests_per_second",
            "init_ms",
            "billed_ms",
            "peak_memory_mb",
            "usd_per_million",
        ] {
            assert!(row[key].as_f64().unwrap() > 0.0, "{key} of {row}");
        }
        assert_eq!(row["failures"], 0);
        assert!(row["p50_ms"].as_f64() <= row["p99_ms"].as_f64());
    }
    for row in [row("empty"), row("counter-dynamodb"), row("counter-s3")] {
        let number = |key: &str| {
            row[key]
                .as_f64()
                .unwrap_or_else(|| panic!("{key} of {row}"))
        };
        // 13 ms to the Region and back, and more for the front door and the invocation.
        assert!(number("modelled_mean_ms") > 20.0, "{row}");
        assert!(
            number("modelled_p50_ms") <= number("modelled_p99_ms"),
            "{row}"
        );
        // Another environment has to be made, and initialised.
        let cold = number("modelled_first_request_ms") - number("modelled_mean_ms");
        assert!(cold > number("modelled_init_ms"), "{row}");
        let month = number("modelled_usd_per_month_10000000_calls");
        assert!(
            (month / number("modelled_usd_per_million") - 10.0).abs() < 1e-9,
            "{row}"
        );
        assert_eq!(number("modelled_usd_by_the_hour"), 0.0);
    }
    // Both counters have counted what they acknowledged; the other one counts nothing.
    for row in [row("counter-dynamodb"), row("counter-s3")] {
        assert!(row["burst_acknowledged"].as_u64() > Some(0), "{row}");
        assert_eq!(row["lost_hits"], 0, "{row}");
    }
    assert!(row("empty")["lost_hits"].is_null());
    // A backend's own time is in it: S3 takes longer than DynamoDB in the Region, whatever the emulator does.
    let modelled = |name: &str| row(name)["modelled_mean_ms"].as_f64().unwrap();
    assert!(modelled("empty") < modelled("counter-dynamodb"), "{json}");
    assert!(
        modelled("counter-dynamodb") < modelled("counter-s3"),
        "{json}"
    );
    let headings = [
        "Measured here",
        "Modelled for eu-west-2: which of these for how many calls a month?",
    ];
    for heading in headings {
        assert!(outcome.stdout.contains(heading), "{}", outcome.stdout);
    }
    // Front door and Lambda's requests, $1.36, and one write: $0.7423 on DynamoDB and $5.30 on S3. The rest is GB-seconds.
    let dollars = |name: &str| row(name)["usd_per_million"].as_f64().unwrap();
    assert!((1.36..1.46).contains(&dollars("empty")), "{json}");
    assert!(
        (2.1023..2.20).contains(&dollars("counter-dynamodb")),
        "{json}"
    );
    assert!((6.66..6.76).contains(&dollars("counter-s3")), "{json}");
    assert_eq!(row("counter-dynamodb")["published_mean_ms"], 26.0);
    for file in ["compare.html", "compare.md", "compare.csv", "compare.svg"] {
        let text = fs::read_to_string(out.path().join(file)).unwrap();
        assert!(text.contains("counter-s3"), "{file}");
        assert!(outcome.stderr.contains(file), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn ctrl_c_ends_a_comparison_and_leaves_nothing_running() {
    let out = tempfile::tempdir().unwrap();
    let mut child = in_its_session(&["compare", "--out", out.path().to_str().unwrap()])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let measuring = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("calling one after the other") {
                return;
            }
        }
        panic!("it ended before");
    };
    tokio::time::timeout(LONG, measuring).await.unwrap();
    send(child.id().unwrap(), Signal::INT);
    assert_eq!(finished(child).await.code, Some(130));
}

#[tokio::test]
async fn ctrl_c_while_the_stack_starts_leaves_nothing_running() {
    let mut child = in_its_session(&["cold", "empty"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let starting = tokio::time::timeout(LONG, lines.next_line()).await.unwrap();
    assert_eq!(starting.unwrap().as_deref(), Some("starting template.yaml"));
    send(child.id().unwrap(), Signal::INT);
    assert_eq!(finished(child).await.code, Some(130));
}

#[tokio::test]
async fn cold_starts_every_environment_afresh() {
    let out = tempfile::tempdir().unwrap();
    let file: PathBuf = out.path().join("cold.json");
    let child = in_its_session(&[
        "cold",
        "empty",
        "-n",
        "3",
        "--export-json",
        file.to_str().unwrap(),
    ])
    .spawn()
    .unwrap();
    let outcome = finished(child).await;
    outcome.assert_code(0);
    let row = json(&file)["rows"][0].clone();
    assert_eq!(row["cold_starts"], 3);
    let number = |key: &str| row[key].as_f64().unwrap();
    assert!(number("init_p50_ms") > 0.0);
    // The caller waits for the init phase as well.
    assert!(number("first_p50_ms") > number("init_p50_ms"), "{row}");
    assert!(number("peak_memory_mb") > 0.0 && number("package_mb") > 0.0);
}

#[tokio::test]
async fn a_function_that_is_not_there_is_told_with_those_that_are() {
    let child = in_its_session(&["cold", "counter-paper"]).spawn().unwrap();
    let outcome = finished(child).await;
    outcome.assert_code(2);
    let told = outcome.stderr.lines().last().unwrap();
    assert!(
        told.starts_with("latency: the template has no function 'counter-paper', but "),
        "{told}"
    );
    assert!(told.contains("counter-dynamodb"), "{told}");
}

#[tokio::test]
async fn a_function_that_a_parameter_brings_is_told_with_that_parameter() {
    let arguments = ["burst", "--function", "rds-direct", "-c", "1", "-a", "1"];
    let outcome = finished(in_its_session(&arguments).spawn().unwrap()).await;
    outcome.assert_code(2);
    let told = outcome.stderr.lines().last().unwrap();
    assert!(
        told.ends_with("add --parameter Database=existing or --parameter Database=aurora"),
        "{told}"
    );
}

#[tokio::test]
async fn a_template_that_is_not_there_is_told_in_one_line() {
    let child = in_its_session(&["compare", "--template", "nowhere.yaml", "--out", "/tmp"])
        .spawn()
        .unwrap();
    let outcome = finished(child).await;
    assert_ne!(outcome.code, Some(0));
    let told: Vec<_> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("latency: "))
        .collect();
    assert_eq!(told.len(), 1, "{}", outcome.stderr);
    assert!(told[0].contains("nowhere.yaml"), "{told:?}");
}

#[tokio::test]
async fn up_serves_until_it_is_told_to_end() {
    let mut child = in_its_session(&["up", "--port", "0"]).spawn().unwrap();
    let line = line_with(&mut child, "/dynamodb/hits").await;
    let url = line.split_whitespace().nth(1).unwrap();
    let probe = in_its_session(&["probe", url, "-n", "5"]).spawn().unwrap();
    let probe = finished(probe).await;
    probe.assert_code(0);
    line_with(&mut child, "REPORT RequestId: ").await;
    send(child.id().unwrap(), Signal::TERM);
    assert_eq!(finished(child).await.code, Some(0));
}

#[tokio::test]
async fn a_killed_host_leaves_nothing_running_not_even_a_frozen_environment() {
    let mut child = in_its_session(&["up", "--port", "0", "--freeze"])
        .spawn()
        .unwrap();
    let session = child.id().unwrap();
    let line = line_with(&mut child, "/s3/hits").await;
    let url = line.split_whitespace().nth(1).unwrap();
    let probe = in_its_session(&["probe", url, "-n", "2"]).spawn().unwrap();
    assert_eq!(finished(probe).await.code, Some(0));
    assert!(processes_of(session).len() > 2, "environment and emulator");
    child.kill().await.unwrap();
    assert_nothing_runs_in(session).await;
}
