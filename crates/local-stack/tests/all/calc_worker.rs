//! calc-worker as it is built for Lambda, in a stack of its own: invoked, and at its queue. Its count is exact, whatever goes
//! away or comes twice.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use local_lambda::{FunctionError, HostSettings, Invocation, Logs};
use local_stack::{Settings, Stack};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    common::{root, settings, start},
    switch::Switch,
    wait::until,
};

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
        fs::write(&path, template.replace("$BUILT", built().to_str().unwrap())).unwrap();
        let stack = start(Settings {
            template: path,
            host: HostSettings {
                logs: Logs::Directory(directory.path().join("logs")),
                ..HostSettings::default()
            },
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

    /// Calls the emulator's API of a service.
    async fn call(&self, service: &str, operation: &str, body: Value) -> Value {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", operation);
        let emulator = self.stack.ministack();
        let answer = emulator.request(service, request, body.to_string()).await;
        let answer = answer.unwrap();
        assert!(answer.status().is_success(), "{operation}: {answer:?}");
        serde_json::from_str(answer.body()).unwrap()
    }

    /// The count.
    async fn count(&self) -> u64 {
        let get = json!({
            "TableName": self.stack.environment(WORKER).unwrap()["DONE_TABLE_NAME"],
            "Key": { "id": { "S": "done" } },
            "ConsistentRead": true,
        });
        let answer = self
            .call("dynamodb", "DynamoDB_20120810.GetItem", get)
            .await;
        let count = answer["Item"]["done"]["N"].as_str().unwrap_or("0");
        count.parse().unwrap()
    }

    /// Puts messages on the queue.
    async fn enqueue(&self, bodies: &[String]) {
        for bodies in bodies.chunks(10) {
            let entry = |(id, body)| json!({ "Id": format!("{id}"), "MessageBody": body });
            let entries: Vec<Value> = bodies.iter().enumerate().map(entry).collect();
            let send = json!({ "QueueUrl": self.stack.outputs()["Queue"], "Entries": entries });
            let answer = self.call("sqs", "AmazonSQS.SendMessageBatch", send).await;
            assert_eq!(answer["Successful"].as_array().unwrap().len(), bodies.len());
        }
    }

    /// How many messages are in the queue, whether or not they can be received now, and in its dead-letter queue.
    async fn depths(&self) -> (u64, u64) {
        (
            self.depth("Queue").await,
            self.depth("DeadLetterQueue").await,
        )
    }

    async fn depth(&self, output: &str) -> u64 {
        let url = &self.stack.outputs()[output];
        let get = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        let answer = self.call("sqs", "AmazonSQS.GetQueueAttributes", get).await;
        let depth = |name| answer["Attributes"][name].as_str().unwrap().parse::<u64>();
        depth("ApproximateNumberOfMessages").unwrap()
            + depth("ApproximateNumberOfMessagesNotVisible").unwrap()
    }

    /// Waits until so many are counted.
    async fn until_count(&self, count: u64) {
        let since = Instant::now();
        loop {
            let counted = self.count().await;
            if counted >= count {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{counted} of {count} are counted"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no message is in the queue and so many are in the dead-letter queue; then the count is final.
    async fn until_drained(&self, dead: u64) {
        let since = Instant::now();
        loop {
            let depths = self.depths().await;
            if depths == (0, dead) {
                return;
            }
            assert!(
                depths.1 <= dead && since.elapsed() < PATIENCE,
                "in the queue and in its dead-letter queue: {depths:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The worker's log.
    fn log(&self) -> String {
        let log = self.directory.path().join("logs").join("calc-worker.log");
        fs::read_to_string(log).unwrap()
    }
}

/// How long a drain may take on a busy machine: seconds are usual.
const PATIENCE: Duration = Duration::from_secs(300);

const TEMPLATE: &str = "
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 30
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn, maxReceiveCount: 5}
  DeadLetterQueue: {Type: AWS::SQS::Queue}
  CalcWorker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: $BUILT/calc-worker
      Handler: bootstrap
      Runtime: provided.al2023
      Timeout: 30
      Environment: {Variables: {DONE_TABLE_NAME: !Ref Table}}
      Events:
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
Outputs:
  Queue: {Value: !Ref Queue}
  DeadLetterQueue: {Value: !Ref DeadLetterQueue}
";

/// The same with a short wait until a failed message is visible again.
fn impatient() -> String {
    TEMPLATE.replace("Timeout: 30", "Timeout: 2")
}

/// The same, and no message fails for good on a busy machine.
fn impatient_and_forgiving() -> String {
    impatient().replace("maxReceiveCount: 5", "maxReceiveCount: 50")
}

/// Bodies of so many calculations of `x` seconds.
fn calculations(number: usize, x: f64) -> Vec<String> {
    vec![json!({ "x": x }).to_string(); number]
}

/// Where the functions are, built for Lambda.
fn built() -> PathBuf {
    root().canonicalize().unwrap().join("target/lambda")
}

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
    // Many transactions, one after the other.
    let records: Vec<Value> = (0..2000)
        .map(|id| json!({ "messageId": id.to_string(), "body": r#"{"x": 0}"# }))
        .collect();
    let event = json!({ "Records": records });
    let killing = async {
        // Some are counted, and some are not yet.
        while calc.count().await == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let worker = calc.stack.host().process_ids(WORKER)[0].cast_signed();
        kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();
    };
    let (invocation, ()) = tokio::join!(calc.invoke(event.clone()), killing);
    assert_eq!(invocation.function_error, Some(FunctionError::Unhandled));
    assert!(calc.count().await < 2000);
    assert_eq!(calc.failed(event).await, BTreeSet::new());
    assert_eq!(calc.count().await, 2000);
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_concurrency_that_is_no_number_ends_the_init_phase() {
    let calc = Calc::start(&TEMPLATE.replace("{DONE_", "{CONCURRENCY: all, DONE_")).await;
    let invocation = calc.invoke(recorded("one-record.json")).await;
    assert_eq!(invocation.function_error, Some(FunctionError::Unhandled));
    until("the reason is in the log", || {
        calc.log().contains("CONCURRENCY is not a whole number")
    })
    .await;
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn poison_among_good_messages_ends_in_the_dead_letter_queue_and_nothing_else_does() {
    let _alone = crate::ALONE.lock().await;
    let calc = Calc::start(&impatient()).await;
    let mut bodies = calculations(100, 0.01);
    let poison = ["x", "{}", "[1]", r#"{"x": -1}"#, r#"{"x": "1"}"#];
    for (place, body) in poison.into_iter().cycle().take(10).enumerate() {
        bodies.insert(place * 11, body.to_owned());
    }
    calc.enqueue(&bodies).await;
    calc.until_drained(10).await;
    assert_eq!(calc.count().await, 100);
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn ten_thousand_messages_drain_and_none_is_lost() {
    let _alone = crate::ALONE.lock().await;
    let calc = Calc::start(TEMPLATE).await;
    calc.enqueue(&calculations(10_000, 0.0)).await;
    calc.until_drained(0).await;
    assert_eq!(calc.count().await, 10_000);
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn messages_of_killed_workers_are_counted_once() {
    const KILLED: u64 = 4;
    let _alone = crate::ALONE.lock().await;
    let calc = Calc::start(&impatient_and_forgiving()).await;
    calc.enqueue(&calculations(200, 0.3)).await;
    for killed in 1..=KILLED {
        calc.until_count(killed * 30).await;
        let environments = calc.stack.host().process_ids(WORKER);
        let victim = environments[killed as usize % environments.len()].cast_signed();
        kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
    }
    calc.until_drained(0).await;
    assert_eq!(calc.count().await, 200);
    let redelivered = calc.stack.event_source_mappings()[0].metrics().redelivered;
    assert!(redelivered > 0, "no batch was in the middle of its work");
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn messages_wait_for_dynamodb_and_are_counted_once() {
    let _alone = crate::ALONE.lock().await;
    let switch = Switch::listen().await;
    let directory = tempfile::tempdir().unwrap();
    // The worker reaches the emulator by way of the switch, its queue and this test do not.
    let worker = directory.path().join("calc-worker");
    let script = format!(
        "#!/bin/sh\nexport AWS_ENDPOINT_URL={}\nexec '{}'\n",
        switch.url(),
        built().join("calc-worker/bootstrap").display()
    );
    executable(&worker.join("bootstrap"), &script);
    let by_the_switch =
        impatient_and_forgiving().replace("$BUILT/calc-worker", worker.to_str().unwrap());
    let calc = Calc::start(&by_the_switch).await;
    switch.on(calc.stack.ministack().endpoint());

    calc.enqueue(&calculations(50, 0.1)).await;
    calc.until_count(10).await;
    switch.off();
    calc.enqueue(&calculations(150, 0.1)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let away = calc.count().await;
    assert!(away < 200);
    switch.on(calc.stack.ministack().endpoint());

    calc.until_drained(0).await;
    assert_eq!(calc.count().await, 200);
    calc.stack.stop().await.unwrap();
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
