//! What is recorded of the functions, as they are built for Lambda: the calls that each makes, in their order.

use http::StatusCode;
use local_stack::{Metered, Stack};
use rds_access::testing;
use region::{Recorded, Recording, Then};

use crate::{
    client::Client,
    common::{settings, settings_with_database, start},
};

/// A fresh environment and some warm invocations.
async fn recorded(metered: &Metered, function: &str, path: &str) -> Recorded {
    metered.host().retire_idle(function).await;
    let client = Client::new();
    for _ in 0..5 {
        let (status, answer) = client.get(&format!("{}{path}", metered.url())).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    metered.take_recorded(function)
}

fn calls(recording: &Recording) -> Vec<String> {
    let calls = recording.calls().map(|call| {
        let new = if call.new_connection { " (new)" } else { "" };
        format!("{} {}{new}", call.service, call.operation)
    });
    calls.collect()
}

/// Every call was answered, and every step took some time.
fn assert_whole(recording: &Recording) {
    let answered = recording.steps.iter();
    let answered = answered.filter(|step| matches!(step.then, Then::Answer(_)));
    assert_eq!(answered.count(), recording.calls().count(), "{recording:?}");
    let last = recording.steps.last().unwrap();
    assert_eq!(last.then, Then::End, "{recording:?}");
    assert!(recording.cpu_ms() > 0.0, "{recording:?}");
}

#[tokio::test]
async fn a_counter_connects_in_its_init_phase_and_makes_one_call_a_hit() {
    let stack = start(settings()).await;
    let metered = stack.metered().await.unwrap();
    for (function, path, call) in [
        ("counter-dynamodb", "/dynamodb/hits", "dynamodb UpdateItem"),
        ("counter-s3", "/s3/hits", "s3 PutObject"),
    ] {
        let recorded = recorded(&metered, function, path).await;
        let [cold] = &recorded.cold[..] else {
            panic!("{recorded:?}")
        };
        let init = calls(&cold.init);
        assert!(init.concat().ends_with(" (new)"), "{init:?}");
        assert_eq!(calls(&cold.first), [call], "{function}");
        assert_whole(&cold.first);
        assert_eq!(recorded.warm.len(), 4);
        for warm in &recorded.warm {
            assert_eq!(calls(warm), [call], "{function}");
            assert_whole(warm);
        }
    }
    metered.stop().await.unwrap();
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_is_connected_to_each_time_or_once() {
    let stack = start(settings_with_database()).await;
    testing::fill(server(&stack)).await.unwrap();
    let metered = stack.metered().await.unwrap();
    for (name, connects) in [
        ("direct", "mysql Connect (new)"),
        ("pooled", ""),
        ("proxy", "rds-proxy Connect (new)"),
    ] {
        let path = format!("/rds/{name}/transcriptions/1");
        let recorded = recorded(&metered, &format!("rds-{name}"), &path).await;
        assert_eq!(recorded.warm.len(), 4, "{name}");
        for warm in &recorded.warm {
            let calls = calls(warm);
            let service = connects.split(' ').next().filter(|it| !it.is_empty());
            let query = format!("{} Query", service.unwrap_or("mysql"));
            assert!(calls.contains(&query), "{name}: {calls:?}");
            let first = calls.first().unwrap();
            let expected = if connects.is_empty() {
                &query
            } else {
                connects
            };
            assert_eq!(first, expected, "{name}: {calls:?}");
            assert_whole(warm);
        }
    }
    metered.stop().await.unwrap();
    stack.stop().await.unwrap();
}

fn server(stack: &Stack) -> &backends::mariadb::MariaDb {
    stack.database().unwrap().server().unwrap()
}
