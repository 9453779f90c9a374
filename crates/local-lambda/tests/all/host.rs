//! The host with a real program in its environments: `function.py`, which speaks the Runtime API.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use local_lambda::{
    Error, Function, FunctionError, Host, HostSettings, Invocation, InvokeError, Logs, Report,
    Status,
};
use serde_json::{Value, json};

use crate::common::{function, until};

/// A host of one function `f` and the reports it made.
fn host(function: Function, settings: HostSettings) -> (Host, Arc<Mutex<Vec<Report>>>) {
    let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
    let sink = reports.clone();
    let on_report: local_lambda::OnReport =
        Arc::new(move |report| sink.lock().unwrap().push(report.clone()));
    (
        Host::new(
            vec![function],
            HostSettings {
                on_report: Some(on_report),
                ..settings
            },
        )
        .unwrap(),
        reports,
    )
}

async fn invoke(host: &Host, event: Value) -> Result<Invocation, InvokeError> {
    host.invoke("f", Bytes::from(event.to_string())).await
}

async fn answer(host: &Host, event: Value) -> Value {
    let invocation = invoke(host, event).await.unwrap();
    assert_eq!(invocation.function_error, None, "{:?}", invocation.payload);
    serde_json::from_slice(&invocation.payload).unwrap()
}

async fn failure(host: &Host, event: Value) -> Value {
    let invocation = invoke(host, event).await.unwrap();
    assert_eq!(invocation.function_error, Some(FunctionError::Unhandled));
    serde_json::from_slice(&invocation.payload).unwrap()
}

fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

#[tokio::test]
async fn a_cold_start_is_reported_once_and_the_environment_is_used_again() {
    let (host, reports) = host(function("f"), HostSettings::default());
    let first = answer(&host, json!({})).await;
    let second = answer(&host, json!({})).await;
    assert_eq!(first["pid"], second["pid"]);
    until("two reports", || reports.lock().unwrap().len() == 2).await;
    let reports = reports.lock().unwrap();
    let init = reports[0].init_duration.unwrap();
    assert!(reports[0].billed_duration >= init + reports[0].duration);
    assert_eq!(reports[1].init_duration, None);
    assert!(reports[1].max_memory_used_bytes > 1 << 20);
    assert!(
        reports
            .iter()
            .all(|report| report.status == Status::Success)
    );
}

#[tokio::test]
async fn a_settled_host_has_reported_those_whose_caller_gave_up_too() {
    let slow = Function {
        timeout: Duration::from_secs(1),
        ..function("f")
    };
    let (host, reports) = host(slow, HostSettings::default());
    let call = host.invoke("f", Bytes::from_static(br#"{"sleep": 30}"#));
    tokio::time::timeout(Duration::from_millis(100), call)
        .await
        .unwrap_err();
    host.settled().await;
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].status, Status::Timeout);
}

/// A process that a function has started.
struct Started(tempfile::NamedTempFile);

impl Started {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().unwrap())
    }

    /// An event that starts it and asks for more.
    fn event(&self, more: Value) -> Value {
        let mut event = json!({ "child": self.0.path() });
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        event
    }

    /// Its state, the third field of proc_pid_stat(5); none if it has ended.
    fn state(&self) -> Option<char> {
        let id = std::fs::read_to_string(self.0.path()).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).ok()?;
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        (state != 'Z').then_some(state)
    }
}

#[tokio::test]
async fn a_timeout_ends_what_the_function_has_started_too() {
    let short = Function {
        timeout: Duration::from_secs(1),
        ..function("f")
    };
    let (host, _) = host(short, HostSettings::default());
    let child = Started::new();
    let outcome = invoke(&host, child.event(json!({ "sleep": 30 }))).await;
    assert!(outcome.unwrap().function_error.is_some());
    until("the child is gone", || child.state().is_none()).await;
}

#[tokio::test]
async fn an_environment_that_ends_takes_what_it_has_started_along() {
    let (host, _) = host(function("f"), HostSettings::default());
    let child = Started::new();
    let outcome = invoke(&host, child.event(json!({ "exit": 1 }))).await;
    assert!(outcome.unwrap().function_error.is_some());
    until("the child is gone", || child.state().is_none()).await;
}

#[tokio::test]
async fn what_a_function_has_started_is_frozen_and_thawed_with_it() {
    let frozen = HostSettings {
        freeze: true,
        ..HostSettings::default()
    };
    let (host, _) = host(function("f"), frozen);
    let child = Started::new();
    answer(&host, child.event(json!({}))).await;
    until("the child is frozen", || child.state() == Some('T')).await;
    let running = tokio::spawn({
        let host = host.clone();
        async move { answer(&host, json!({ "sleep": 1 })).await }
    });
    until("the child runs", || child.state() == Some('S')).await;
    running.await.unwrap();
    host.shutdown().await;
    until("the child is gone", || child.state().is_none()).await;
}

#[tokio::test]
async fn an_environment_has_one_event_at_a_time_and_the_most_recently_used_goes_first() {
    let (host, _) = host(function("f"), HostSettings::default());
    let slow = (0..3).map(|_| {
        let host = host.clone();
        async move { answer(&host, json!({ "sleep": 0.5 })).await }
    });
    let pids: Vec<Value> = all(slow)
        .await
        .into_iter()
        .map(|answer| answer["pid"].clone())
        .collect();
    assert_eq!(
        pids.iter()
            .map(Value::to_string)
            .collect::<BTreeSet<_>>()
            .len(),
        3,
        "{pids:?}"
    );
    let last = answer(&host, json!({})).await["pid"].clone();
    for _ in 0..5 {
        assert_eq!(answer(&host, json!({})).await["pid"], last);
    }
    assert_eq!(host.process_ids("f").len(), 3);
}

/// Runs the futures side by side.
async fn all<F: Future + Send + 'static>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F::Output: Send,
{
    let mut set = tokio::task::JoinSet::new();
    for future in futures {
        set.spawn(future);
    }
    set.join_all().await
}

#[tokio::test]
async fn above_the_concurrency_limit_events_are_throttled() {
    let limited = Function {
        reserved_concurrency: Some(2),
        ..function("f")
    };
    let (host, _) = host(limited, HostSettings::default());
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let host = host.clone();
            async move { invoke(&host, json!({ "sleep": 1 })).await }
        })
        .collect();
    let outcomes = all(calls.into_iter()).await;
    let throttled = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(InvokeError::Throttled)))
        .count();
    assert_eq!((outcomes.len() - throttled, throttled), (2, 3));
    answer(&host, json!({})).await;
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_ended_and_the_next_call_gets_a_fresh_environment() {
    let quick = Function {
        timeout: Duration::from_millis(300),
        ..function("f")
    };
    let (host, reports) = host(quick, HostSettings::default());
    let before = answer(&host, json!({})).await["pid"].clone();
    let error = failure(&host, json!({ "sleep": 30 })).await;
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    assert!(
        error["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with("Task timed out after 0.30 seconds"),
        "{error}"
    );
    let pid = u32::try_from(before.as_u64().unwrap()).unwrap();
    assert_eq!(process_state(pid), None, "the process is gone");
    assert_ne!(answer(&host, json!({})).await["pid"], before);
    assert_eq!(reports.lock().unwrap()[1].status, Status::Timeout);
}

#[tokio::test]
async fn a_crash_fails_its_own_invocation_only() {
    let (host, reports) = host(function("f"), HostSettings::default());
    let error = failure(&host, json!({ "exit": 7 })).await;
    assert_eq!(error["errorType"], "Runtime.ExitError");
    assert!(
        error["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with("Runtime exited with error: exit status 7"),
        "{error}"
    );
    answer(&host, json!({})).await;
    until("two reports", || reports.lock().unwrap().len() == 2).await;
    let reports = reports.lock().unwrap();
    assert_eq!(reports[0].status, Status::Crash);
    assert!(reports[1].init_duration.is_some(), "a fresh environment");
}

#[tokio::test]
async fn a_crash_after_the_answer_loses_no_event() {
    let (host, _) = host(function("f"), HostSettings::default());
    for _ in 0..10 {
        answer(&host, json!({ "then": "exit" })).await;
    }
}

#[tokio::test]
async fn an_error_of_the_function_keeps_its_environment() {
    let (host, _) = host(function("f"), HostSettings::default());
    let pid = answer(&host, json!({})).await["pid"].clone();
    assert_eq!(
        failure(&host, json!({ "error": "Oops" })).await["errorType"],
        "Oops"
    );
    assert_eq!(answer(&host, json!({})).await["pid"], pid);
}

#[tokio::test]
async fn an_init_phase_that_fails_is_the_invocations_error() {
    for (init, error_type) in [("exit", "Runtime.ExitError"), ("error", "NoTable")] {
        let mut broken = function("f");
        broken
            .environment
            .insert("INIT".to_owned(), init.to_owned());
        let (host, reports) = host(broken, HostSettings::default());
        assert_eq!(failure(&host, json!({})).await["errorType"], error_type);
        until("a report", || !reports.lock().unwrap().is_empty()).await;
        assert_eq!(reports.lock().unwrap()[0].status, Status::Crash);
        assert_eq!(host.process_ids("f"), Vec::<u32>::new());
    }
}

#[tokio::test]
async fn an_init_phase_that_takes_too_long_is_ended() {
    let mut hanging = function("f");
    hanging
        .environment
        .insert("INIT".to_owned(), "hang".to_owned());
    let (host, _) = host(hanging, HostSettings::default());
    let error = failure(&host, json!({})).await;
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("Init timed out after 10.00 seconds"),
        "{message}"
    );
    assert_eq!(host.process_ids("f"), Vec::<u32>::new());
}

#[tokio::test]
async fn a_frozen_environment_stands_still_until_its_next_event() {
    let (host, _) = host(
        function("f"),
        HostSettings {
            freeze: true,
            ..HostSettings::default()
        },
    );
    for _ in 0..3 {
        answer(&host, json!({})).await;
        let pid = host.process_ids("f")[0];
        until("the process is stopped", || process_state(pid) == Some('T')).await;
    }
    host.shutdown().await;
    assert_eq!(host.process_ids("f"), Vec::<u32>::new());
}

#[tokio::test]
async fn idle_environments_are_retired() {
    let (host, _) = host(
        function("f"),
        HostSettings {
            idle_timeout: Duration::from_millis(50),
            ..HostSettings::default()
        },
    );
    answer(&host, json!({})).await;
    until("no environment is left", || {
        host.process_ids("f").is_empty()
    })
    .await;
    answer(&host, json!({})).await;
}

#[tokio::test]
async fn an_invocation_outlives_the_caller_who_gives_up() {
    let (host, reports) = host(function("f"), HostSettings::default());
    let call = invoke(&host, json!({ "sleep": 0.5 }));
    assert!(
        tokio::time::timeout(Duration::from_millis(200), call)
            .await
            .is_err()
    );
    until("the report", || reports.lock().unwrap().len() == 1).await;
    assert_eq!(reports.lock().unwrap()[0].status, Status::Success);
}

#[tokio::test]
async fn payloads_are_bounded_on_both_ways() {
    let (host, _) = host(function("f"), HostSettings::default());
    let six_megabytes = 6 * 1024 * 1024;
    let error = failure(&host, json!({ "fill": six_megabytes })).await;
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
    let large = answer(&host, json!({ "fill": six_megabytes - 1000 })).await;
    assert_eq!(large["fill"].as_str().unwrap().len(), six_megabytes - 1000);
    let too_large = Bytes::from(vec![b' '; six_megabytes + 1]);
    assert!(matches!(
        host.invoke("f", too_large).await,
        Err(InvokeError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn the_environment_has_lambdas_variables_and_nothing_of_the_hosts() {
    let mut configured = function("f");
    configured
        .environment
        .insert("TABLE_NAME".to_owned(), "hits".to_owned());
    let (host, _) = host(configured, HostSettings::default());
    let answer = answer(&host, json!({ "environment": true })).await;
    let variables = &answer["environment"];
    assert_eq!(variables["TABLE_NAME"], "hits");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "f");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "128");
    assert_eq!(variables["_HANDLER"], "bootstrap");
    for of_the_host in ["HOME", "CARGO_MANIFEST_DIR"] {
        assert_eq!(variables.get(of_the_host), None, "{of_the_host}");
    }
    let deadline = answer["deadline_ms"].as_f64().unwrap();
    assert!((1.0..=10_000.0).contains(&deadline), "{deadline}");
}

#[tokio::test]
async fn the_log_has_the_functions_output_and_the_report_line() {
    let directory = tempfile::tempdir().unwrap();
    let logs = Logs::Directory(directory.path().join("logs"));
    let (host, _) = host(
        function("f"),
        HostSettings {
            logs,
            ..HostSettings::default()
        },
    );
    let invocation = invoke(&host, json!({ "print": "hello from inside" }))
        .await
        .unwrap();
    let log = directory.path().join("logs/f.log");
    let report = format!("REPORT RequestId: {}\tDuration: ", invocation.request_id);
    until("the log is written", || {
        std::fs::read_to_string(&log).unwrap().contains(&report)
    })
    .await;
    let text = std::fs::read_to_string(&log).unwrap();
    let words: Vec<_> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(words, ["START", "hello", "END", "REPORT"], "{text}");
}

#[tokio::test]
async fn each_line_of_a_log_comes_with_its_functions_name() {
    let lines: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let sink = lines.clone();
    let logs = Logs::Lines(Arc::new(move |function, line| {
        sink.lock()
            .unwrap()
            .push((function.to_owned(), line.to_owned()));
    }));
    let (host, _) = host(
        function("f"),
        HostSettings {
            logs,
            ..HostSettings::default()
        },
    );
    let event = json!({ "print": "hello\nfrom inside" });
    let invocation = invoke(&host, event).await.unwrap();
    until("the log is whole", || lines.lock().unwrap().len() == 5).await;
    let lines = lines.lock().unwrap();
    assert!(lines.iter().all(|(function, _)| function == "f"));
    let id = &invocation.request_id;
    let whole: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(whole[0], format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(whole[1..3], ["hello", "from inside"]);
    assert_eq!(whole[3], format!("END RequestId: {id}"));
    assert!(whole[4].starts_with(&format!("REPORT RequestId: {id}\t")));
}

#[tokio::test]
async fn after_the_shutdown_nothing_is_left_and_nothing_starts() {
    let (host, _) = host(function("f"), HostSettings::default());
    let busy = tokio::spawn({
        let host = host.clone();
        async move { invoke(&host, json!({ "sleep": 30 })).await }
    });
    until("the environment runs", || !host.process_ids("f").is_empty()).await;
    host.shutdown().await;
    assert_eq!(host.process_ids("f"), Vec::<u32>::new());
    assert_eq!(
        busy.await.unwrap().unwrap().function_error,
        Some(FunctionError::Unhandled)
    );
    assert!(matches!(
        invoke(&host, json!({})).await,
        Err(InvokeError::Service(_))
    ));
}

#[tokio::test]
async fn what_can_not_be_hosted_is_said_in_one_line() {
    let missing = Function {
        program: "/nowhere/bootstrap".into(),
        ..function("f")
    };
    let error = Host::new(vec![missing], HostSettings::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "function f: /nowhere/bootstrap is missing"
    );
    let twice = Host::new(vec![function("f"), function("f")], HostSettings::default()).unwrap_err();
    assert!(matches!(twice, Error::DefinedTwice(name) if name == "f"));
    let greedy = Function {
        reserved_concurrency: Some(1000),
        ..function("f")
    };
    assert!(matches!(
        Host::new(vec![greedy], HostSettings::default()),
        Err(Error::OverReserved { .. })
    ));
    let (host, _) = host(function("f"), HostSettings::default());
    assert!(matches!(
        host.invoke("g", Bytes::new()).await,
        Err(InvokeError::NotFound(_))
    ));
}
