//! What was deployed, measured: a real CloudFormation API (ministack's), and as Lambda the local host or a fake one.

use std::{path::Path, time::Duration};

use backends::ministack::Ministack;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hyper::Response;
use load::{
    Measurement,
    probe::{Answer, Measured},
    testing::{Behaviour, Server, secure_server},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    command::{Outcome, json, send},
    fake_lambda::FakeLambda,
    neighbours::install_as,
    stack::{LONG, finished, in_its_session},
};

/// The command, with an account of its own and no configuration of this machine's user.
pub(crate) fn in_account(arguments: &[&str]) -> Command {
    let mut command = in_its_session(arguments);
    command
        .env("AWS_REGION", backends::ministack::REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        // No AWS CLI but a test's own.
        .env("PATH", "/usr/bin:/bin");
    command
}

pub(crate) async fn outcome(command: &mut Command) -> Outcome {
    finished(command.spawn().unwrap()).await
}

/// `latency probe --from-lambda` with this for Lambda.
async fn probe_from(lambda: &str, arguments: &[&str]) -> Outcome {
    let mut command = in_account(&["probe", "https://api.example/hits"]);
    command
        .args(["--from-lambda", "latency-probe"])
        .args(arguments)
        .env("AWS_ENDPOINT_URL_LAMBDA", lambda);
    outcome(&mut command).await
}

pub(crate) fn assert_fails_with(outcome: &Outcome, code: i32, message: &str) {
    outcome.assert_code(code);
    let said = outcome.stderr.lines().last().unwrap();
    assert_eq!(said, format!("latency: {message}"));
}

/// The repository's stack on this machine.
struct Up {
    child: Child,
    url: String,
}

impl Up {
    async fn start() -> Self {
        // Into a file: it logs more than a pipe holds that nobody reads.
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut child = in_its_session(&["up", "--port", "0"])
            .stdout(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let url = tokio::time::timeout(LONG, async {
            loop {
                let text = std::fs::read_to_string(log.path()).unwrap();
                if let Some((before, _)) = text.split_once("/dynamodb/hits ") {
                    return before.split_whitespace().last().unwrap().to_owned();
                }
                assert_eq!(child.try_wait().unwrap(), None, "it ended before");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self {
            url: url.await.expect("it serves in time"),
            child,
        }
    }

    async fn stop(self) {
        send(self.child.id().unwrap(), Signal::INT);
        assert_eq!(finished(self.child).await.code, Some(0));
    }
}

/// The body of the answer to a GET.
async fn get(url: &str) -> String {
    answer_to("GET", url).await
}

/// The body of the answer to a request without one.
pub(crate) async fn answer_to(method: &str, url: &str) -> String {
    let url: hyper::Uri = url.parse().unwrap();
    let authority = url.authority().unwrap();
    let mut stream = TcpStream::connect(authority.as_str()).await.unwrap();
    let request = format!(
        "{method} {} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        url.path()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

/// A function of 128 MB with this code, for a template.
pub(crate) fn python_function(name: &str, code: &str) -> Value {
    json!({
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "MemorySize": 128,
            "Role": "arn:aws:iam::123456789012:role/any",
            "Code": { "ZipFile": code },
        },
    })
}

/// A stack with these outputs, deployed. Its two functions have the names of the local host's.
async fn deployed(outputs: &[(&str, &str)]) -> Ministack {
    let program = backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let ministack = Ministack::start(&program).await.unwrap();
    let function = |name| python_function(name, "def handler(event, context):\n    return {}\n");
    let outputs: serde_json::Map<_, _> = outputs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!({ "Value": value })))
        .collect();
    let template = json!({
        "Resources": { "CounterDynamodb": function("counter-dynamodb"), "Empty": function("empty") },
        "Outputs": outputs,
    });
    ministack.deploy("measured", &template).await.unwrap();
    ministack
}

#[tokio::test]
async fn a_probe_from_lambda_says_what_a_probe_from_here_says() {
    let up = Up::start().await;
    let url = &up.url;
    let directory = tempfile::tempdir().unwrap();
    let mut keys = Vec::new();
    for (file, from) in [
        ("here.json", &[][..]),
        ("lambda.json", &["--from-lambda", "latency-probe"]),
    ] {
        let file = directory.path().join(file);
        let mut command = in_account(&["probe", &format!("{url}/dynamodb/hits"), "-n", "40"]);
        command
            .args(from)
            .arg("--export-json")
            .arg(&file)
            .env("AWS_ENDPOINT_URL", url);
        let outcome = outcome(&mut command).await;
        outcome.assert_code(0);
        let row = json(&file)["rows"][0].clone();
        assert_eq!(
            (&row["requests"], &row["failures"]),
            (&json!(40), &json!(0))
        );
        assert!(row["p50_ms"].as_f64().unwrap() > 0.0);
        keys.push(row.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    }
    assert_eq!(keys[0], keys[1]);

    let mut command = in_account(&[
        "probe",
        "https://api.example/",
        "--from-lambda",
        "latency-probe",
    ]);
    assert_fails_with(
        &outcome(command.env("AWS_ENDPOINT_URL", url)).await,
        2,
        "function latency-probe: url: https://api.example is not among ALLOWED_ORIGINS",
    );
    up.stop().await;
}

#[tokio::test]
async fn region_and_credentials_may_come_from_the_aws_cli() {
    let lambda = FakeLambda::start(|call| {
        let asked = call.event["requests"].as_u64().unwrap();
        made(asked, asked)
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    fake_aws_cli(
        directory.path(),
        r#"case "$*" in
"configure get region") echo eu-central-1 ;;
"configure export-credentials --format process")
    echo '{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret", "SessionToken": "token",
    "Expiration": "2100-01-01T00:00:00+00:00"}' ;;
*) exit 252 ;;
esac"#,
    );
    let mut command = in_account(&["probe", "https://api.example/", "--from-lambda", "probe"]);
    command
        .env_remove("AWS_REGION")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_ENDPOINT_URL_LAMBDA", &lambda.url)
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", directory.path().display()),
        );
    let outcome = outcome(&mut command).await;
    outcome.assert_code(0);
    let note = "Measured from the Lambda function probe in eu-central-1.";
    assert!(outcome.stdout.contains(note), "{}", outcome.stdout);
    let signature = lambda.calls()[0].headers["authorization"].clone();
    let signature = signature.to_str().unwrap();
    assert!(signature.contains("Credential=AKIDEXAMPLE/"), "{signature}");
    assert!(
        signature.contains("/eu-central-1/lambda/aws4_request"),
        "{signature}"
    );
}

#[tokio::test]
async fn what_the_aws_cli_complains_of_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fake_aws_cli(
        directory.path(),
        "echo 'Error loading SSO Token: run aws sso login' >&2; exit 255",
    );
    let mut command = in_account(&["probe", "https://api.example/", "--from-lambda", "f"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env(
        "PATH",
        format!("{}:/usr/bin:/bin", directory.path().display()),
    );
    assert_fails_with(
        &outcome(&mut command).await,
        1,
        "no AWS credentials: the AWS CLI says: Error loading SSO Token: run aws sso login",
    );
}

/// An `aws` that does what these lines of shell say.
fn fake_aws_cli(directory: &Path, lines: &str) {
    install_as(
        format!("#!/bin/sh\n{lines}\n").as_bytes(),
        &directory.join("aws"),
    );
}

#[tokio::test]
async fn aws_is_asked_over_tls_if_its_certificate_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (server, certificate) = secure_server(directory.path()).await;
    let endpoint = format!("https://localhost:{}", server.port());
    let mut command = in_account(&["probe", "https://api.example/", "--from-lambda", "probe"]);
    command.env("AWS_ENDPOINT_URL", &endpoint);
    let other = directory.path().join("other.pem");
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other, key.cert.pem()).unwrap();
    let untrusted = outcome(command.env("SSL_CERT_FILE", &other)).await;
    untrusted.assert_code(1);
    let told = format!("latency: {endpoint} can't be reached: invalid peer certificate");
    assert!(untrusted.stderr.contains(&told), "{}", untrusted.stderr);

    // The server answers every request alike, and not as latency-probe does: it was asked.
    let trusted = outcome(command.env("SSL_CERT_FILE", &certificate)).await;
    trusted.assert_code(1);
    let told = "function probe does not answer as latency-probe does";
    assert!(trusted.stderr.contains(told), "{}", trusted.stderr);
}

/// What latency-probe answers when it made so many requests of 1 ms.
fn made(requests: u64, asked: u64) -> Response<String> {
    let measurement = Measurement {
        latencies: (0..requests).map(|_| Duration::from_millis(1)).collect(),
        elapsed: Duration::from_millis(requests),
        ..Measurement::default()
    };
    let answer = Answer::Measured(Box::new(Measured::new(asked, measurement)));
    Response::new(serde_json::to_string(&answer).unwrap())
}

#[tokio::test]
async fn many_requests_are_split_among_invocations_and_what_was_cut_short_is_made_up_for() {
    let lambda = FakeLambda::start(|call| {
        let asked = call.event["requests"].as_u64().unwrap();
        made(asked.min(7_000), asked)
    })
    .await;
    let outcome = probe_from(&lambda.url, &["-n", "15000", "--timeout", "2s"]).await;
    outcome.assert_code(0);
    let words: Vec<_> = outcome.stdout.split_whitespace().collect();
    for told in [&["requests", "15000"][..], &["mean", "(ms)", "1.000"]] {
        let is_told = words.windows(told.len()).any(|window| window == told);
        assert!(is_told, "{told:?}: {}", outcome.stdout);
    }
    let calls = lambda.calls();
    let asked = calls
        .iter()
        .map(|call| call.event["requests"].as_u64().unwrap());
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked, [10_000, 8_000, 1_000]);
    assert_eq!(calls[0].event["url"], "https://api.example/hits");
    assert_eq!(calls[0].event["timeout_ms"], 2_000);
    assert_eq!(
        calls[0].path,
        "/2015-03-31/functions/latency-probe/invocations"
    );
    let signature = calls[0].headers["authorization"].to_str().unwrap();
    assert!(
        signature.contains("/eu-west-2/lambda/aws4_request") && signature.contains("host"),
        "{signature}"
    );
}

#[tokio::test]
async fn what_keeps_a_probe_from_its_answer_is_told_in_one_line() {
    let throttled = FakeLambda::start(|_| {
        Response::builder()
            .status(429)
            .header("x-amzn-errortype", "TooManyRequestsException")
            .body(r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#.to_owned())
            .unwrap()
    })
    .await;
    assert_fails_with(
        &probe_from(&throttled.url, &[]).await,
        1,
        "Lambda refuses: Rate Exceeded. (TooManyRequestsException)",
    );

    let timed_out = FakeLambda::start(|_| {
        Response::builder()
            .header("x-amz-function-error", "Unhandled")
            .body(r#"{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 60.00 seconds"}"#.to_owned())
            .unwrap()
    })
    .await;
    assert_fails_with(
        &probe_from(&timed_out.url, &[]).await,
        1,
        "function latency-probe failed: Sandbox.Timedout: Task timed out after 60.00 seconds",
    );

    let another = FakeLambda::start(|_| Response::new("42".to_owned())).await;
    let outcome = probe_from(&another.url, &[]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome
            .stderr
            .contains("function latency-probe does not answer as latency-probe does"),
        "{}",
        outcome.stderr
    );

    let slow = FakeLambda::start(|call| made(0, call.event["requests"].as_u64().unwrap())).await;
    assert_fails_with(
        &probe_from(&slow.url, &[]).await,
        1,
        "function latency-probe ended before https://api.example/hits had answered once: its timeout is too short",
    );

    let nobody = "http://127.0.0.1:1";
    assert_fails_with(
        &probe_from(nobody, &[]).await,
        1,
        "http://127.0.0.1:1 can't be reached: Connection refused (os error 111)",
    );
}

#[tokio::test]
async fn without_region_or_credentials_the_command_says_so() {
    let without = async |variable: &str| {
        let mut command = in_account(&["probe", "https://api.example/", "--from-lambda", "f"]);
        outcome(command.env_remove(variable)).await
    };
    assert_fails_with(
        &without("AWS_REGION").await,
        1,
        "no Region: set AWS_REGION, or region in the AWS CLI's configuration",
    );
    assert_fails_with(
        &without("AWS_ACCESS_KEY_ID").await,
        1,
        "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install the AWS CLI, which is asked for them",
    );
}

#[tokio::test]
async fn a_stack_that_is_not_there_or_has_nothing_to_measure_is_told() {
    let ministack = deployed(&[("ApiUrl", "http://127.0.0.1:1"), ("EmptyUrl", "soon")]).await;
    let with = async |arguments: &[&str]| {
        let mut command = in_account(arguments);
        outcome(command.env("AWS_ENDPOINT_URL", ministack.endpoint())).await
    };
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let nowhere = with(&["compare", "--stack", "nowhere", "--out", out]).await;
    nowhere.assert_code(1);
    assert!(
        nowhere
            .stderr
            .contains("CloudFormation refuses: Stack with id nowhere does not exist"),
        "{}",
        nowhere.stderr
    );
    assert_fails_with(
        &with(&["compare", "--stack", "measured", "--out", out]).await,
        2,
        "stack measured has no function with an output for its URL, as CounterS3 has CounterS3Url",
    );
    assert_fails_with(
        &with(&[
            "probe",
            "http://127.0.0.1:1/",
            "--stack",
            "measured",
            "--from-lambda",
        ])
        .await,
        2,
        "stack measured has no output LatencyProbeFunction: name a function, --from-lambda FUNCTION",
    );
    assert_fails_with(
        &with(&["compare", "--from-lambda", "--out", out]).await,
        2,
        "--from-lambda measures what was deployed: it needs --stack",
    );
}

/// The rows of a comparison of the stack `measured`, by architecture, and all that was said.
async fn compared(command: &mut Command) -> (Value, Value, Outcome) {
    let out = tempfile::tempdir().unwrap();
    let outcome = outcome(command.arg("--out").arg(out.path())).await;
    outcome.assert_code(0);
    for file in ["compare.html", "compare.md", "compare.csv", "compare.svg"] {
        let text = std::fs::read_to_string(out.path().join(file)).unwrap();
        assert!(text.contains("counter-dynamodb"), "{file}");
    }
    let json = json(&out.path().join("compare.json"));
    let row = |name: &str| {
        let rows = json["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "{json}");
        rows.iter()
            .find(|row| row["architecture"] == name)
            .unwrap()
            .clone()
    };
    (row("counter-dynamodb"), row("empty"), outcome)
}

#[tokio::test]
async fn a_deployed_stack_is_compared_from_here() {
    let slow = Server::start(Behaviour::Answer(Duration::from_millis(5))).await;
    let fast = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let ministack = deployed(&[
        ("ApiUrl", &fast.origin()),
        ("CounterDynamodbUrl", &slow.url()),
        ("EmptyUrl", &fast.url()),
        // No function Calc: a route that leads to none is no row.
        ("CalcUrl", "http://127.0.0.1:1/calc"),
        ("Dashboard", "https://console.example/"),
        ("LatencyProbeFunction", "latency-probe"),
    ])
    .await;
    // As Lambda reports: the first invocation of each function is a cold start.
    let lambda = FakeLambda::start({
        let cold = std::sync::Mutex::new(std::collections::BTreeSet::new());
        move |call| {
            if call.path.ends_with("/configuration") {
                return Response::new(r#"{"Architectures":["arm64"]}"#.to_owned());
            }
            let init = match cold.lock().unwrap().insert(call.path.clone()) {
                true => "\tInit Duration: 15.50 ms\t",
                false => "\t",
            };
            let log = format!(
                "END RequestId: 1\nREPORT RequestId: 1\tDuration: 1.20 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 21 MB{init}\n"
            );
            Response::builder()
                .header("x-amz-log-result", BASE64.encode(log))
                .body(r#"{"statusCode":200,"body":""}"#.to_owned())
                .unwrap()
        }
    })
    .await;
    let mut command = in_account(&["compare", "--stack", "measured", "-n", "60"]);
    command
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", ministack.endpoint())
        .env("AWS_ENDPOINT_URL_LAMBDA", &lambda.url);
    let (counter, empty, outcome) = compared(&mut command).await;
    assert!(counter["p50_ms"].as_f64().unwrap() >= 5.0, "{counter}");
    assert!(empty["p50_ms"].as_f64() < counter["p50_ms"].as_f64());
    for row in [counter, empty] {
        assert_eq!(row["failures"], 0);
        assert!(row["requests_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(row["init_ms"], 15.5);
        assert_eq!(row["billed_ms"], 2.0);
        assert_eq!(row["peak_memory_mb"], 21.0);
        // A server of this machine has no price.
        assert_eq!(row["usd_per_million_without_api_calls"], Value::Null);
    }
    assert!(
        outcome.stdout.contains("Measured from this machine"),
        "{}",
        outcome.stdout
    );

    let invoked = lambda
        .calls()
        .into_iter()
        .filter(|call| call.path.ends_with("/invocations"));
    for call in invoked {
        assert_eq!(call.event["requestContext"]["http"]["method"], "GET");
        assert_eq!(call.event["rawPath"], "/hits");
        assert_eq!(call.headers["x-amz-log-type"], "Tail");
    }
}

#[tokio::test]
async fn a_deployed_stack_is_compared_from_lambda() {
    let up = Up::start().await;
    let url = &up.url;
    let ministack = deployed(&[
        ("ApiUrl", url),
        ("CounterDynamodbUrl", &format!("{url}/dynamodb/hits")),
        ("EmptyUrl", &format!("{url}/empty")),
        ("LatencyProbeFunction", "latency-probe"),
    ])
    .await;
    let mut command = in_account(&[
        "compare",
        "--stack",
        "measured",
        "-n",
        "300",
        "--from-lambda",
    ]);
    command
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", ministack.endpoint())
        .env("AWS_ENDPOINT_URL_LAMBDA", url);
    let (counter, empty, outcome) = compared(&mut command).await;
    for row in [counter, empty] {
        assert!(row["mean_ms"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["failures"], 0);
        // latency-probe calls on one connection only.
        assert_eq!(row["requests_per_second"], Value::Null);
        assert_eq!(row["billed_ms"], Value::Null);
    }
    assert!(
        outcome
            .stdout
            .contains("Measured from the Lambda function latency-probe in eu-west-2"),
        "{}",
        outcome.stdout
    );
    // The local host does not say what a function runs on: that is told.
    let warning = "counter-dynamodb: not all is known of it: Lambda refuses";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    // 10 direct invocations, 100 requests to warm up, 300 that were measured: each was a hit, and this is one more.
    assert_eq!(get(&format!("{url}/dynamodb/hits")).await, "411");
    up.stop().await;
}
