//! calc-worker as it is built for Lambda, in a stack of its own. Its count is exact, whatever goes away or comes twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod wait;

use std::{collections::BTreeSet, fs, time::Duration};

use bytes::Bytes;
use common::{root, settings, start};
use http::Request;
use local_lambda::{FunctionError, HostSettings, Invocation, Logs};
use local_stack::{Settings, Stack};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use wait::until;

const WORKER: &str = "calc-worker";

/// A stack of the worker and its table, and where its template and its logs are.
struct Calc {
    stack: Stack,
    directory: TempDir,
}

impl Calc {
    async fn start(template: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("template.yaml");
        let built = root().canonicalize().unwrap().join("target/lambda");
        fs::write(&path, template.replace("$BUILT", built.to_str().unwrap())).unwrap();
        let stack = start(Settings {
            template: path,
            host: HostSettings {
                logs: Logs::Directory(directory.path().join("logs")),
                ..HostSettings::default()
            },
            durable: true,
            ..settings()
        })
        .await;
        Self { stack, directory }
    }

    /// Invokes the worker with a batch.
    async fn invoke(&self, event: Value) -> Invocation {
        let event = Bytes::from(event.to_string());
        self.stack.host().invoke(WORKER, event).await.unwrap()
    }

    /// The message ids of the records of a batch that failed.
    async fn failed(&self, event: Value) -> BTreeSet<String> {
        let invocation = self.invoke(event).await;
        assert_eq!(invocation.function_error, None, "{:?}", invocation.payload);
        let response: Value = serde_json::from_slice(&invocation.payload).unwrap();
        let failures = response["batchItemFailures"].as_array().unwrap().iter();
        failures
            .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The count.
    async fn count(&self) -> u64 {
        let get = json!({
            "TableName": self.stack.variables()["TABLE_NAME"],
            "Key": { "id": { "S": "done" } },
            "ConsistentRead": true,
        });
        let request = Request::post("/").header("x-amz-target", "DynamoDB_20120810.GetItem");
        let answer = self
            .stack
            .ministack()
            .request("dynamodb", request, get.to_string())
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        let answer: Value = serde_json::from_str(answer.body()).unwrap();
        let count = answer["Item"]["done"]["N"].as_str().unwrap_or("0");
        count.parse().unwrap()
    }

    /// The worker's log.
    fn log(&self) -> String {
        let log = self.directory.path().join("logs").join("calc-worker.log");
        fs::read_to_string(log).unwrap()
    }
}

const TEMPLATE: &str = "
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
  CalcWorker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: $BUILT/calc-worker
      Handler: bootstrap
      Runtime: provided.al2023
      Timeout: 30
      Environment: {Variables: {TABLE_NAME: !Ref Table}}
";

fn recorded(file: &str) -> Value {
    let file = root().join("events/calc-worker").join(file);
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// The ids of an event's records at these places.
fn ids(event: &Value, places: &[usize]) -> BTreeSet<String> {
    let id = |place: &usize| event["Records"][place]["messageId"].as_str().unwrap();
    places.iter().map(|place| id(place).to_owned()).collect()
}

#[tokio::test]
async fn every_recorded_event_is_answered_with_its_failed_records() {
    let calc = Calc::start(TEMPLATE).await;
    for (file, bad, count) in [
        ("one-record.json", vec![], 1),
        ("redelivery.json", vec![], 1),
        ("full-batch.json", vec![], 11),
        ("poison-among-good.json", vec![1, 3, 4, 5, 6, 7, 9], 14),
        ("fifo.json", vec![2, 4], 17),
    ] {
        let event = recorded(file);
        let expected = ids(&event, &bad);
        assert_eq!(calc.failed(event).await, expected, "{file}");
        assert_eq!(calc.count().await, count, "{file}");
    }
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn the_log_says_of_each_failed_record_why_with_message_and_request_id() {
    let calc = Calc::start(TEMPLATE).await;
    let event = recorded("poison-among-good.json");
    let reasons = [
        (1, "not JSON"),
        (3, "a number x"),
        (4, "negative"),
        (5, "not JSON"),
        (6, "a number x"),
        (7, "longer than"),
        (9, "not JSON"),
    ];
    calc.failed(event.clone()).await;
    // The report is the last line of an invocation.
    until("the invocation is in the log", || {
        calc.log().contains("REPORT RequestId")
    })
    .await;
    let log = calc.log();
    assert_eq!(log.matches("a record failed").count(), reasons.len());
    for (place, reason) in reasons {
        let id = event["Records"][place]["messageId"].as_str().unwrap();
        let line = log.lines().find(|line| line.contains(id)).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["message_id"], id);
        let error = line["error"].as_str().unwrap();
        assert!(error.contains(reason), "{error}");
        let request = line["spans"][0]["requestId"].as_str().unwrap();
        assert!(
            log.contains(&format!("REPORT RequestId: {request}")),
            "{log}"
        );
    }
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_batch_leaves_nothing_lost_and_nothing_twice() {
    let calc = Calc::start(TEMPLATE).await;
    let records: Vec<Value> = (0..20)
        .map(|id| {
            let x = f64::from(id) / 10.0;
            json!({ "messageId": id.to_string(), "body": json!({ "x": x }).to_string() })
        })
        .collect();
    let event = json!({ "Records": records });
    let killing = async {
        // Some are counted, and some are not yet.
        while calc.count().await < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let worker = calc.stack.host().process_ids(WORKER)[0].cast_signed();
        kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();
    };
    let (invocation, ()) = tokio::join!(calc.invoke(event.clone()), killing);
    assert_eq!(invocation.function_error, Some(FunctionError::Unhandled));
    assert!(calc.count().await < 20);
    assert_eq!(calc.failed(event).await, BTreeSet::new());
    assert_eq!(calc.count().await, 20);
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_concurrency_that_is_no_number_ends_the_init_phase() {
    let calc = Calc::start(&TEMPLATE.replace("{TABLE_NAME", "{CONCURRENCY: all, TABLE_NAME")).await;
    let invocation = calc.invoke(recorded("one-record.json")).await;
    assert_eq!(invocation.function_error, Some(FunctionError::Unhandled));
    until("the reason is in the log", || {
        calc.log().contains("CONCURRENCY is not a whole number")
    })
    .await;
    calc.stack.stop().await.unwrap();
}
