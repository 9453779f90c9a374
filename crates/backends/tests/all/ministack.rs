//! The real emulator: its resources, its state, its end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use backends::{
    Error,
    ministack::{Ministack, find_program},
};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;

fn program() -> PathBuf {
    find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A request to the emulator, signed in name only.
async fn call(
    service: &str,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Result<(StatusCode, String), hyper_util::client::legacy::Error> {
    let scope = format!("Credential=test/20260101/eu-west-2/{service}/aws4_request");
    let request = request
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=none"),
        )
        .body(Full::new(body.into()))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request).await?.into_parts();
    // An emulator that is killed may end in the middle of its answer.
    let body = body.collect().await.unwrap_or_default().to_bytes();
    Ok((parts.status, String::from_utf8_lossy(&body).into_owned()))
}

async fn dynamodb(
    endpoint: &str,
    operation: &str,
    body: serde_json::Value,
) -> Result<(StatusCode, String), hyper_util::client::legacy::Error> {
    let request = Request::post(endpoint)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
    call("dynamodb", request, body.to_string()).await
}

fn template() -> serde_json::Value {
    json!({
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "N" }],
                    "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                },
            },
            "Bucket": { "Type": "AWS::S3::Bucket" },
            "Queue": { "Type": "AWS::SQS::Queue", "Properties": { "VisibilityTimeout": 7 } },
        },
        "Outputs": {
            "Table": { "Value": { "Ref": "Table" } },
            "Bucket": { "Value": { "Ref": "Bucket" } },
            "Queue": { "Value": { "Ref": "Queue" } },
            "QueueArn": { "Value": { "Fn::GetAtt": ["Queue", "Arn"] } },
        },
    })
}

#[tokio::test]
async fn what_is_in_a_durable_emulator_is_there_again_after_a_pause() {
    let mut ministack = Ministack::start_durable(&program()).await.unwrap();
    let endpoint = ministack.endpoint().to_owned();
    let outputs = ministack.deploy("resources", &template()).await.unwrap();
    assert!(
        outputs["QueueArn"].starts_with("arn:aws:sqs:eu-west-2:123456789012:resources-Queue-"),
        "{outputs:?}"
    );

    let hit = json!({
        "TableName": outputs["Table"],
        "Key": { "id": { "N": "0" } },
        "UpdateExpression": "ADD hits :one",
        "ExpressionAttributeValues": { ":one": { "N": "1" } },
        "ReturnValues": "UPDATED_NEW",
    });
    let (_, answer) = dynamodb(&endpoint, "UpdateItem", hit.clone())
        .await
        .unwrap();
    assert!(answer.contains(r#"{"N": "1"}"#), "{answer}");
    let object = format!("{endpoint}/{}/hits", outputs["Bucket"]);
    let (status, _) = call("s3", Request::put(&object), "7").await.unwrap();
    assert_eq!(status, StatusCode::OK);
    let message = "Action=SendMessage&MessageBody=hello".to_owned();
    let queue = &outputs["Queue"];
    let form = "application/x-www-form-urlencoded";
    let send = Request::post(queue).header("content-type", form);
    assert_eq!(call("sqs", send, message).await.unwrap().0, StatusCode::OK);

    ministack.suspend().await.unwrap();
    let refused = dynamodb(&endpoint, "UpdateItem", hit.clone()).await;
    assert!(refused.unwrap_err().is_connect());
    ministack.resume().await.unwrap();

    let (_, answer) = dynamodb(&endpoint, "UpdateItem", hit).await.unwrap();
    assert!(answer.contains(r#"{"N": "2"}"#), "{answer}");
    let (_, object) = call("s3", Request::get(&object), "").await.unwrap();
    assert_eq!(object, "7");
    let receive = Request::post(queue).header("content-type", form);
    let (_, received) = call("sqs", receive, "Action=ReceiveMessage").await.unwrap();
    assert!(received.contains("<Body>hello</Body>"), "{received}");
    ministack.stop().await.unwrap();
    let gone = dynamodb(&endpoint, "ListTables", json!({})).await;
    assert!(gone.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_stack_that_fails_says_which_resource_and_why() {
    let ministack = Ministack::start(&program()).await.unwrap();
    let failure = async |resource| {
        let template = json!({ "Resources": { "Bad": resource } });
        let failed = ministack.deploy("bad", &template).await;
        failed.unwrap_err().to_string()
    };
    assert_eq!(
        failure(json!({ "Type": "AWS::Logs::LogStream" })).await,
        "stack bad can't be made: Bad: AWS::Logs::LogStream requires LogGroupName"
    );
    let unknown = failure(json!({ "Type": "AWS::No::Such" })).await;
    assert!(unknown.contains("AWS::No::Such"), "{unknown}");
}

#[tokio::test]
async fn only_an_emulator_to_deploy_to_asks_who_calls() {
    let open = Ministack::start(&program()).await.unwrap();
    let guarded = Ministack::start_for_deployment(&program()).await.unwrap();
    let stranger = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-2/sqs/aws4_request, SignedHeaders=host, Signature=none";
    for (ministack, let_in) in [(open, true), (guarded, false)] {
        let list = format!("{}/?Action=ListQueues", ministack.endpoint());
        let request = Request::get(&list).header("authorization", stranger);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.status().is_success(), let_in);
        let owner = Request::get("/?Action=ListQueues");
        let answer = ministack.request("sqs", owner, "").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

/// A program that is not ministack, in a directory of its own.
fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ministack");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (directory, path)
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_quoted() {
    let (_directory, path) = script("#!/bin/sh\necho No module named ministack\necho\nexit 1\n");
    let error = Ministack::start(&path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ministack ended: No module named ministack"
    );
}

#[tokio::test]
async fn a_missing_python_is_told_from_a_missing_program() {
    let (directory, path) = script("#!/nowhere/python3\n");
    let error = Ministack::start(&path).await.unwrap_err();
    assert!(matches!(error, Error::NoInterpreter(_)), "{error}");
    let missing = directory.path().join("nothing");
    let error = Ministack::start(&missing).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchProgram { .. }), "{error}");
}
