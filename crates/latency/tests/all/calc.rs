//! `latency calc` with the repository's own template.

use std::path::Path;

use serde_json::Value;

use crate::{
    command::{Outcome, json},
    stack::{finished, in_its_session},
};

/// Runs it, and returns the row that it wrote beside how it ended.
async fn calc(arguments: &[&str]) -> (Outcome, Value) {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("calc.json");
    let mut all = vec!["calc"];
    all.extend(arguments);
    all.extend(["--export-json", file.to_str().unwrap()]);
    let outcome = finished(in_its_session(&all).spawn().unwrap()).await;
    let row = match Path::exists(&file) {
        true => json(&file)["rows"][0].clone(),
        false => Value::Null,
    };
    (outcome, row)
}

#[tokio::test]
async fn calculations_are_done_and_told() {
    let (outcome, row) = calc(&["60", "0.2"]).await;
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, Some(0), "{told}");
    for (key, expected) in [
        ("done", 60),
        ("failures", 0),
        ("redelivered", 0),
        ("dead_letters", 0),
    ] {
        assert_eq!(row[key], expected, "{key} of {row}");
    }
    let number = |key: &str| row[key].as_f64().unwrap();
    let invocations = number("invocations");
    assert!((1.0..=60.0).contains(&invocations), "{row}");
    assert_eq!(number("mean_batch_size"), 60.0 / invocations);
    assert!(
        number("wall_s") > 0.0 && number("enqueued_per_second") > 0.0,
        "{row}"
    );
    assert!(
        number("gigabyte_seconds") > 0.0 && number("peak_memory_mb") > 0.0,
        "{row}"
    );
    let percentiles = ["p50", "p99", "p99_9", "max"];
    let latencies = percentiles.map(|name| number(&format!("queue_to_done_{name}_ms")));
    assert!(latencies.is_sorted() && latencies[0] > 0.0, "{row}");
    // The least: $1.16 for the API, $0.40 to enqueue, and two write request units for each message, $1.4846. The most, with
    // batches of one: $0.80 to receive and delete, $0.20 for the invocation, and $1.4846 for the count; and GB-seconds.
    let dollars = number("usd_per_million");
    assert!((3.0446..6.5).contains(&dollars), "{row}");
}

#[tokio::test]
async fn calculations_that_are_not_done_in_time_are_failures() {
    let (outcome, row) = calc(&["20", "20", "--within", "100ms"]).await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let done = row["done"].as_u64().unwrap();
    assert!(done < 20, "{row}");
    let told = format!("20 calculations were enqueued and {done} are counted: ");
    assert!(outcome.stderr.contains(&told), "{}", outcome.stderr);
    assert_eq!(row["wall_s"], Value::Null);
    assert_eq!(row["usd_per_million"], Value::Null);
}

#[tokio::test]
async fn calculations_that_do_not_fit_the_timeout_are_refused() {
    let (outcome, _) = calc(&["1", "29"]).await;
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let told = outcome.stderr.lines().last().unwrap();
    assert_eq!(
        told,
        "latency: calculations of up to 29s do not fit the timeout of calc-worker, 30s, less 2s to count them"
    );
}
