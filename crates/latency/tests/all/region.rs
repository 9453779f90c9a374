//! What it would be in a Region: the model's commands, and backends and callers as far away as there.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    command::{Outcome, json, send},
    stack::{finished, in_its_session, line_with},
};

async fn latency(arguments: &[&str]) -> Outcome {
    finished(in_its_session(arguments).spawn().unwrap()).await
}

fn number(row: &Value, key: &str) -> f64 {
    row[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {row}"))
}

#[tokio::test]
async fn tune_models_every_memory_size_from_one_recording() {
    let out = tempfile::tempdir().unwrap();
    let [file, picture] = ["tune.json", "tune.svg"].map(|name| out.path().join(name));
    let outcome = latency(&[
        "tune",
        "counter-dynamodb",
        "--memory=128,256,1769,3008",
        "--export-json",
        file.to_str().unwrap(),
        "--export-svg",
        picture.to_str().unwrap(),
    ])
    .await;
    outcome.assert_code(0);
    let json = json(&file);
    let rows = json["rows"].as_array().unwrap();
    let sizes: Vec<_> = rows.iter().map(|row| number(row, "memory_mb")).collect();
    assert_eq!(sizes, [128.0, 256.0, 1769.0, 3008.0]);
    for pair in rows.windows(2) {
        let [less, more] = pair else { unreachable!() };
        let duration = |row| number(row, "modelled_duration_ms");
        assert!(duration(more) <= duration(less) + 1e-6, "{json}");
        // It waits most of the time: more memory only costs more.
        let cost = |row| number(row, "modelled_usd_per_million");
        assert!(cost(more) > cost(less), "{json}");
    }
    assert!(
        rows[0]["remark"].as_str().unwrap().contains("cheapest"),
        "{json}"
    );
    let picture = fs::read_to_string(picture).unwrap();
    assert_eq!(picture.matches("<circle").count(), 8, "{picture}");
}

#[tokio::test]
async fn check_compares_the_model_with_what_others_measured() {
    let out = tempfile::tempdir().unwrap();
    let [file, recordings] = ["check.json", "recordings.json"].map(|name| out.path().join(name));
    let outcome = latency(&[
        "check",
        "--export-json",
        file.to_str().unwrap(),
        "--recordings",
        recordings.to_str().unwrap(),
    ])
    .await;
    outcome.assert_code(0);
    let rows = json(&file)["rows"].as_array().unwrap().clone();
    let share = rows
        .iter()
        .find(|row| row["what"] == "share of a core at 512 MB")
        .unwrap();
    assert!(
        (number(share, "modelled_to_published") - 1.0).abs() < 0.1,
        "{share}"
    );
    let recordings = json(&recordings);
    let warm = recordings["counter_dynamodb"]["warm"].as_array().unwrap();
    let call = &warm[0]["steps"][0]["then"]["Call"];
    assert_eq!(
        (&call["service"], &call["operation"]),
        (&"dynamodb".into(), &"UpdateItem".into())
    );
}

#[tokio::test]
async fn a_region_without_a_profile_is_named_with_those_that_have_one() {
    for arguments in [
        &["compare", "--region=mars-north-1", "--out=/tmp"][..],
        &["tune", "empty", "--region=mars-north-1"],
        &["up", "--port=0", "--region=mars-north-1"],
    ] {
        let outcome = latency(arguments).await;
        outcome.assert_code(2);
        let told = outcome.stderr.lines().last().unwrap();
        assert_eq!(
            told,
            "latency: --region: there is no profile of Region 'mars-north-1', but of eu-west-2"
        );
    }
}

#[tokio::test]
async fn backends_and_callers_are_as_far_away_as_it_is_said() {
    let mut up = in_its_session(&[
        "up",
        "--port=0",
        "--quiet",
        "--backend-latency=region",
        "--client-rtt=20ms",
    ])
    .spawn()
    .unwrap();
    let line = line_with(&mut up, "/dynamodb/hits").await;
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("probe.json");
    let outcome = latency(&[
        "probe",
        url,
        "-n=30",
        "--export-json",
        file.to_str().unwrap(),
    ])
    .await;
    send(up.id().unwrap(), Signal::INT);
    assert_eq!(finished(up).await.code, Some(0));
    outcome.assert_code(0);
    // 20 ms for the way; of the call, less than 1.5 ms in the median of 30 is next to impossible.
    let p50 = number(&json(&file)["rows"][0], "p50_ms");
    assert!(p50 > 21.5, "{p50}");
}
