//! The function `latency-probe` as it is built for Lambda (`cargo lambda build --release`), on the local host.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use load::{
    Failure,
    probe::{Answer, Measured},
    testing::{Behaviour, Server, secure_server},
};
use local_lambda::{Function, FunctionError, Host, HostSettings, Invocation};
use serde_json::{Value, json};

/// As in the template.
const TIMEOUT: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A host of the function with these variables.
fn host(timeout: Duration, variables: &[(&str, &str)]) -> Host {
    let variables = variables.iter();
    let directory = root().join("target/lambda/latency-probe");
    let function = Function {
        name: "latency-probe".to_owned(),
        program: directory.join("bootstrap"),
        arguments: Vec::new(),
        directory,
        handler: "bootstrap".to_owned(),
        environment: variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        runtime_variables: BTreeMap::new(),
        memory_mb: 1769,
        timeout,
        reserved_concurrency: None,
    };
    Host::new(vec![function], HostSettings::default()).unwrap()
}

async fn invoke(host: &Host, event: &Value) -> Invocation {
    let event = event.to_string().into();
    host.invoke("latency-probe", event).await.unwrap()
}

async fn measured(host: &Host, event: &Value) -> Measured {
    let invocation = invoke(host, event).await;
    match serde_json::from_slice(&invocation.payload).unwrap() {
        Answer::Measured(measured) => *measured,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_recorded_event_is_answered() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let host = host(TIMEOUT, &[("ALLOWED_ORIGINS", &server.origin())]);
    let events: BTreeMap<_, _> = fs::read_dir(root().join("events/latency-probe"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    let mut requests = 0;
    for (file, event) in events {
        let refused = file.to_string_lossy().starts_with("refused-");
        let api = "https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/";
        let event = event.replace(api, &format!("{}/", server.origin()));
        let event: Value = serde_json::from_str(&event).unwrap();
        let invocation = invoke(&host, &event).await;
        assert_eq!(invocation.function_error, None, "{file:?}");
        match serde_json::from_slice(&invocation.payload).unwrap() {
            Answer::Measured(measured) => {
                assert!(!refused, "{file:?}");
                requests += measured.summary.requests;
            }
            Answer::KernelMs(ms) => assert!(ms > 0.0, "{file:?}"),
            Answer::Problem(problem) => assert!(refused, "{file:?}: {problem:?}"),
        }
    }
    assert!(requests > 0);
    assert_eq!(server.requests(), requests, "nothing else was called");
    host.shutdown().await;
}

#[tokio::test]
async fn a_certificate_that_the_function_trusts_is_accepted_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (server, certificate) = secure_server(directory.path()).await;
    let origin = format!("https://localhost:{}", server.port());
    let event = json!({ "url": format!("{origin}/hits"), "requests": 5 });
    let trusting = |certificate: &Path| {
        let certificate = certificate.to_str().unwrap();
        let variables = [
            ("ALLOWED_ORIGINS", &*origin),
            ("SSL_CERT_FILE", certificate),
        ];
        host(TIMEOUT, &variables)
    };
    let trusted = trusting(&certificate);
    assert_eq!(
        measured(&trusted, &event)
            .await
            .measurement
            .latencies
            .count(),
        5
    );
    trusted.shutdown().await;

    let other = directory.path().join("other.pem");
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&other, key.cert.pem()).unwrap();
    let untrusted = trusting(&other);
    let failures = measured(&untrusted, &event).await.measurement.failures;
    assert_eq!(failures.by_cause(), BTreeMap::from([(Failure::Tls, 5)]));
    untrusted.shutdown().await;
}

#[tokio::test]
async fn a_probe_ends_before_the_functions_timeout() {
    let server = Server::start(Behaviour::Answer(Duration::from_millis(20))).await;
    let host = host(
        Duration::from_secs(2),
        &[("ALLOWED_ORIGINS", &server.origin())],
    );
    let event = json!({ "url": server.url(), "requests": 10_000 });
    let measured = measured(&host, &event).await;
    assert!(measured.cut_short);
    assert!(measured.summary.requests > 0);
    host.shutdown().await;
}

#[tokio::test]
async fn a_function_without_its_list_of_origins_does_not_start() {
    for variables in [&[][..], &[("ALLOWED_ORIGINS", "*")]] {
        let host = host(TIMEOUT, variables);
        let invocation = invoke(&host, &json!({})).await;
        assert_eq!(invocation.function_error, Some(FunctionError::Unhandled));
        host.shutdown().await;
    }
}
