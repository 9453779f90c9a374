//! The real program: exit codes, what it says, and what it writes.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use load::testing::{Behaviour, Server, refusing_address, secure_server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

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
async fn any_request_can_be_sent_and_nothing_secret_of_it_is_written() {
    let (url, mut requests) = listening().await;
    let directory = tempfile::tempdir().unwrap();
    let files = ["a.json", "a.csv", "a.md", "a.html"].map(|name| directory.path().join(name));
    let [json, csv, markdown, html] = &files;
    let child = command(&[
        "probe",
        &format!("{url}/{{4..4}}"),
        "-n",
        "2",
        "-X",
        "PATCH",
    ])
    .args([
        "-H",
        "Authorization: Bearer s3cr3t",
        "-H",
        "x-trace: {7..7}",
    ])
    .args(["-d", r#"{"password": "s3cr3t", "n": {5..5}}"#])
    .arg("--export-json")
    .arg(json)
    .arg("--export-csv")
    .arg(csv)
    .arg("--export-markdown")
    .arg(markdown)
    .arg("--export-html")
    .arg(html)
    .spawn()
    .unwrap();
    let outcome = outcome(child).await;
    outcome.assert_code(0);

    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("PATCH /4 HTTP/1.1\r\n"), "{request}");
    for line in [
        "authorization: Bearer s3cr3t",
        "x-trace: 7",
        "content-type: application/json",
        "content-length: 30",
    ] {
        assert!(
            request.contains(&format!("\r\n{line}\r\n")),
            "{line} in {request}"
        );
    }
    assert!(
        request.ends_with("\r\n\r\n{\"password\": \"s3cr3t\", \"n\": 5}"),
        "{request}"
    );
    let written = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    for text in written.chain([outcome.stdout, outcome.stderr]) {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    assert!(
        std::fs::read_to_string(json)
            .unwrap()
            .contains("-H 'Authorization: …'")
    );
}

#[tokio::test]
async fn requests_are_signed_with_the_credentials_of_the_variables() {
    let (url, mut requests) = listening().await;
    let child = command(&["probe", &url, "-n", "1", "--sigv4", "lambda:eu-west-2"])
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        .env("AWS_SESSION_TOKEN", "the-token")
        .spawn()
        .unwrap();
    outcome(child).await.assert_code(0);
    let request = requests.recv().await.unwrap();
    assert!(
        request.contains("\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
        "{request}"
    );
    assert!(
        request.contains("/eu-west-2/lambda/aws4_request, SignedHeaders=host;"),
        "{request}"
    );
    assert!(
        request.contains("\r\nx-amz-security-token: the-token\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_request_that_can_not_be_sent_is_one_clear_line() {
    for (arguments, told) in [
        (&["-H", "nonsense"][..], "'NAME: VALUE'"),
        (
            &["-H", "content-length: 5"],
            "content-length follows from URL and body",
        ),
        (&["-d", "{2..1}"], "'{2..1}' is no placeholder"),
        (&["-d", "a", "--data-file", "b"], "cannot be used with"),
        (&["--data-file", "/nowhere"], "/nowhere can't be read"),
        (&["--sigv4"], "says no service and Region"),
        (
            &["-X", "POST", "--from-lambda", "f"],
            "--from-lambda sends a GET alone",
        ),
    ] {
        let arguments = [&["probe", "http://127.0.0.1:1/"], arguments].concat();
        assert_bad_input(&latency(&arguments).await, told);
    }
    let burst = [
        "burst",
        "--function",
        "empty",
        "-c",
        "1",
        "-a",
        "1",
        "-d",
        "x",
    ];
    assert_bad_input(&latency(&burst).await, "are for a URL, not for functions");
    let rate = [
        "rate",
        "http://127.0.0.1:1/",
        "--rate",
        "1/m",
        "--for",
        "1s",
    ];
    assert_bad_input(&latency(&rate).await, "not a single request");
}

#[tokio::test]
async fn a_rate_is_told_second_by_second_with_what_became_of_it() {
    let server = Server::start(Behaviour::UnavailableEvery(10)).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rate.json");
    let arguments = ["--rate", "100/s", "--ramp-to", "300/s", "--for", "2s"];
    let outcome = outcome(
        command(&["rate", &server.url(), "--allow-failures"])
            .args(arguments)
            .args(["--arrivals", "constant", "--connections-max", "20"])
            .arg("--export-json")
            .arg(&file)
            .spawn()
            .unwrap(),
    )
    .await;
    outcome.assert_code(0);
    assert_eq!(server.requests(), 400);
    let found = json(&file);
    let seconds: Vec<_> = found["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["second"])
        .collect();
    assert_eq!(seconds, ["0", "1", "all"]);
    let [first, second, all] = [0, 1, 2].map(|row| &found["rows"][row]);
    assert_eq!(first["wanted_per_second"], 150.0);
    assert_eq!(second["wanted_per_second"], 250.0);
    assert_eq!(all["wanted_per_second"], 200.0);
    assert_eq!(all["failures_by_cause"]["status 503"], 40);
    assert!(all["from_sent_max_ms"].as_f64() <= all["max_ms"].as_f64());
    assert!(
        outcome.stdout.contains("connections were open at most"),
        "{}",
        outcome.stdout
    );
}

/// A server that answers everything, and the requests as they came.
async fn listening() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                // Each comes in one piece, which one read takes.
                let mut request = vec![0; 16 * 1024];
                while let Ok(length @ 1..) = stream.read(&mut request).await {
                    let _ = sender.send(String::from_utf8_lossy(&request[..length]).into_owned());
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (url, requests)
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
