//! The counters in other languages, and what functions of managed runtimes do wrong: each is the error that Lambda has, and the
//! host goes on.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use http::{Request, StatusCode};
use local_lambda::{FunctionError, HostSettings, Invocation, Logs};
use local_stack::{Settings, Stack};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    client::Client,
    common::{settings, start},
};

const COUNTERS: [(&str, &str); 7] = [
    ("python-s3", "/python/s3/hits"),
    ("python-dynamodb", "/python/dynamodb/hits"),
    ("javascript-dynamodb", "/javascript/dynamodb/hits"),
    ("cpp-dynamodb", "/cpp/dynamodb/hits"),
    (
        "python-dynamodb-published",
        "/published/python/dynamodb/hits",
    ),
    (
        "javascript-dynamodb-published",
        "/published/javascript/dynamodb/hits",
    ),
    ("rust-dynamodb-published", "/published/rust/dynamodb/hits"),
];

fn with_baselines() -> Settings {
    Settings {
        parameters: BTreeMap::from([("Baselines".to_owned(), "all".to_owned())]),
        ..settings()
    }
}

#[tokio::test]
async fn each_counts_its_own_hits_from_one_and_only_those_of_get() {
    let stack = start(with_baselines()).await;
    assert_eq!(stack.skipped(), []);
    let client = Client::new();
    for (name, path) in COUNTERS {
        let url = format!("{}{path}", stack.url());
        for expected in 1..=3 {
            let answer = client.get(&url).await;
            assert_eq!(answer, (StatusCode::OK, expected.to_string()), "{name}");
        }
        let (status, _) = client.send(Request::post(&url), "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{name}");
        let answer = client.get(&url).await;
        assert_eq!(answer, (StatusCode::OK, "4".to_owned()), "{name}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn all_but_the_published_ones_are_exact_under_concurrency() {
    const CONNECTIONS: usize = 4;
    const HITS: usize = 10;
    let _alone = crate::ALONE.lock().await;
    let stack = start(with_baselines()).await;
    for (name, path) in COUNTERS {
        let url = format!("{}{path}", stack.url());
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let url = url.clone();
            connections.spawn(async move {
                let client = Client::new();
                let mut hits = Vec::new();
                for _ in 0..HITS {
                    let (status, body) = client.get(&url).await;
                    // On S3 a hit can run out of time, where many processes share two cores.
                    if status == StatusCode::OK {
                        hits.push(body.parse::<usize>().unwrap());
                    }
                }
                hits
            });
        }
        let mut hits = connections.join_all().await.concat();
        let acknowledged = hits.len();
        assert!(acknowledged > CONNECTIONS * HITS / 2, "{name}: {hits:?}");
        let (_, last) = Client::new().get(&url).await;
        let last: usize = last.parse().unwrap();
        if name.ends_with("-published") {
            // It may lose hits, and never invents one.
            assert!(last <= acknowledged + 1, "{last} after {acknowledged} hits");
            continue;
        }
        hits.sort_unstable();
        assert_eq!(hits, Vec::from_iter(1..=acknowledged), "{name}");
        assert_eq!(last, acknowledged + 1, "{name}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_backend_that_is_away_is_an_error_and_the_count_goes_on_after_it() {
    let mut stack = start(Settings {
        durable: true,
        ..with_baselines()
    })
    .await;
    let client = Client::new();
    for (name, path) in COUNTERS {
        let answer = client.get(&format!("{}{path}", stack.url())).await;
        assert_eq!(answer, (StatusCode::OK, "1".to_owned()), "{name}");
    }
    stack.ministack_mut().suspend().await.unwrap();
    for (name, path) in COUNTERS {
        let (status, _) = client.get(&format!("{}{path}", stack.url())).await;
        assert!(status.is_server_error(), "{name}: {status}");
    }
    stack.ministack_mut().resume().await.unwrap();
    for (name, path) in COUNTERS {
        let answer = client.get(&format!("{}{path}", stack.url())).await;
        assert_eq!(answer, (StatusCode::OK, "2".to_owned()), "{name}");
    }
    stack.stop().await.unwrap();
}

/// A stack of one function in another language, and where its template and its log are.
struct One {
    stack: Stack,
    directory: TempDir,
}

impl One {
    async fn start(runtime: &str, code: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stack = start(Settings {
            template: template(directory.path(), runtime, code),
            host: HostSettings {
                logs: Logs::Directory(directory.path().join("logs")),
                ..HostSettings::default()
            },
            ..settings()
        })
        .await;
        assert_eq!(stack.skipped(), [], "{runtime}");
        Self { stack, directory }
    }

    async fn invoke(&self, event: &str) -> Invocation {
        let event = Bytes::from(event.to_owned());
        self.stack.host().invoke("one", event).await.unwrap()
    }

    /// The error of an invocation: its type and its message.
    async fn error(&self, event: &str) -> (String, String) {
        let invocation = self.invoke(event).await;
        let payload = String::from_utf8_lossy(&invocation.payload);
        assert_eq!(
            invocation.function_error,
            Some(FunctionError::Unhandled),
            "{payload}"
        );
        let error: Value = serde_json::from_str(&payload).unwrap();
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (text("errorType"), text("errorMessage"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("logs/one.log")).unwrap()
    }
}

fn template(directory: &Path, runtime: &str, code: &str) -> std::path::PathBuf {
    let package = directory.join("one");
    fs::create_dir_all(&package).unwrap();
    let file = if runtime.starts_with("python") {
        "hits.py"
    } else {
        "hits.mjs"
    };
    fs::write(package.join(file), code).unwrap();
    let path = directory.join("template.yaml");
    let text = format!(
        "
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: one, Runtime: {runtime}, Handler: hits.handler, Timeout: 10}}
"
    );
    fs::write(&path, text).unwrap();
    path
}

const PYTHON: &str = "
import os

def handler(event, context):
    match event.get('do'):
        case 'raise':
            raise ValueError('asked for')
        case 'exit':
            os._exit(3)
        case 'print':
            print('to the log')
        case 'set':
            return {1, 2}
    return event
";

const JAVASCRIPT: &str = "
export async function handler(event) {
  switch (event.do) {
    case 'raise':
      throw new RangeError('asked for');
    case 'exit':
      process.exit(3);
    case 'print':
      console.log('to the log');
      break;
    case 'set':
      return 1n;
  }
  return event;
}
";

#[tokio::test]
async fn a_handler_in_python_that_goes_wrong_is_lambdas_error_and_the_next_event_is_answered() {
    a_handler_that_goes_wrong("python3.13", PYTHON, ["ValueError", "Runtime.MarshalError"]).await;
}

#[tokio::test]
async fn a_handler_in_javascript_that_goes_wrong_is_lambdas_error_and_the_next_event_is_answered() {
    a_handler_that_goes_wrong(
        "nodejs22.x",
        JAVASCRIPT,
        ["RangeError", "Runtime.JSONStringifyError"],
    )
    .await;
}

async fn a_handler_that_goes_wrong(runtime: &str, code: &str, [raised, bad]: [&str; 2]) {
    let one = One::start(runtime, code).await;
    let echo = r#"{"it": "lives"}"#;
    let lives = async || {
        let answer: Value = serde_json::from_slice(&one.invoke(echo).await.payload).unwrap();
        assert_eq!(answer["it"], "lives");
    };
    let error = one.error(r#"{"do": "raise"}"#).await;
    assert_eq!(error, (raised.to_owned(), "asked for".to_owned()));
    lives().await;
    // What it prints is log, and no answer.
    let answer = one.invoke(r#"{"do": "print"}"#).await;
    assert_eq!(answer.function_error, None);
    assert!(one.log().contains("to the log"), "{}", one.log());
    // An answer that is no JSON.
    let (kind, _) = one.error(r#"{"do": "set"}"#).await;
    assert_eq!(kind, bad);
    lives().await;
    let (kind, message) = one.error(r#"{"do": "exit"}"#).await;
    assert_eq!(kind, "Runtime.ExitError");
    assert!(
        message.ends_with("Runtime exited with error: exit status 3"),
        "{message}"
    );
    lives().await;
    one.stack.stop().await.unwrap();
}

#[tokio::test]
async fn an_init_phase_that_goes_wrong_is_lambdas_error() {
    for (runtime, code, kind) in [
        (
            "python3.13",
            "import os\nos._exit(3)\n",
            "Runtime.ExitError",
        ),
        (
            "python3.13",
            "import nothing_there\n",
            "Runtime.ImportModuleError",
        ),
        ("python3.13", "handle = 1\n", "Runtime.HandlerNotFound"),
        ("python3.13", "def\n", "Runtime.UserCodeSyntaxError"),
        ("nodejs22.x", "process.exit(3);\n", "Runtime.ExitError"),
        (
            "nodejs22.x",
            "import 'nothing-there';\n",
            "Runtime.ImportModuleError",
        ),
        (
            "nodejs22.x",
            "export const handle = 1;\n",
            "Runtime.HandlerNotFound",
        ),
        (
            "nodejs22.x",
            "export function {\n",
            "Runtime.UserCodeSyntaxError",
        ),
    ] {
        let one = One::start(runtime, code).await;
        let (found, message) = one.error("{}").await;
        assert_eq!(found, kind, "{runtime}: {message}");
        one.stack.stop().await.unwrap();
    }
}

#[tokio::test]
async fn without_its_runtime_a_function_is_skipped_and_the_others_are_served() {
    let tools = tempfile::tempdir().unwrap();
    let stack = start(Settings {
        tools: tools.path().to_owned(),
        ..with_baselines()
    })
    .await;
    let skipped: Vec<_> = stack
        .skipped()
        .iter()
        .map(|function| (function.name.as_str(), function.reason.as_str()))
        .collect();
    let python =
        "what runs python3.13 is not installed: `make baselines` installs it, or says why it can't";
    let javascript =
        "what runs nodejs22.x is not installed: `make baselines` installs it, or says why it can't";
    assert_eq!(
        skipped,
        [
            ("python-s3", python),
            ("python-dynamodb", python),
            ("javascript-dynamodb", javascript),
            ("python-dynamodb-published", python),
            ("javascript-dynamodb-published", javascript),
        ]
    );
    let client = Client::new();
    let (status, _) = client
        .get(&format!("{}/cpp/dynamodb/hits", stack.url()))
        .await;
    assert_eq!(status, StatusCode::OK);
    // As a path that nobody has.
    let (status, _) = client.get(&format!("{}/python/s3/hits", stack.url())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    stack.stop().await.unwrap();
}
