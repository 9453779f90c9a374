//! A function's memory sizes, measured in a real Lambda API (ministack's) or one that fails as a test wants it: whatever
//! happens, the function is as it was, or it is told what is not.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use backends::ministack::Ministack;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
};

use crate::{
    command::{Outcome, json, send},
    deployed::{answer_to, assert_fails_with, in_account, outcome, python_function},
    fake_function::{Asked, FakeFunction, denied, refused, throttled},
    stack::{LONG, finished},
};

/// `latency tune counter-dynamodb` with this for AWS.
fn tune(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = in_account(&["tune", "counter-dynamodb", "--stack", "tuned"]);
    command.args(arguments).env("AWS_ENDPOINT_URL", endpoint);
    command
}

/// The same for 128, 256 and 512 MB, three invocations each.
async fn tuned(function: &FakeFunction) -> Outcome {
    outcome(&mut tune(&function.url, &SHORT)).await
}

const SHORT: [&str; 4] = ["--memory", "128,256,512", "-n", "3"];

/// What the function's versions and memory size were before.
fn assert_as_it_was(function: &FakeFunction) {
    let state = function.state();
    assert_eq!(state.memory_mb, 128);
    assert!(state.versions.is_empty(), "{:?}", state.versions);
}

fn assert_told(outcome: &Outcome, told: &str) {
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}

/// The child's lines until one contains `part`.
async fn said(lines: &mut tokio::io::Lines<BufReader<ChildStderr>>, part: &str) {
    let found = tokio::time::timeout(LONG, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(part) {
                return;
            }
        }
        panic!("it ended before it said '{part}'");
    });
    found.await.expect("it is said in time");
}

fn stderr_of(child: &mut Child) -> tokio::io::Lines<BufReader<ChildStderr>> {
    BufReader::new(child.stderr.take().unwrap()).lines()
}

/// A stack with a function of 128 MB that reports as Lambda does. Twice the memory takes half the time.
async fn deployed() -> Ministack {
    const CODE: &str = r#"import os, sys
cold = "\tInit Duration: 15.50 ms"
def handler(event, context):
    global cold
    memory = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    print(f"REPORT RequestId: 1\tDuration: {1280 / memory} ms\tBilled Duration: {1280 // memory} ms\tMemory Size: {memory} MB\tMax Memory Used: 21 MB{cold}", file=sys.stderr)
    cold = ""
    return {"statusCode": 200 if event["rawPath"] == "/dynamodb/hits" else 404}
"#;
    const PROBE: &str =
        "def handler(event, context):\n    return {'kernel_ms': 306.4 if event['kernel'] else 0}\n";
    let program = backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let ministack = Ministack::start(&program).await.unwrap();
    let url = "https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/dynamodb/hits";
    let template = json!({
        "Resources": {
            "CounterDynamodb": python_function("tuned-counter", CODE),
            "LatencyProbe": python_function("tuned-probe", PROBE),
        },
        "Outputs": {
            "CounterDynamodbUrl": { "Value": url },
            "LatencyProbeFunction": { "Value": "tuned-probe" },
        },
    });
    ministack.deploy("tuned", &template).await.unwrap();
    ministack
}

fn versions_of(ministack: &Ministack) -> String {
    let endpoint = ministack.endpoint();
    format!("{endpoint}/2015-03-31/functions/tuned-counter/versions")
}

/// The memory size of `$LATEST`, and the numbers of the versions.
async fn memory_size_and_versions(ministack: &Ministack) -> (u64, Vec<String>) {
    let answer = answer_to("GET", &versions_of(ministack)).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let all = answer["Versions"].as_array().unwrap();
    let (latest, versions): (Vec<_>, Vec<_>) =
        all.iter().partition(|it| it["Version"] == "$LATEST");
    let number = |version: &&Value| version["Version"].as_str().unwrap().to_owned();
    (
        latest[0]["MemorySize"].as_u64().unwrap(),
        versions.iter().map(number).collect(),
    )
}

/// The rows of `tune` in the emulator.
async fn rows(ministack: &Ministack, arguments: &[&str]) -> Vec<Value> {
    let results = results(ministack, arguments).await;
    results["rows"].as_array().unwrap().clone()
}

/// All that `tune` found in the emulator.
async fn results(ministack: &Ministack, arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tune.json");
    let mut command = tune(ministack.endpoint(), arguments);
    let outcome = outcome(command.arg("--export-json").arg(&file)).await;
    outcome.assert_code(0);
    json(&file)
}

#[tokio::test]
async fn a_function_is_measured_with_each_memory_size_and_is_then_as_it_was() {
    let ministack = deployed().await;
    let results = results(&ministack, &["--memory", "256,512", "-n", "5"]).await;
    let notes = results["notes"].to_string();
    let kernel = "A core of the Region took 306 ms for the kernel";
    assert!(notes.contains(kernel), "{notes}");
    let rows = results["rows"].as_array().unwrap();
    for (row, (memory_mb, ms)) in rows.iter().zip([(256, 5.0), (512, 2.5)]) {
        assert_eq!(row["memory_mb"], memory_mb);
        for key in ["mean_ms", "p50_ms", "p99_ms", "first_ms"] {
            assert_eq!(row[key], ms, "{key} of {row}");
        }
        let billed = f64::floor(ms);
        assert_eq!(row["billed_ms"], billed);
        assert_eq!(row["init_ms"], 15.5);
        assert_eq!(row["failures"], 0);
        // HTTP API and request, and the GB-seconds of a million invocations.
        let gb_seconds = f64::from(memory_mb) / 1024.0 * billed * 1e3;
        let dollars = 1.16 + 0.20 + gb_seconds * 0.000_016_666_7;
        let cost = row["usd_per_million_without_api_calls"].as_f64().unwrap();
        assert!((cost - dollars).abs() < 1e-9, "{cost} is not {dollars}");
        // The model of the template's own function stands beside it.
        let modelled = row["modelled_duration_ms"].as_f64().unwrap();
        let error = row["model_error_percent"].as_f64().unwrap();
        assert!(
            (error - (modelled / ms - 1.0) * 100.0).abs() < 1e-9,
            "{row}"
        );
    }
    // Half the time for twice the memory: the same GB-seconds, but that they are billed in whole milliseconds.
    let remarks: Vec<_> = rows
        .iter()
        .map(|row| row["remark"].as_str().unwrap())
        .collect();
    assert_eq!(remarks, ["", "cheapest, fastest, best balance"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(memory_size_and_versions(&ministack).await, (128, vec![]));
}

#[tokio::test]
async fn a_version_that_was_there_before_is_used_and_stays() {
    let ministack = deployed().await;
    // Nothing has changed since, so Lambda answers with this one where a version of 128 MB is wanted.
    answer_to("POST", &versions_of(&ministack)).await;
    let before = (128, vec!["1".to_owned()]);
    assert_eq!(memory_size_and_versions(&ministack).await, before);
    let rows = rows(&ministack, &["--memory", "128,256", "-n", "2"]).await;
    assert_eq!(
        (&rows[0]["mean_ms"], &rows[1]["mean_ms"]),
        (&json!(10.0), &json!(5.0))
    );
    assert_eq!(memory_size_and_versions(&ministack).await, before);
}

#[tokio::test]
async fn ctrl_c_while_it_invokes_leaves_the_function_as_it_was() {
    let ministack = deployed().await;
    let mut child = tune(ministack.endpoint(), &["--memory", "256", "-n", "1000000"])
        .spawn()
        .unwrap();
    let mut lines = stderr_of(&mut child);
    said(&mut lines, "invoking counter-dynamodb").await;
    send(child.id().unwrap(), Signal::INT);
    said(&mut lines, "putting counter-dynamodb back as it was").await;
    assert_eq!(finished(child).await.code, Some(130));
    assert_eq!(memory_size_and_versions(&ministack).await, (128, vec![]));
}

#[tokio::test]
async fn what_makes_no_sense_is_told_before_anything_is_asked() {
    let function = FakeFunction::sound().await;
    for (arguments, told) in [
        (["--memory", "256,128"], "--memory: 128 after 256"),
        (["--memory", "64"], "64 is not in 128..=10240"),
        (["-n", "0"], "zero for non-zero"),
    ] {
        let outcome = outcome(&mut tune(&function.url, &arguments)).await;
        outcome.assert_code(2);
        assert_told(&outcome, told);
    }
    assert_eq!(function.calls().len(), 0);
}

#[tokio::test]
async fn a_function_that_is_not_there_is_told_with_those_that_are() {
    let function = FakeFunction::sound().await;
    let mut command = in_account(&["tune", "counter-paper", "--stack", "tuned"]);
    assert_fails_with(
        &outcome(command.env("AWS_ENDPOINT_URL", &function.url)).await,
        2,
        "stack tuned has no function 'counter-paper' with an output for its URL, but counter-dynamodb, empty",
    );
}

#[tokio::test]
async fn the_function_has_its_memory_size_back_before_it_is_invoked() {
    let function = FakeFunction::sound().await;
    tuned(&function).await.assert_code(0);
    assert_as_it_was(&function);
    let state = function.state();
    // It had 128 MB: there is no need to ask for them.
    let expected = [
        "version 1",
        "256 MB",
        "version 2",
        "512 MB",
        "version 3",
        "128 MB",
    ];
    assert_eq!(state.changes, expected);
    let calls = function.calls();
    let first = |what: &str| calls.iter().position(|call| call.path.ends_with(what));
    let last_update = calls.iter().rposition(|call| call.method == "PUT");
    assert!(last_update < first("/invocations"));
    // The versions take turns.
    let invoked = calls
        .iter()
        .filter(|call| call.path.ends_with("/invocations"));
    let invoked: Vec<_> = invoked.map(|call| &*call.query).collect();
    assert_eq!(invoked.len(), 9);
    assert_eq!(
        invoked[..4],
        ["Qualifier=1", "Qualifier=2", "Qualifier=3", "Qualifier=1"]
    );
}

#[tokio::test]
async fn an_answer_that_is_no_2xx_is_a_failure() {
    let function = FakeFunction::sound().await;
    function.state().status = 500;
    let failed = tuned(&function).await;
    failed.assert_code(1);
    assert!(failed.stdout.contains("failures"), "{}", failed.stdout);
    assert_as_it_was(&function);
    let allowed = [&SHORT[..], &["--allow-failures"]].concat();
    outcome(&mut tune(&function.url, &allowed))
        .await
        .assert_code(0);
    assert_as_it_was(&function);
}

#[tokio::test]
async fn throttled_it_asks_again() {
    let asked: Mutex<Vec<Asked>> = Mutex::default();
    let function = FakeFunction::start(move |what, _| {
        let mut asked = asked.lock().unwrap();
        asked.push(what.clone());
        // Each change once, and an invocation too; also the change that is to put it back.
        let times = asked.iter().filter(|it| *it == what).count();
        match what {
            Asked::Update(_) | Asked::Delete(_) | Asked::Invoke(2) if times == 1 => {
                Some(throttled())
            }
            Asked::Publish if times == 1 => Some(refused(409, "ResourceConflictException")),
            _ => None,
        }
    })
    .await;
    tuned(&function).await.assert_code(0);
    assert_as_it_was(&function);
}

#[tokio::test]
async fn access_denied_it_says_that_nothing_was_changed() {
    let function =
        FakeFunction::start(|asked, _| matches!(asked, Asked::Update(_)).then(denied)).await;
    let mut command = tune(&function.url, &["--memory", "256,512"]);
    assert_fails_with(
        &outcome(&mut command).await,
        1,
        "nothing of function counter-dynamodb was changed: Lambda refuses: no (AccessDeniedException)",
    );
    assert_as_it_was(&function);
    let state = function.state();
    assert!(state.changes.is_empty(), "{:?}", state.changes);
}

#[tokio::test]
async fn access_denied_to_publish_the_memory_size_is_put_back() {
    let function = FakeFunction::start(|asked, _| (*asked == Asked::Publish).then(denied)).await;
    let mut command = tune(&function.url, &["--memory", "256,512"]);
    assert_fails_with(
        &outcome(&mut command).await,
        1,
        "Lambda refuses: no (AccessDeniedException)",
    );
    assert_as_it_was(&function);
    assert_eq!(function.state().changes, ["256 MB", "128 MB"]);
}

#[tokio::test]
async fn a_function_deleted_meanwhile_leaves_nothing_to_put_back() {
    for fatal in [Asked::Publish, Asked::Update(512), Asked::Invoke(2)] {
        let function = FakeFunction::start(move |asked, state| {
            state.deleted |= *asked == fatal;
            None
        })
        .await;
        assert_fails_with(
            &tuned(&function).await,
            1,
            "function counter-dynamodb was deleted meanwhile: there is nothing to put back: Lambda refuses: no \
             (ResourceNotFoundException)",
        );
    }
}

/// Has updates take until the test ends them; the child is in the middle of the first.
async fn in_an_update() -> (FakeFunction, Child) {
    let function = FakeFunction::sound().await;
    function.state().slow = true;
    let child = tune(&function.url, &["--memory", "256,512"])
        .spawn()
        .unwrap();
    function.until(|state| state.updating).await;
    (function, child)
}

/// Ends the update.
fn updated(function: &FakeFunction) {
    let mut state = function.state();
    (state.updating, state.slow) = (false, false);
}

#[tokio::test]
async fn interrupted_between_update_and_restore_the_memory_size_is_put_back() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (function, mut child) = in_an_update().await;
        let mut lines = stderr_of(&mut child);
        send(child.id().unwrap(), signal);
        said(&mut lines, "putting counter-dynamodb back as it was").await;
        updated(&function);
        assert_eq!(finished(child).await.code, Some(code));
        assert_as_it_was(&function);
        assert_eq!(function.state().changes, ["256 MB", "128 MB"]);
    }
}

/// Whatever Lambda is asked for when the signal comes: it does it, and the signal is obeyed once the function is as it was.
// On two threads: the fault waits until the child's id is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_at_any_step_the_function_is_as_it_was() {
    for step in [
        Asked::Configuration,
        Asked::Versions,
        Asked::Update(256),
        Asked::Publish,
        Asked::Update(512),
        Asked::Update(128),
        Asked::Invoke(2),
        Asked::Delete(1),
    ] {
        let child_id = Arc::new(OnceLock::new());
        let signalled = AtomicBool::new(false);
        let function = FakeFunction::start({
            let (child_id, step) = (child_id.clone(), step.clone());
            move |asked, _| {
                if *asked == step && !signalled.swap(true, Ordering::Relaxed) {
                    send(*child_id.wait(), Signal::INT);
                }
                None
            }
        })
        .await;
        let child = tune(&function.url, &["--memory", "256,512", "-n", "3"])
            .spawn()
            .unwrap();
        child_id.set(child.id().unwrap()).unwrap();
        let outcome = finished(child).await;
        assert_eq!(outcome.code, Some(130), "{step:?}: {}", outcome.stderr);
        assert_as_it_was(&function);
    }
}

#[tokio::test]
async fn interrupted_again_it_goes_on_putting_back_and_says_so() {
    let (function, mut child) = in_an_update().await;
    let mut lines = stderr_of(&mut child);
    send(child.id().unwrap(), Signal::INT);
    said(&mut lines, "putting counter-dynamodb back as it was").await;
    send(child.id().unwrap(), Signal::INT);
    said(&mut lines, "counter-dynamodb is put back first").await;
    updated(&function);
    assert_eq!(finished(child).await.code, Some(130));
    assert_as_it_was(&function);
}

#[tokio::test]
async fn interrupted_with_nobody_left_to_tell_it_is_put_back() {
    let (function, mut child) = in_an_update().await;
    // As when the terminal is gone: nobody reads what it says.
    drop((child.stdout.take(), child.stderr.take()));
    send(child.id().unwrap(), Signal::HUP);
    updated(&function);
    assert_eq!(finished(child).await.code, Some(129));
    assert_as_it_was(&function);
}

#[tokio::test]
async fn what_cannot_be_put_back_is_told_with_the_command_that_mends_it() {
    let function = FakeFunction::start(|asked, _| {
        matches!(asked, Asked::Update(128) | Asked::Delete(2)).then(denied)
    })
    .await;
    let outcome = tuned(&function).await;
    outcome.assert_code(1);
    let command = "--region eu-west-2 --function-name counter";
    for told in [
        "latency: function counter-dynamodb did not get its memory size back".to_owned(),
        format!(
            "latency: function counter-dynamodb is left with 512 MB (Lambda refuses: no (AccessDeniedException)); put it \
             back: aws lambda update-function-configuration {command} --memory-size 128"
        ),
        format!(
            "latency: version 2 of function counter-dynamodb is left (Lambda refuses: no (AccessDeniedException)); delete \
             it: aws lambda delete-function {command} --qualifier 2"
        ),
    ] {
        assert!(
            outcome.stderr.lines().any(|line| line == told),
            "{}",
            outcome.stderr
        );
    }
    let state = function.state();
    assert_eq!(state.versions.keys().collect::<Vec<_>>(), [&2]);
}

#[tokio::test]
async fn a_version_that_cannot_be_deleted_is_told_although_it_was_interrupted() {
    let function = FakeFunction::start(|asked, _| (*asked == Asked::Delete(1)).then(denied)).await;
    let mut child = tune(&function.url, &["--memory", "256", "-n", "1000000"])
        .spawn()
        .unwrap();
    let mut lines = stderr_of(&mut child);
    said(&mut lines, "invoking counter-dynamodb").await;
    send(child.id().unwrap(), Signal::INT);
    said(&mut lines, "version 1 of function counter-dynamodb is left").await;
    assert_eq!(finished(child).await.code, Some(1));
    assert_eq!(function.state().memory_mb, 128);
}

#[tokio::test]
async fn a_memory_size_that_somebody_else_gave_meanwhile_is_kept() {
    let function = FakeFunction::start(|asked, state| {
        if *asked == Asked::Publish && state.memory_mb == 256 {
            state.changed_by_somebody_else(777);
        }
        None
    })
    .await;
    let outcome = tuned(&function).await;
    outcome.assert_code(1);
    for told in [
        "latency: somebody else changed function counter-dynamodb meanwhile: Lambda refuses: no (PreconditionFailedException)",
        "latency: function counter-dynamodb has 777 MB, which somebody else gave it meanwhile: it keeps them; before it had 128",
    ] {
        assert!(
            outcome.stderr.lines().any(|line| line == told),
            "{}",
            outcome.stderr
        );
    }
    let state = function.state();
    assert_eq!(state.memory_mb, 777);
    assert!(state.versions.is_empty(), "{:?}", state.versions);
}

#[tokio::test]
async fn somebody_elses_change_of_something_else_stops_it_and_the_memory_size_is_put_back() {
    let function = FakeFunction::start(|asked, state| {
        if *asked == Asked::Publish && state.memory_mb == 256 {
            state.changed_by_somebody_else(256);
        }
        None
    })
    .await;
    assert_fails_with(
        &tuned(&function).await,
        1,
        "somebody else changed function counter-dynamodb meanwhile: Lambda refuses: no (PreconditionFailedException)",
    );
    assert_as_it_was(&function);
}

#[tokio::test]
async fn somebody_elses_code_is_not_measured() {
    let function = FakeFunction::start(|asked, state| {
        if *asked == Asked::Publish && state.memory_mb == 256 {
            state.code = "other";
        }
        None
    })
    .await;
    assert_fails_with(
        &tuned(&function).await,
        1,
        "somebody else gave function counter-dynamodb other code meanwhile",
    );
    assert_as_it_was(&function);
}

#[tokio::test]
async fn somebody_elses_change_while_it_is_put_back_is_looked_at_again() {
    let changed = AtomicBool::new(false);
    let function = FakeFunction::start(move |asked, state| {
        if *asked == Asked::Update(128) && !changed.swap(true, Ordering::Relaxed) {
            state.changed_by_somebody_else(512);
        }
        None
    })
    .await;
    tuned(&function).await.assert_code(0);
    assert_as_it_was(&function);
}

#[tokio::test]
async fn a_version_whose_number_was_never_told_is_found_and_deleted_and_no_other() {
    let function = FakeFunction::start(|asked, state| {
        state.loses_answer = *asked == Asked::Publish;
        if *asked == Asked::Versions && state.versions.len() == 1 {
            state.changed_by_somebody_else(128);
            state.published_by_somebody_else();
        }
        None
    })
    .await;
    assert_fails_with(
        &tuned(&function).await,
        1,
        "Lambda refuses: no (ServiceException)",
    );
    let state = function.state();
    let left: Vec<_> = state.versions.values().map(|it| &*it.description).collect();
    assert_eq!(left, ["release 7"]);
}
