//! Processes that a function has started.

use std::{fs, path::Path, time::Duration};

use crate::{
    neighbours::install,
    stack::{LONG, assert_nothing_runs_in, finished, in_its_session, line_with, processes_of},
};

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Parent:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: parent/
      Events: {Http: {Type: HttpApi, Properties: {Path: /parent, Method: GET}}}
";

/// Starts a process, and is then the function that answers nothing.
const PARENT: &str = "#!/bin/sh
sleep 600 &
exec ./runtime
";

#[tokio::test]
async fn a_killed_host_leaves_no_process_of_a_function_behind() {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let parent = directory.path().join("parent");
    install(PARENT.as_bytes(), &parent);
    fs::copy(
        root.join("target/lambda/empty/bootstrap"),
        parent.join("runtime"),
    )
    .unwrap();
    let template = directory.path().join("template.yaml");
    fs::write(&template, TEMPLATE).unwrap();

    let template = template.to_str().unwrap();
    let mut child = in_its_session(&["up", "--port", "0", "--template", template])
        .spawn()
        .unwrap();
    let session = child.id().unwrap();
    let line = line_with(&mut child, "/parent").await;
    let url = line.split_whitespace().nth(1).unwrap();
    let probe = in_its_session(&["probe", url, "-n", "2"]).spawn().unwrap();
    finished(probe).await.assert_code(0);
    // Until the shell's child has become the program, it is called as the shell is.
    let started = async {
        while !processes_of(session).contains(&"sleep".to_owned()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, started)
        .await
        .expect("it starts");
    child.kill().await.unwrap();
    assert_nothing_runs_in(session).await;
}
