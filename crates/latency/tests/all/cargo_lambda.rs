//! The real `cargo lambda` (`make tools`), against the project's own host and against its own `watch`.

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv6Addr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    command::send,
    stack::{finished, in_its_session, line_with},
};

/// `watch` compiles the functions first.
const COMPILED_WITHIN: Duration = Duration::from_secs(900);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cargo_lambda(arguments: &[&str]) -> Command {
    let tools = root().join(".tools/cargo-lambda/bin");
    let path = env::var_os("PATH").unwrap();
    let path = env::join_paths([tools].into_iter().chain(env::split_paths(&path))).unwrap();
    let mut command = Command::new("cargo");
    command
        .arg("lambda")
        .args(arguments)
        .current_dir(root())
        .env("PATH", path)
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The answer's body, or what `cargo lambda invoke` said was wrong.
async fn invoke(port: u16, function: &str) -> Result<String, String> {
    let event = format!("events/{function}/http-api.json");
    let port = port.to_string();
    let invoke = [
        "invoke",
        function,
        "--data-file",
        &event,
        "--invoke-port",
        &port,
    ];
    let output = cargo_lambda(&invoke).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    match serde_json::from_str::<Value>(&text) {
        Ok(answer) if answer["statusCode"] == 200 => {
            Ok(answer["body"].as_str().unwrap().to_owned())
        }
        _ => Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The variables of a function's process that was started by the `watch` at this port.
fn environment(function: &str, port: u16) -> Option<BTreeMap<String, String>> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let functions = processes.filter(|process| {
        let program = fs::read_link(process.path().join("exe"));
        program.is_ok_and(|program| program.ends_with(function))
    });
    let mut environments = functions.filter_map(|process| {
        let text = fs::read_to_string(process.path().join("environ")).ok()?;
        let variables = text.split_terminator('\0').filter_map(|variable| {
            let (name, value) = variable.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Some(variables.collect::<BTreeMap<_, _>>())
    });
    environments.find(|variables| {
        let runtime_api = variables.get("AWS_LAMBDA_RUNTIME_API");
        runtime_api.is_some_and(|address| address.contains(&port.to_string()))
    })
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn cargo_lambda_invoke_works_against_the_host_and_against_watch_alike() {
    let directory = tempfile::tempdir().unwrap();
    let variables = directory.path().join("local.env");
    let variables = variables.to_str().unwrap();
    let (host, watch) = (free_port(), free_port());

    let up = ["up", "--port", &host.to_string(), "--env-file", variables];
    let mut up = in_its_session(&up).spawn().unwrap();
    line_with(&mut up, "Ctrl-C").await;
    assert_eq!(invoke(host, "empty").await.as_deref(), Ok(""));
    assert_eq!(invoke(host, "counter-dynamodb").await.as_deref(), Ok("1"));

    let log = fs::File::create(directory.path().join("watch.log")).unwrap();
    let mut watching = cargo_lambda(&[
        "watch",
        "--env-file",
        variables,
        "--invoke-port",
        &watch.to_string(),
    ])
    .stdout(log.try_clone().unwrap())
    .stderr(log)
    .spawn()
    .unwrap();
    let since = Instant::now();
    while let Err(error) = invoke(watch, "empty").await {
        let log = || fs::read_to_string(directory.path().join("watch.log")).unwrap();
        assert!(since.elapsed() < COMPILED_WITHIN, "{error}\n{}", log());
        assert_eq!(watching.try_wait().unwrap(), None, "{}", log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // `watch` gives every function all variables: so one that is compiled quickly has those of the counters too.
    let given = environment("empty", watch).unwrap();
    for line in fs::read_to_string(variables).unwrap().lines() {
        let (name, value) = line.split_once('=').unwrap();
        assert_eq!(
            given.get(name).map(String::as_str),
            Some(value.trim_matches('\''))
        );
    }
    assert!(given.contains_key("TABLE_NAME") && given.contains_key("BUCKET_NAME"));

    send(watching.id().unwrap(), Signal::INT);
    watching.wait().await.unwrap();
    send(up.id().unwrap(), Signal::INT);
    assert_eq!(finished(up).await.code, Some(0));
}
