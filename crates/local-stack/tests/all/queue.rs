//! A queue between the API and a function: `POST /calc` puts a message on it, and its event source mapping invokes the
//! function.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use backends::ministack::REGION;
use http::{Request, StatusCode};
use local_lambda::{EventSourceMetrics, SqsEventSource, sqs_client};
use local_stack::{ApiCall, Settings, Stack};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::Client,
    common::{settings, start},
    wait::until,
};

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters:
  Concurrency: {Type: Number, Default: 2}
  Path: {Type: String}
Resources:
  HttpApi:
    Type: AWS::Serverless::HttpApi
    Properties:
      FailOnWarnings: true
      DefinitionBody:
        openapi: 3.0.1
        info: {title: !Ref AWS::StackName, version: '1'}
        paths:
          /calc:
            post:
              responses: {default: {description: What SQS answers}}
              x-amazon-apigateway-integration:
                type: AWS_PROXY
                integrationSubtype: SQS-SendMessage
                payloadFormatVersion: '1.0'
                connectionType: INTERNET
                credentials: !GetAtt ApiRole.Arn
                requestParameters:
                  QueueUrl: !Ref CalcQueue
                  MessageBody: $request.body
  ApiRole: {Type: AWS::IAM::Role}
  CalcQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 2
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt CalcDeadLetterQueue.Arn
        maxReceiveCount: 2
  CalcDeadLetterQueue: {Type: AWS::SQS::Queue}
  CalcWorker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: worker
      Runtime: provided.al2023
      Timeout: 1
      Environment:
        Variables:
          EVENTS: events
          PATH: !Ref Path
          API: !GetAtt HttpApi.ApiEndpoint
      Events:
        Http: {Type: HttpApi, Properties: {ApiId: !Ref HttpApi, Method: GET, Path: /calc}}
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt CalcQueue.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: !Ref Concurrency}
Outputs:
  CalcUrl: {Value: !Sub '${HttpApi.ApiEndpoint}/calc'}
  CalcQueueUrl: {Value: !Ref CalcQueue}
  CalcDeadLetterQueueUrl: {Value: !Ref CalcDeadLetterQueue}
  ApiRole: {Value: !GetAtt ApiRole.Arn}
";

/// The stack, and a function that does what each message asks of it.
struct Calc {
    stack: Stack,
    directory: TempDir,
}

impl Calc {
    async fn start(template: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = calc_settings(directory.path(), template);
        let stack = start(settings).await;
        Self { stack, directory }
    }

    async fn post(&self, url: &str, message: &Value) -> (StatusCode, String) {
        let request = Request::post(format!("{url}/calc"));
        Client::new().send(request, message.to_string()).await
    }

    fn metrics(&self) -> EventSourceMetrics {
        self.stack.event_source_mappings()[0].metrics()
    }

    /// The bodies of all records that the function was invoked with.
    fn bodies(&self) -> Vec<Value> {
        fs::read_to_string(self.directory.path().join("worker/events"))
            .unwrap_or_default()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .flat_map(|event| event["Records"].as_array().cloned().unwrap_or_default())
            .map(|record| serde_json::from_str(record["body"].as_str().unwrap()).unwrap())
            .collect()
    }
}

fn calc_settings(directory: &Path, template: &str) -> Settings {
    let function = Path::new(env!("CARGO_MANIFEST_DIR")).join("../local-lambda/tests/function.py");
    let bootstrap = directory.join("worker/bootstrap");
    fs::create_dir_all(bootstrap.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\nexec python3 '{}'\n", function.display());
    fs::write(&bootstrap, script).unwrap();
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.join("template.yaml");
    fs::write(&path, template).unwrap();
    let mut settings = Settings {
        template: path,
        ..settings()
    };
    settings
        .parameters
        .insert("Path".to_owned(), std::env::var("PATH").unwrap());
    settings
}

#[tokio::test]
async fn what_is_posted_reaches_the_function_and_is_deleted() {
    let calc = Calc::start(TEMPLATE).await;
    let url = calc.stack.url();
    for x in 0..20 {
        let (status, answer) = calc.post(&url, &json!({ "x": x })).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(answer.contains("<MessageId>"), "{answer}");
    }
    until("all are deleted", || calc.metrics().deleted == 20).await;
    let mut bodies = calc.bodies();
    bodies.sort_by_key(|body| body["x"].as_u64());
    assert_eq!(bodies, Vec::from_iter((0..20).map(|x| json!({ "x": x }))));
    let metrics = calc.metrics();
    assert_eq!(
        (metrics.records, metrics.redelivered, metrics.failed),
        (20, 0, 0)
    );
    assert!(metrics.peak_concurrency <= 2, "{metrics:?}");

    // The function's own routes are beside the queue's, and neither takes what is the other's.
    let (status, answer) = Client::new().get(&format!("{url}/calc")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(answer.contains("GET /calc"), "{answer}");
    let (status, _) = Client::new()
        .send(Request::put(format!("{url}/calc")), "")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_stack_tells_its_outputs_and_its_event_sources() {
    let calc = Calc::start(TEMPLATE).await;
    let outputs = calc.stack.outputs();
    assert_eq!(outputs["CalcUrl"], format!("{}/calc", calc.stack.url()));
    assert!(
        outputs["CalcQueueUrl"].starts_with("http://"),
        "{outputs:?}"
    );
    assert_ne!(outputs["CalcQueueUrl"], outputs["CalcDeadLetterQueueUrl"]);
    assert_eq!(outputs.len(), 3, "a role has no ARN locally: {outputs:?}");

    let mapping = &calc.stack.event_source_mappings()[0];
    assert_eq!(mapping.function(), "worker");
    let source = mapping.source();
    assert!(
        source
            .queue_arn
            .starts_with("arn:aws:sqs:eu-west-2:123456789012:")
    );
    let expected = SqsEventSource {
        queue_arn: source.queue_arn.clone(),
        batch_size: 10,
        batching_window: Duration::ZERO,
        maximum_concurrency: Some(2),
        report_batch_item_failures: true,
    };
    assert_eq!(source, &expected);
    let environment = calc.stack.environment("worker").unwrap();
    assert_eq!(environment["API"], calc.stack.url());
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn the_redrive_policy_of_the_template_takes_a_poisonous_message_away() {
    let calc = Calc::start(TEMPLATE).await;
    let url = calc.stack.url();
    let poison = json!({ "fail": true });
    calc.post(&url, &poison).await;
    calc.post(&url, &json!({ "x": 1 })).await;
    let dead_letter_queue = calc.stack.outputs()["CalcDeadLetterQueueUrl"].clone();
    let sqs = sqs_client(calc.stack.ministack().endpoint(), REGION);
    let dead = sqs
        .receive_message()
        .queue_url(dead_letter_queue)
        .wait_time_seconds(20)
        .send()
        .await
        .unwrap();
    assert_eq!(dead.messages().len(), 1);
    assert_eq!(dead.messages()[0].body(), Some(poison.to_string().as_str()));
    let metrics = calc.metrics();
    assert_eq!((metrics.deleted, metrics.failed), (1, 2));
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn messages_go_to_the_metered_functions_while_there_are_some() {
    let calc = Calc::start(TEMPLATE).await;
    let metered = calc.stack.metered().await.unwrap();
    for x in 0..3 {
        calc.post(&metered.url(), &json!({ "x": x })).await;
    }
    until("all are deleted", || calc.metrics().deleted == 3).await;
    assert!(!metered.host().process_ids("worker").is_empty());
    assert!(calc.stack.host().process_ids("worker").is_empty());
    let send = ApiCall {
        service: "sqs".to_owned(),
        operation: "SendMessage".to_owned(),
    };
    assert_eq!(
        metered.calls(),
        [(send, 3)].into(),
        "polling is not counted"
    );
    metered.stop().await.unwrap();
    calc.post(&calc.stack.url(), &json!({ "x": 4 })).await;
    until("it is deleted", || calc.metrics().deleted == 4).await;
    assert!(!calc.stack.host().process_ids("worker").is_empty());
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_disabled_event_is_not_polled() {
    let disabled = TEMPLATE.replace("BatchSize: 10", "Enabled: false");
    let calc = Calc::start(&disabled).await;
    assert!(calc.stack.event_source_mappings().is_empty());
    calc.stack.stop().await.unwrap();
}

#[tokio::test]
async fn what_lambda_would_refuse_fails_the_start_in_one_line() {
    for (from, to, expected) in [
        (
            "VisibilityTimeout: 2",
            "VisibilityTimeout: 0",
            "queue visibility timeout: 0 seconds is less than function timeout: 1 seconds",
        ),
        (
            "BatchSize: 10",
            "BatchSize: 11",
            "batches of more than 10 records need a batching window of at least one second",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        assert!(TEMPLATE.contains(from), "{from}");
        let settings = calc_settings(directory.path(), &TEMPLATE.replace(from, to));
        let Err(error) = Stack::start(settings).await else {
            panic!("it started")
        };
        let error = error.to_string();
        assert!(
            error.ends_with(expected) && !error.contains('\n'),
            "{error}"
        );
    }
}

#[tokio::test]
async fn nothing_is_left_running_with_a_batch_in_flight() {
    let calc = Calc::start(TEMPLATE).await;
    calc.post(&calc.stack.url(), &json!({ "sleep": 0.9 })).await;
    until("the batch is in flight", || !calc.bodies().is_empty()).await;
    let processes: Vec<PathBuf> = calc
        .stack
        .host()
        .process_ids("worker")
        .iter()
        .map(|id| Path::new("/proc").join(id.to_string()))
        .collect();
    assert_eq!(processes.len(), 1);
    calc.stack.stop().await.unwrap();
    assert!(processes.iter().all(|process| !process.exists()));
}
