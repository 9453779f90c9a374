//! A function's row in the comparison, beside functions that fail.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::Value;

use crate::{
    command::json,
    stack::{finished, in_its_session},
};

/// The function that does nothing, and three that need many times its memory and never answer well.
const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: provided.al2023, Handler: bootstrap, Timeout: 3, MemorySize: 128}
Resources:
  Crashing:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: crashing/
      Events: {Http: {Type: HttpApi, Properties: {Path: /crashing, Method: GET}}}
  Empty:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: empty/
      Events: {Http: {Type: HttpApi, Properties: {Path: /empty, Method: GET}}}
  Failing:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: failing/
      Events: {Http: {Type: HttpApi, Properties: {Path: /failing, Method: GET}}}
  Throttled:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: throttled/
      ReservedConcurrentExecutions: 1
      Events: {Http: {Type: HttpApi, Properties: {Path: /throttled, Method: GET}}}
";

/// Ends in its init phase.
const CRASHING: &str = "#!/usr/bin/env python3
import http.client
raise SystemExit(1)
";

/// Answers every event with an error.
const FAILING: &str = r#"#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    answer.read()
    return answer
while True:
    id = call("GET", "next").getheader("Lambda-Runtime-Aws-Request-Id")
    call("POST", id + "/error", '{"errorType": "Always", "errorMessage": "asked for"}')
"#;

pub(crate) fn install(program: &[u8], directory: &Path) {
    fs::create_dir(directory).unwrap();
    install_as(program, &directory.join("bootstrap"));
}

/// Makes a program.
pub(crate) fn install_as(program: &[u8], path: &Path) {
    fs::write(path, program).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_failing_function_does_not_falsify_the_rows_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let empty = fs::read(root.join("target/lambda/empty/bootstrap")).unwrap();
    install(&empty, &directory.path().join("empty"));
    install(CRASHING.as_bytes(), &directory.path().join("crashing"));
    for name in ["failing", "throttled"] {
        install(FAILING.as_bytes(), &directory.path().join(name));
    }
    let template = directory.path().join("template.yaml");
    fs::write(&template, TEMPLATE).unwrap();

    let out = directory.path().join("out");
    let arguments = [
        "compare",
        "--burst=0",
        "--template",
        template.to_str().unwrap(),
        "-n",
        "60",
        "--starts",
        "3",
        "--allow-failures",
        "--out",
        out.to_str().unwrap(),
    ];
    finished(in_its_session(&arguments).spawn().unwrap())
        .await
        .assert_code(0);

    let results = json(&out.join("compare.json"));
    let row = |name: &str| -> Value {
        let rows = results["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["architecture"] == name);
        row.unwrap_or_else(|| panic!("no row {name} in {results}"))
            .clone()
    };
    let empty = row("empty");
    assert_eq!(empty["failures"], 0, "{empty}");
    // A Python that has loaded an HTTP client needs more than 8 MB.
    let memory = empty["peak_memory_mb"].as_f64().unwrap();
    assert!(memory < 8.0, "{empty}");
    for (name, part) in [
        ("crashing", "502"),
        ("failing", "502"),
        ("throttled", "503"),
    ] {
        let row = row(name);
        let causes = row["failures_by_cause"].to_string();
        assert!(causes.contains(part), "{row}");
        assert_eq!(row["p50_ms"], Value::Null, "{row}");
        assert!(
            row["remark"]
                .as_str()
                .unwrap()
                .starts_with("no request succeeded"),
            "{row}"
        );
    }
    // What never finished its init phase has no init duration.
    assert_eq!(row("crashing")["init_ms"], Value::Null);
}
