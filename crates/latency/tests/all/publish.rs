//! `latency publish`: CloudFormation and S3 are the emulator's.

use std::path::Path;

use backends::ministack::Ministack;
use http::Request;
use serde_json::{Value, json};

use crate::deployed::{assert_fails_with, in_account, outcome, python_function};

const API: &str = "https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com";

/// A stack with two functions, with a bucket for the page or without.
async fn deployed(with_page: bool) -> Ministack {
    let program = backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let ministack = Ministack::start(&program).await.unwrap();
    let function = |name| python_function(name, "def handler(event, context):\n    return {}\n");
    let mut template = json!({
        "Resources": { "CounterDynamodb": function("counter-dynamodb"), "Far": function("far") },
        "Outputs": {
            "CounterDynamodbUrl": { "Value": format!("{API}/dynamodb/hits") },
            "FarUrl": { "Value": "https://far.example/hits" },
        },
    });
    if with_page {
        template["Resources"]["PageBucket"] = json!({ "Type": "AWS::S3::Bucket" });
        template["Outputs"]["PageBucket"] = json!({ "Value": { "Ref": "PageBucket" } });
        template["Outputs"]["PageUrl"] = json!({ "Value": format!("{API}/") });
    }
    ministack.deploy("measured", &template).await.unwrap();
    ministack
}

/// The media type and the text of an object.
async fn object(ministack: &Ministack, bucket: &str, key: &str) -> (String, String) {
    let request = Request::get(format!("/{bucket}/{key}"));
    let answer = ministack.request("s3", request, "").await.unwrap();
    assert_eq!(answer.status(), 200, "{key}: {}", answer.body());
    assert_eq!(answer.headers()["cache-control"], "no-cache", "{key}");
    let content_type = answer.headers()["content-type"].to_str().unwrap();
    (content_type.to_owned(), answer.into_body())
}

#[tokio::test]
async fn the_page_is_uploaded_with_what_the_stack_has_to_call() {
    let ministack = deployed(true).await;
    let mut command = in_account(&["publish", "--stack", "measured"]);
    let outcome = outcome(command.env("AWS_ENDPOINT_URL", ministack.endpoint())).await;
    outcome.assert_code(0);
    let uploaded = outcome
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("s3://"));
    let uploaded: Vec<_> = uploaded.map(|it| it.split_once('/').unwrap()).collect();
    let keys: Vec<_> = uploaded.iter().map(|(_, key)| *key).collect();
    // What there is to call comes last: a page that is there without it asks again.
    let expected = [
        "index.html",
        "page/page.css",
        "page/page.js",
        "page/icon.svg",
        "page/architectures.json",
    ];
    assert_eq!(keys, expected);
    let last = format!("The page is at {API}/");
    assert!(
        outcome.stderr.ends_with(&format!("{last}\n")),
        "{}",
        outcome.stderr
    );

    let bucket = uploaded[0].0;
    for (key, kind) in [
        ("page/page.css", "text/css"),
        ("page/page.js", "text/javascript"),
    ] {
        let (content_type, text) = object(&ministack, bucket, key).await;
        assert_eq!(content_type, format!("{kind}; charset=utf-8"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
        let file = file.join(key.strip_prefix("page/").unwrap());
        assert_eq!(text, std::fs::read_to_string(file).unwrap());
    }
    let (_, index) = object(&ministack, bucket, "index.html").await;
    assert!(
        index.contains("connect-src 'self' https://far.example;"),
        "{index}"
    );
    let (content_type, text) = object(&ministack, bucket, "page/architectures.json").await;
    assert_eq!(content_type, "application/json");
    let architectures: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(architectures["region"], "eu-west-2");
    let of = |name: &str| {
        let mut all = architectures["architectures"].as_array().unwrap().iter();
        all.find(|it| it["name"] == name).unwrap().clone()
    };
    assert_eq!(of("counter-dynamodb")["url"], "/dynamodb/hits");
    assert_eq!(of("counter-dynamodb")["published"]["mean_ms"], 26.0);
    assert_eq!(of("far")["url"], "https://far.example/hits");
    assert_eq!(of("far")["published"], Value::Null);
}

#[tokio::test]
async fn a_stack_without_a_bucket_for_the_page_is_told_how_it_gets_one() {
    let ministack = deployed(false).await;
    let mut command = in_account(&["publish", "--stack", "measured"]);
    let outcome = outcome(command.env("AWS_ENDPOINT_URL", ministack.endpoint())).await;
    assert_fails_with(
        &outcome,
        2,
        "stack measured has no outputs PageBucket and PageUrl: sam deploy --parameter-overrides Page=public",
    );
}

#[tokio::test]
async fn what_s3_refuses_is_told_in_its_words() {
    let ministack = deployed(true).await;
    let s3 = crate::fake_lambda::FakeLambda::start(|_| {
        hyper::Response::builder()
            .status(403)
            .body(
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
                    .to_owned(),
            )
            .unwrap()
    })
    .await;
    let mut command = in_account(&["publish", "--stack", "measured"]);
    command
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", ministack.endpoint())
        .env("AWS_ENDPOINT_URL_S3", &s3.url);
    let outcome = outcome(&mut command).await;
    assert_fails_with(&outcome, 1, "S3 refuses: Access Denied (AccessDenied)");
    let put = &s3.calls()[0];
    assert_eq!(put.method, hyper::Method::PUT);
    // Without the body's hash S3 takes nothing.
    assert_eq!(put.headers["x-amz-content-sha256"].len(), 64);
    let signature = put.headers["authorization"].to_str().unwrap();
    assert!(
        signature.contains("/eu-west-2/s3/aws4_request"),
        "{signature}"
    );
    assert!(signature.contains("x-amz-content-sha256"), "{signature}");
}
