//! The real program: exit codes, what it says, and what it writes.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use load::testing::{Behaviour, Server, refusing_address, secure_server};
use tokio::process::{Child, Command};

pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Or fails, with all that was said.
    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latency"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn outcome(child: Child) -> Outcome {
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output())
        .await
        .expect("the command ends")
        .unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn latency(arguments: &[&str]) -> Outcome {
    outcome(command(arguments).spawn().unwrap()).await
}

fn assert_bad_input(outcome: &Outcome, part: &str) {
    outcome.assert_code(2);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.starts_with("latency: "),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
}

#[tokio::test]
async fn a_probe_prints_its_table_and_ends_well() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let outcome = latency(&["probe", &server.url(), "-n", "20"]).await;
    outcome.assert_code(0);
    assert_eq!(server.requests(), 20);
    for part in ["mean", "p50", "p99", "p99.9", "max", "failures"] {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
    assert!(
        outcome.stderr.contains("20 samples are too few for p99"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn failed_requests_make_the_exit_code_1_unless_they_are_allowed() {
    let server = Server::start(Behaviour::UnavailableEvery(5)).await;
    let url = server.url();
    let outcome = latency(&["probe", &url, "-n", "20"]).await;
    outcome.assert_code(1);
    assert!(
        outcome.stdout.contains("4 × status 503"),
        "{}",
        outcome.stdout
    );
    let outcome = latency(&["probe", &url, "-n", "20", "--allow-failures"]).await;
    outcome.assert_code(0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_by_its_failures() {
    let url = format!("http://{}/", refusing_address().await);
    let outcome = latency(&["probe", &url, "-n", "3"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stdout.contains("3 × connection refused"),
        "{}",
        outcome.stdout
    );
}

#[tokio::test]
async fn a_burst_does_its_work_in_every_run() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let outcome = latency(&[
        "burst",
        &server.url(),
        "--connections",
        "4",
        "--amount",
        "50",
        "--warm-up",
        "0s",
        "--runs",
        "3",
    ])
    .await;
    outcome.assert_code(0);
    assert_eq!(server.requests(), 150);
    assert_eq!(
        outcome.stdout.matches("best").count(),
        2,
        "{}",
        outcome.stdout
    );
}

#[tokio::test]
async fn what_a_warm_up_calls_is_not_counted() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("burst.json");
    let outcome = latency(&[
        "burst",
        &server.url(),
        "-c2",
        "-a30",
        "--warm-up=50ms",
        "--runs=1",
        "--export-json",
        file.to_str().unwrap(),
    ])
    .await;
    outcome.assert_code(0);
    let json = json(&file);
    assert_eq!(json["rows"][0]["success_percent"], 100.0);
    let note = json["notes"][0].as_str().unwrap();
    let warm_up = server.requests() - 30;
    assert_eq!(
        note,
        format!("Warm-up: {warm_up} requests, 0 failed; not counted.")
    );
}

#[tokio::test]
async fn every_format_is_written() {
    let server = Server::start(Behaviour::UnavailableEvery(2)).await;
    let directory = tempfile::tempdir().unwrap();
    let [json_file, csv_file, markdown_file, html_file, again] =
        ["a.json", "a.csv", "a.md", "a.html", "again.html"].map(|name| directory.path().join(name));
    let outcome = outcome(
        command(&["probe", &server.url(), "-n", "10"])
            .arg("--export-json")
            .arg(&json_file)
            .arg("--export-csv")
            .arg(&csv_file)
            .arg("--export-markdown")
            .arg(&markdown_file)
            .arg("--export-html")
            .arg(&html_file)
            .spawn()
            .unwrap(),
    )
    .await;
    assert_eq!(outcome.code, Some(1), "failures do not keep the files away");

    let row = json(&json_file)["rows"][0].clone();
    assert_eq!(row["requests"], 10);
    assert_eq!(row["failures_by_cause"]["status 503"], 5);
    let mut reader = csv::Reader::from_path(&csv_file).unwrap();
    let keys = reader.headers().unwrap().clone();
    let record = reader.records().next().unwrap().unwrap();
    let at = keys.iter().position(|key| key == "p99_ms").unwrap();
    assert_eq!(record[at].parse::<f64>().ok(), row["p99_ms"].as_f64());
    let shown = format!("| {:.3} |", row["p99_ms"].as_f64().unwrap());
    let markdown = std::fs::read_to_string(&markdown_file).unwrap();
    assert!(markdown.contains(&shown), "{shown} in {markdown}");
    let report = latency(&[
        "report",
        json_file.to_str().unwrap(),
        "--out",
        again.to_str().unwrap(),
    ])
    .await;
    report.assert_code(0);
    let page = std::fs::read_to_string(&html_file).unwrap();
    assert_eq!(page, std::fs::read_to_string(&again).unwrap());
    assert!(page.contains("5 × status 503"), "{page}");
}

#[tokio::test]
async fn a_report_of_no_export_is_one_clear_line_and_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let [export, page] = ["a.json", "a.html"].map(|name| directory.path().join(name));
    let [export, page] = [&export, &page].map(|path| path.to_str().unwrap());
    for (json, told) in [
        ("{\"format\": 1, \"title", "a.json is cut off"),
        ("a,b\n1,2\n", "a.json is not JSON"),
        ("{\"rows\": []}", "it names no format"),
        ("{\"format\": 2}", "(format 2; this one reads 1)"),
        ("{\"format\": 1}", "missing field"),
    ] {
        std::fs::write(export, json).unwrap();
        assert_bad_input(&latency(&["report", export, "--out", page]).await, told);
    }
    assert_bad_input(&latency(&["report", "/"]).await, "can't be read");
    assert_bad_input(&latency(&["report"]).await, "<FILE.json>");
    let nowhere = latency(&["report", export, "--out", "/nowhere/a.html"]).await;
    assert_bad_input(&nowhere, "there is no directory /nowhere");
    assert!(!Path::new(page).exists());
}

#[tokio::test]
async fn bad_input_is_one_clear_line_and_exit_code_2() {
    let nothing = latency(&["probe"]).await;
    assert_bad_input(&nothing, "<URL>");
    let none = latency(&["probe", "http://127.0.0.1:1/", "-n", "0"]).await;
    assert_bad_input(&none, "--requests");
    let scheme = latency(&["probe", "127.0.0.1:9000/hits"]).await;
    assert_bad_input(&scheme, "'127.0.0.1:9000/hits' is not a URL");
    let directory = latency(&[
        "probe",
        "http://127.0.0.1:1/",
        "--export-csv",
        "/nowhere/at/all.csv",
    ])
    .await;
    assert_bad_input(&directory, "there is no directory /nowhere/at");
}

#[tokio::test]
async fn ctrl_c_ends_a_probe_with_exit_code_130() {
    let server = Server::start(Behaviour::Silence).await;
    let child = command(&["probe", &server.url()]).spawn().unwrap();
    let pid = child.id().unwrap();
    tokio::time::timeout(Duration::from_secs(30), async {
        while server.requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the probe begins");
    send(pid, Signal::INT);
    assert_eq!(outcome(child).await.code, Some(130));
}

#[tokio::test]
async fn a_certificate_of_this_machine_is_trusted_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (server, certificate) = secure_server(directory.path()).await;
    let url = format!("https://localhost:{}/hits", server.port());
    let trusted = probed_trusting(&url, &certificate).await;
    trusted.assert_code(0);

    let other = directory.path().join("other.pem");
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other, key.cert.pem()).unwrap();
    let untrusted = probed_trusting(&url, &other).await;
    untrusted.assert_code(1);
    assert!(
        untrusted.stdout.contains("5 × TLS handshake failed"),
        "{}",
        untrusted.stdout
    );
}

async fn probed_trusting(url: &str, certificate: &Path) -> Outcome {
    let mut command = command(&["probe", url, "-n", "5"]);
    outcome(command.env("SSL_CERT_FILE", certificate).spawn().unwrap()).await
}

pub(crate) fn json(file: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}
