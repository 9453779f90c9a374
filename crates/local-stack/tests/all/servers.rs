//! The servers of ours that a template has.

use std::{fs, path::Path};

use local_stack::{Settings, Stack};

use crate::common::{root, settings, start};

#[tokio::test]
async fn the_counters_on_plain_servers_run_beside_the_functions_and_end_with_them() {
    let stack = start(settings()).await;
    let names: Vec<_> = stack.servers().iter().map(|it| it.name()).collect();
    assert_eq!(names, ["counter-server", "counter-server-state"]);
    let mut processes = Vec::new();
    for server in stack.servers() {
        assert_eq!(server.path(), "/hits");
        assert!(server.url().starts_with("http://127.0.0.1:"));
        assert!(!server.paid_by_the_hour().is_empty());
        let process = Path::new("/proc").join(server.process_ids()[0].to_string());
        let name = fs::read_to_string(process.join("comm")).unwrap();
        assert_eq!(name.trim(), "counter-server");
        processes.push(process);
    }
    stack.stop().await.unwrap();
    assert!(processes.iter().all(|process| !process.exists()));
}

/// This template's functions with these servers.
fn with_servers(directory: &Path, servers: &str) -> Settings {
    let package = directory.join("one");
    fs::create_dir_all(&package).unwrap();
    let built = root().join("target/lambda/empty/bootstrap");
    fs::copy(built, package.join("bootstrap")).unwrap();
    let template = directory.join("template.yaml");
    let text = format!(
        "Metadata:\n  Servers:\n{servers}
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: one, Runtime: provided.al2023}}
"
    );
    fs::write(&template, text).unwrap();
    Settings {
        template,
        ..settings()
    }
}

const GONE: &str =
    "    gone: {Program: gone, BuiltBy: make gone, HealthPath: /, Path: /, Optional: false}";

#[tokio::test]
async fn a_server_that_is_not_built_is_an_error_that_says_how_and_an_optional_one_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("gone");
    let reason = format!("{} is missing: run `make gone`", missing.display());

    let Err(error) = Stack::start(with_servers(directory.path(), GONE)).await else {
        panic!("it started")
    };
    let template = directory.path().join("template.yaml");
    assert_eq!(
        error.to_string(),
        format!("{}:3: {reason}", template.display())
    );

    let optional = GONE.replace("false", "true");
    let stack = start(with_servers(directory.path(), &optional)).await;
    assert!(stack.servers().is_empty());
    assert_eq!(stack.skipped()[0].name, "gone");
    assert_eq!(stack.skipped()[0].reason, reason);
    stack.stop().await.unwrap();
}
