//! Backends and callers that are made to be farther away than they are.

use std::time::{Duration, Instant};

use http::StatusCode;
use local_stack::{Distances, Settings};
use region::{DEFAULT_REGION, Profile};

use crate::{
    client::Client,
    common::{settings, start},
};

/// How long this many hits take, one after the other on one connection.
async fn hits(url: &str, hits: u32) -> Duration {
    let client = Client::new();
    let since = Instant::now();
    for _ in 0..hits {
        let (status, answer) = client.get(url).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    since.elapsed()
}

fn with_backends(profile: Profile) -> Settings {
    Settings {
        distances: Distances {
            backends: Some(profile),
            caller: None,
        },
        ..settings()
    }
}

#[tokio::test]
async fn a_call_takes_at_least_what_it_takes_in_the_region() {
    let profile = Profile::of(DEFAULT_REGION).unwrap();
    let stack = start(with_backends(profile.with("dynamodb UpdateItem", 200.0))).await;
    let url = format!("{}/dynamodb/hits", stack.url());
    // Log-normal with a median of 200 ms: that ten of them together take less than a third of that is next to impossible.
    let ten = hits(&url, 10).await;
    assert!(ten > Duration::from_millis(600), "{ten:?}");
    assert_eq!(stack.undelayed(), []);
    // What is metered is not delayed: the tenth hit was the last one.
    let metered = stack.metered().await.unwrap();
    let (_, count) = Client::new()
        .get(&format!("{}/dynamodb/hits", metered.url()))
        .await;
    assert_eq!(count, "11");
    metered.stop().await.unwrap();
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_that_the_profile_does_not_know_is_not_answered_and_named() {
    let known = "name,unit,value,p99,low,high,source,date\n\
        opening a connection,ms,1,,1,1,a test,2026-11-27\n";
    let stack = start(with_backends(Profile::read("test", known).unwrap())).await;
    let (status, _) = Client::new()
        .get(&format!("{}/dynamodb/hits", stack.url()))
        .await;
    assert!(status.is_server_error(), "{status}");
    let unknown = stack.undelayed();
    assert!(
        unknown
            .iter()
            .any(|call| call.to_string() == "dynamodb UpdateItem"),
        "{unknown:?}"
    );
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_caller_is_as_far_away_as_it_is_said() {
    let round_trip = Duration::from_millis(40);
    let stack = start(Settings {
        distances: Distances {
            backends: None,
            caller: Some(round_trip),
        },
        ..settings()
    })
    .await;
    // A connection is two round trips, each hit another one.
    let five = hits(&format!("{}/dynamodb/hits", stack.url()), 5).await;
    assert!(five >= round_trip * 7, "{five:?}");
    stack.stop().await.unwrap();
}
