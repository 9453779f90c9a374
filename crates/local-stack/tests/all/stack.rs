//! The repository's own template, run with the functions as they are built for Lambda.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, StatusCode};
use local_stack::{ApiCall, ServedFunction, Stack};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use crate::{
    client::Client,
    common::{root, settings, start},
    wait::until,
};

/// The recorded events of a function, by file name.
fn events(function: &str) -> BTreeMap<String, Vec<u8>> {
    let directory = root().join("events").join(function);
    std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// The functions that routes lead to.
fn routed(stack: &Stack) -> impl Iterator<Item = &ServedFunction> {
    let functions = stack.functions().iter();
    functions.filter(|function| !function.routes.is_empty())
}

#[tokio::test]
async fn no_recorded_event_of_any_function_is_a_function_error() {
    let stack = start(settings()).await;
    for function in stack.functions() {
        let name = &function.name;
        for (file, event) in events(name) {
            let answer = stack.host().invoke(name, event.into()).await.unwrap();
            assert_eq!(
                answer.function_error,
                None,
                "{name}/{file}: {}",
                answer.payload.escape_ascii()
            );
        }
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn every_recorded_event_of_a_route_is_answered_through_the_invoke_api() {
    let stack = start(settings()).await;
    let client = Client::new();
    for function in routed(&stack) {
        let name = &function.name;
        let url = format!("{}/2015-03-31/functions/{name}/invocations", stack.url());
        let mut hits = 0;
        for (file, event) in events(name) {
            let (status, answer) = client.send(Request::post(&url), event).await;
            assert_eq!(status, StatusCode::OK, "{name}/{file}: {answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            if file.starts_with("post-") || file.starts_with("head-") {
                assert_eq!(answer["statusCode"], 405, "{name}/{file}: {answer}");
                continue;
            }
            hits += 1;
            assert_eq!(answer["statusCode"], 200, "{name}/{file}: {answer}");
            if name.starts_with("counter-") {
                assert_eq!(answer["body"], hits.to_string(), "{name}/{file}");
            }
        }
        assert!(hits > 0, "no events for {name}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn routes_and_function_urls_lead_to_the_same_counter() {
    let stack = start(settings()).await;
    let client = Client::new();
    let url = stack.url();
    for function in routed(&stack) {
        let route = format!("{url}{}", function.routes[0].path);
        let (status, first) = client.get(&route).await;
        assert_eq!(status, StatusCode::OK, "{}", function.name);
        let (status, second) = client
            .get(&format!("{url}/lambda-url/{}/", function.name))
            .await;
        if function.function_url {
            assert_eq!((status, first.as_str()), (StatusCode::OK, "1"));
            assert_eq!(second, "2");
            let (status, _) = client.send(Request::delete(&route), "").await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{}", function.name);
        } else {
            assert_eq!(status, StatusCode::FORBIDDEN);
        }
    }
    assert_eq!(
        client.get(&format!("{url}/hits")).await.0,
        StatusCode::NOT_FOUND
    );
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_posted_to_calc_goes_through_the_queue_to_its_worker() {
    let stack = start(settings()).await;
    let client = Client::new();
    let url = format!("{}/calc", stack.url());
    for _ in 0..20 {
        let (status, answer) = client.send(Request::post(&url), r#"{"x": 0}"#).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let [mapping] = stack.event_source_mappings() else {
        panic!("one queue is polled")
    };
    assert_eq!(mapping.function(), "calc-worker");
    until("all are done", || mapping.metrics().deleted == 20).await;
    assert_eq!(mapping.metrics().failed, 0);
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn the_calls_of_a_function_are_counted() {
    let stack = start(settings()).await;
    let metered = stack.metered().await.unwrap();
    let client = Client::new();
    for (path, service, operation) in [
        ("/dynamodb/hits", "dynamodb", "UpdateItem"),
        ("/s3/hits", "s3", "PutObject"),
    ] {
        let call = ApiCall {
            service: service.to_owned(),
            operation: operation.to_owned(),
        };
        let url = format!("{}{path}", metered.url());
        // What the environment does once, when it starts, is not what a hit costs.
        assert_eq!(client.get(&url).await, (StatusCode::OK, "1".to_owned()));
        let before = metered.calls();
        for _ in 0..10 {
            assert_eq!(client.get(&url).await.0, StatusCode::OK);
        }
        let mut expected = before.clone();
        *expected.entry(call).or_default() += 10;
        assert_eq!(metered.calls(), expected, "{path}");
    }
    metered.stop().await.unwrap();
    // The state is the same: the next hit is the twelfth.
    let (_, hits) = client.get(&format!("{}/s3/hits", stack.url())).await;
    assert_eq!(hits, "12");
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_damaged_event_is_an_error_and_never_a_dead_environment() {
    let stack = start(settings()).await;
    let mut runner = TestRunner::new(Config::default());
    for function in stack.functions() {
        let name = &function.name;
        let recorded: Vec<Vec<u8>> = events(name).into_values().collect();
        let recorded = prop::sample::select(recorded);
        let damaged = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "\\PC{0,64}".prop_map(String::into_bytes),
            (recorded.clone(), any::<prop::sample::Index>()).prop_map(|(mut event, end)| {
                event.truncate(end.index(event.len()));
                event
            }),
            (recorded, any::<prop::sample::Index>(), any::<u8>()).prop_map(
                |(mut event, at, byte)| {
                    let at = at.index(event.len());
                    event[at] = byte;
                    event
                }
            ),
        ];
        let (_, whole) = events(name).pop_first().unwrap();
        stack
            .host()
            .invoke(name, whole.clone().into())
            .await
            .unwrap();
        let environment = stack.host().process_ids(name);
        for _ in 0..256 {
            let event = Bytes::from(damaged.new_tree(&mut runner).unwrap().current());
            stack.host().invoke(name, event.clone()).await.unwrap();
            assert_eq!(
                stack.host().process_ids(name),
                environment,
                "{name} died of {}",
                event.escape_ascii()
            );
        }
        let answer = stack.host().invoke(name, whole.into()).await.unwrap();
        assert!(answer.function_error.is_none(), "{name}");
    }
    stack.stop().await.unwrap();
}
