//! What a stack can't be started with: one clear line each, and nothing left running.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use local_stack::{Settings, Stack};

use crate::{
    common::{settings, start},
    wait::until,
};

async fn failure(settings: Settings) -> String {
    let Err(error) = Stack::start(settings).await else {
        panic!("it started")
    };
    let error = error.to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

/// A template with one function, which is there.
fn template(directory: &Path, template: &str) -> PathBuf {
    let package = directory.join("one");
    fs::create_dir_all(&package).unwrap();
    script(&package.join("bootstrap"), "#!/bin/sh\n");
    let path = directory.join("template.yaml");
    fs::write(&path, template).unwrap();
    path
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

const ONE: &str = "
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: one
      Runtime: provided.al2023
      Events:
        A: {Type: HttpApi, Properties: {Method: GET, Path: /a}}
";

#[tokio::test]
async fn an_unknown_intrinsic_function_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let template = template(
        directory.path(),
        &ONE.replace("CodeUri: one", "CodeUri: !Transform one"),
    );
    let expected = format!(
        "{}:6: Fn::Transform is not supported locally",
        template.display()
    );
    let settings = Settings {
        template,
        ..settings()
    };
    assert_eq!(failure(settings).await, expected);
}

#[tokio::test]
async fn a_missing_binary_is_named_with_the_command_that_builds_it() {
    let directory = tempfile::tempdir().unwrap();
    let template = template(
        directory.path(),
        &ONE.replace("CodeUri: one", "CodeUri: target/lambda/two/"),
    );
    let expected = format!(
        "{}:6: target/lambda/two/bootstrap is missing: run `cargo lambda build --release`, for a baseline `make baselines`",
        template.display()
    );
    let settings = Settings {
        template,
        ..settings()
    };
    assert_eq!(failure(settings).await, expected);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let stack = start(settings()).await;
    let port: u16 = stack.url().rsplit(':').next().unwrap().parse().unwrap();
    let again = Settings { port, ..settings() };
    let expected = format!("port {port} is taken: stop what uses it, or choose another");
    assert_eq!(failure(again).await, expected);
    stack.stop().await.unwrap();
    let again = Settings { port, ..settings() };
    start(again).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_python_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let ministack = directory.path().join("ministack");
    script(&ministack, "#!/nowhere/bin/python3\n");
    let expected = format!(
        "{} can't be run: is its interpreter gone? install it again, ministack by `make tools`",
        ministack.display()
    );
    let settings = Settings {
        ministack,
        ..settings()
    };
    assert_eq!(failure(settings).await, expected);
}

#[tokio::test]
async fn what_fails_after_the_emulator_started_leaves_none_running() {
    let directory = tempfile::tempdir().unwrap();
    let emulator = directory.path().join("ministack");
    let started = directory.path().join("started");
    // The emulator itself, which leaves its process id behind.
    let text = format!(
        "#!/bin/sh\necho $$ > '{}'\nexec '{}'\n",
        started.display(),
        settings().ministack.display()
    );
    script(&emulator, &text);
    let twice = "\n        B: {Type: HttpApi, Properties: {Method: GET, Path: /a}}\n";
    let table =
        "  Table: {Type: AWS::DynamoDB::Table, Properties: {TableName: !Sub '${Gone.Arn}'}}\n";
    let gone = "  Gone: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Gone.Arn}}}\n";
    for (template_text, expected) in [
        (
            format!("{}{twice}", ONE.trim_end()),
            "route GET /a is defined twice",
        ),
        (format!("{ONE}{table}{gone}"), "stack local can't be made: "),
    ] {
        let settings = Settings {
            template: template(directory.path(), &template_text),
            ministack: emulator.clone(),
            ..settings()
        };
        let error = failure(settings).await;
        assert!(error.contains(expected), "{error}");
        let process = fs::read_to_string(&started).unwrap();
        let process = Path::new("/proc").join(process.trim());
        until("the emulator is gone", || !process.exists()).await;
        fs::remove_file(&started).unwrap();
    }
}
