//! The functions that read transcriptions in three ways, as they are built for Lambda, in the repository's own stack.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use local_lambda::{HostSettings, Logs};
use local_stack::{Settings, Stack};
use mysql_async::prelude::Queryable as _;
use rds_access::testing;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    common::{root, settings_with_database, start},
    wait::until,
};

const FUNCTIONS: [&str; 3] = ["rds-direct", "rds-pooled", "rds-proxy"];

/// The repository's stack with its database, and where the functions' logs are.
struct Rds {
    stack: Stack,
    directory: TempDir,
    /// What the functions are started from, where that is not the repository.
    _copy: Option<TempDir>,
}

impl Rds {
    /// With a few transcriptions.
    async fn start() -> Self {
        Self::start_with(settings_with_database()).await
    }

    /// The same, with a line of shell before each of the functions starts.
    async fn start_by_way_of(line: &str) -> Self {
        let copy = tempfile::tempdir().unwrap();
        let template = copy.path().join("template.yaml");
        fs::copy(root().join("template.yaml"), &template).unwrap();
        let packages = copy.path().join("target/lambda");
        fs::create_dir_all(&packages).unwrap();
        for package in root().join("target/lambda").read_dir().unwrap() {
            let package = package.unwrap().path().canonicalize().unwrap();
            let name = package.file_name().unwrap();
            if FUNCTIONS.iter().any(|function| name == *function) {
                let program = package.join("bootstrap");
                let script = format!("#!/bin/sh\n{line}\nexec '{}'\n", program.display());
                executable(&packages.join(name).join("bootstrap"), &script);
            } else {
                symlink(&package, packages.join(name)).unwrap();
            }
        }
        let servers = root().join("target/servers").canonicalize().unwrap();
        symlink(servers, copy.path().join("target/servers")).unwrap();
        let mut rds = Self::start_with(Settings {
            template,
            ..settings_with_database()
        })
        .await;
        rds._copy = Some(copy);
        rds
    }

    async fn start_with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stack = start(Settings {
            host: HostSettings {
                logs: Logs::Directory(directory.path().join("logs")),
                ..HostSettings::default()
            },
            ..settings
        })
        .await;
        let server = stack.database().unwrap().server().unwrap();
        testing::fill(server).await.unwrap();
        Self {
            stack,
            directory,
            _copy: None,
        }
    }

    /// What the function answers to a recorded event.
    async fn answer(&self, function: &str, file: &str) -> Value {
        let file = root().join("events").join(function).join(file);
        let event = Bytes::from(fs::read(file).unwrap());
        let invocation = self.stack.host().invoke(function, event).await.unwrap();
        assert_eq!(invocation.function_error, None, "{:?}", invocation.payload);
        serde_json::from_slice(&invocation.payload).unwrap()
    }

    async fn status(&self, function: &str) -> u64 {
        let answer = self.answer(function, "http-api.json").await;
        answer["statusCode"].as_u64().unwrap()
    }

    /// The function's log, when its last invocation is in it.
    async fn log(&self, function: &str) -> String {
        let log = self.directory.path().join("logs");
        let log = log.join(format!("{function}.log"));
        until("the invocation is in the log", || {
            fs::read_to_string(&log).is_ok_and(|log| log.contains("REPORT RequestId"))
        })
        .await;
        fs::read_to_string(log).unwrap()
    }
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn every_recorded_event_is_answered() {
    let rds = Rds::start().await;
    for function in FUNCTIONS {
        let mut events = 0;
        for file in fs::read_dir(root().join("events").join(function)).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            testing::assert_answer(&file, &rds.answer(function, &file).await);
            events += 1;
        }
        assert!(events >= 20, "{function} has {events} events");
    }
    rds.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503_until_it_is_back() {
    let mut rds = Rds::start().await;
    for function in FUNCTIONS {
        assert_eq!(rds.status(function).await, 200, "{function}");
    }
    let server = rds.stack.database_mut().unwrap().server_mut().unwrap();
    server.kill().await.unwrap();
    for function in FUNCTIONS {
        let answer = rds.answer(function, "http-api.json").await;
        assert_eq!(answer["statusCode"], 503, "{function}");
        assert_eq!(answer["headers"]["retry-after"], "1", "{function}");
        assert!(!answer["body"].as_str().unwrap().contains("refused"));
    }
    let server = rds.stack.database_mut().unwrap().server_mut().unwrap();
    server.restart().await.unwrap();
    for function in FUNCTIONS {
        assert_eq!(rds.status(function).await, 200, "{function}");
    }
    rds.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_connection_fails_no_invocation() {
    let rds = Rds::start().await;
    let server = rds.stack.database().unwrap().server().unwrap();
    let mut administration = server.administration().await.unwrap();
    for function in FUNCTIONS {
        for _ in 0..3 {
            assert_eq!(rds.status(function).await, 200, "{function}");
            administration.kill_connections().await.unwrap();
        }
    }
    rds.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_in_the_log_as_that_and_nowhere_itself() {
    let rds = Rds::start_by_way_of("export DATABASE_PASSWORD=open-sesame").await;
    for function in FUNCTIONS {
        let answer = rds.answer(function, "http-api.json").await;
        assert_eq!(answer["statusCode"], 503, "{function}");
        assert!(!answer["body"].as_str().unwrap().contains("denied"));
        let log = rds.log(function).await;
        assert_caused(&log, "Access denied for user");
        assert!(!log.contains("open-sesame"), "{log}");
    }
    rds.stack.stop().await.unwrap();
}

#[tokio::test]
async fn an_unknown_host_is_in_the_log() {
    let rds = Rds::start_by_way_of("export DATABASE_HOST=database.invalid").await;
    for function in FUNCTIONS {
        assert_eq!(rds.status(function).await, 503, "{function}");
        assert_caused(&rds.log(function).await, "lookup");
    }
    rds.stack.stop().await.unwrap();
}

/// One line of the log says why there was no transcription, with the id of the request.
fn assert_caused(log: &str, cause: &str) {
    let line = log
        .lines()
        .find(|line| line.contains("no transcription was read"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    let error = line["error"].as_str().unwrap();
    assert!(error.contains(cause), "{error}");
    let request = line["spans"][0]["requestId"].as_str().unwrap();
    assert!(
        log.contains(&format!("REPORT RequestId: {request}")),
        "{log}"
    );
}

/// The benchmark of serverless-mysql: 30 at a time, each query takes 20 ms, on a database of 30 connections. Its published
/// run used 27 of them; here the account may have no more.
#[tokio::test]
async fn thirty_at_a_time_share_twenty_seven_connections() {
    let mut settings = settings_with_database();
    settings.database.server.max_connections = 30;
    let rds = Arc::new(Rds::start_with(settings).await);
    let server = rds.stack.database().unwrap().server().unwrap();
    testing::slow_down(server, 0.02).await.unwrap();
    testing::limit_account(server, 27).await.unwrap();
    let mut users = JoinSet::new();
    for _ in 0..30 {
        let rds = Arc::clone(&rds);
        users.spawn(async move {
            for _ in 0..50 {
                assert_eq!(rds.status("rds-pooled").await, 200);
            }
        });
    }
    // Who is refused is in the list too, for a moment: connecting until the account's limit is checked, then killed.
    const OPEN: &str = "SELECT COUNT(*) FROM information_schema.processlist \
        WHERE user = 'calls' AND command NOT IN ('Connect', 'Killed')";
    let mut administration = server.administration().await.unwrap();
    let mut most = 0;
    while !users.is_empty() {
        tokio::select! {
            Some(user) = users.join_next() => user.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(10)) => {
                let open: Option<u64> = administration.connection().query_first(OPEN).await.unwrap();
                most = most.max(open.unwrap());
            }
        }
    }
    assert!((20..=27).contains(&most), "{most} connections");
}
