//! Calls the URL of the event, as often as it says, and answers with what was measured; or times the core that it runs on.

use std::{convert::Infallible, sync::Arc, time::Duration};

use function_kit::deadline;
use lambda_runtime::LambdaEvent;
use load::{
    Sequential, Target, TargetError, Url,
    core::{kernel_ms, median},
    probe::{Answer, MAX_REQUESTS, Measured, Probe, ProblemDetails, TimeKernel},
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::allow_list::AllowList;

/// How often the kernel is timed: a fifth of a second on one of Lambda's cores.
const KERNEL_TIMES: usize = 25;

/// Answers any event, so that a function error means that the function is broken.
pub(crate) async fn handle(
    allowed: &AllowList,
    event: LambdaEvent<Value>,
) -> Result<Answer, Infallible> {
    let end = Instant::now() + deadline::time_left(Some(&event.context));
    if let Ok(TimeKernel { kernel: true }) = serde_json::from_value(event.payload.clone()) {
        let times = (0..KERNEL_TIMES).map(|_| kernel_ms());
        return Ok(Answer::KernelMs(median(times.collect())));
    }
    Ok(match measure(allowed, event.payload, end).await {
        Ok(measured) => Answer::Measured(Box::new(measured)),
        Err(problem) => {
            warn!(
                status = problem.status,
                detail = problem.detail,
                "nothing was called"
            );
            Answer::Problem(problem)
        }
    })
}

async fn measure(
    allowed: &AllowList,
    event: Value,
    end: Instant,
) -> Result<Measured, ProblemDetails> {
    let probe: Probe = serde_path_to_error::deserialize(event)
        .map_err(|error| bad_request(format!("the event is not understood: {error}")))?;
    let requests = probe.requests.get();
    if requests > MAX_REQUESTS {
        return Err(bad_request(format!(
            "requests: {requests} are more than the {MAX_REQUESTS} that one invocation makes"
        )));
    }
    let url: Url = probe
        .url
        .parse()
        .map_err(|error| bad_request(format!("url: {error}")))?;
    if !allowed.allows(&url) {
        return Err(ProblemDetails {
            status: 403,
            title: "Forbidden".to_owned(),
            detail: format!("url: {} is not among ALLOWED_ORIGINS", url.origin()),
        });
    }

    let timeout = Duration::from_millis(probe.timeout_ms.get());
    let target = timeout_at(end, Target::resolve(&url, timeout))
        .await
        .map_err(|_| bad_request(format!("url: {} has no address in time", url.origin())))?
        .map_err(|error| match error {
            TargetError::NoCertificates(_) => internal(error.to_string()),
            TargetError::NotUrl(_) | TargetError::NoAddress { .. } => {
                bad_request(format!("url: {error}"))
            }
        })?;
    let measurement = Sequential::new(Arc::new(target))
        .run_within(end.saturating_duration_since(Instant::now()), requests)
        .await;
    Ok(Measured::new(requests, measurement))
}

fn bad_request(detail: String) -> ProblemDetails {
    ProblemDetails {
        status: 400,
        title: "Bad Request".to_owned(),
        detail,
    }
}

fn internal(detail: String) -> ProblemDetails {
    ProblemDetails {
        status: 500,
        title: "Internal Server Error".to_owned(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use function_kit::testing::{context, damaged, recorded_events};
    use load::{
        Failure,
        testing::{Behaviour, Server},
    };
    use serde_json::json;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    async fn answer(allowed: &str, event: Value, timeout: Duration) -> Answer {
        let event = LambdaEvent::new(event, context(timeout));
        handle(&allowed.parse().unwrap(), event).await.unwrap()
    }

    async fn measured(server: &Server, event: Value, timeout: Duration) -> Measured {
        match answer(&server.origin(), event, timeout).await {
            Answer::Measured(measured) => *measured,
            other => panic!("{other:?}"),
        }
    }

    async fn problem(event: Value) -> ProblemDetails {
        match answer("https://api.example", event, TIMEOUT).await {
            Answer::Problem(problem) => problem,
            other => panic!("{other:?}"),
        }
    }

    /// The recorded events, with the server in place of the API that they were recorded with.
    fn recorded(server: &Server) -> impl Iterator<Item = (String, Value)> {
        let events = recorded_events("latency-probe").unwrap();
        events.into_iter().map(|(file, event)| {
            let event = String::from_utf8(event).unwrap();
            let event = event.replace(
                "https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/",
                &format!("{}/", server.origin()),
            );
            (file, serde_json::from_str(&event).unwrap())
        })
    }

    #[tokio::test]
    async fn every_recorded_event_is_answered() {
        let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
        let mut probes = 0;
        for (file, event) in recorded(&server) {
            let requests = event["requests"].as_u64();
            match answer(&server.origin(), event, TIMEOUT).await {
                Answer::Problem(problem) => {
                    assert!(file.starts_with("refused-"), "{file}: {problem:?}");
                }
                Answer::KernelMs(ms) => assert!(file == "kernel.json" && ms > 0.0, "{file}"),
                Answer::Measured(measured) => {
                    probes += 1;
                    assert!(!file.starts_with("refused-"), "{file}");
                    assert_eq!(Some(measured.summary.requests), requests, "{file}");
                    assert!(!measured.cut_short, "{file}");
                }
            }
        }
        assert!(probes >= 2);
        assert_eq!(server.connections(), probes, "one each");
    }

    #[tokio::test]
    async fn the_summary_is_that_of_the_measurement() {
        let server = Server::start(Behaviour::UnavailableEvery(4)).await;
        let event = json!({ "url": server.url(), "requests": 20 });
        let measured = measured(&server, event, TIMEOUT).await;
        assert_eq!(
            (measured.summary.requests, measured.summary.failures),
            (20, 5)
        );
        let failures = measured.measurement.failures.by_cause();
        assert_eq!(failures[&Failure::Status(503)], 5);
        let latencies = &measured.measurement.latencies;
        assert_eq!(latencies.count(), 15);
        let max = latencies.max().unwrap().as_secs_f64() * 1e3;
        assert_eq!(measured.summary.max_ms, Some(max));
        assert!(measured.summary.p50_ms <= measured.summary.p99_ms);
    }

    #[tokio::test]
    async fn a_probe_ends_before_its_deadline_with_what_it_has() {
        let server = Server::start(Behaviour::Answer(Duration::from_millis(20))).await;
        let event = json!({ "url": server.url(), "requests": 10_000 });
        let measured = measured(&server, event, Duration::from_secs(2)).await;
        assert!(measured.cut_short);
        let requests = measured.summary.requests;
        assert!(requests > 0 && requests < 10_000, "{requests}");
        assert!(measured.measurement.elapsed < Duration::from_secs(2));
        assert_eq!(measured.summary.failures, 0);
    }

    #[tokio::test]
    async fn a_target_that_never_answers_is_given_up_after_the_events_timeout() {
        let server = Server::start(Behaviour::Silence).await;
        let event = json!({ "url": server.url(), "requests": 2, "timeout_ms": 50 });
        let measured = measured(&server, event, TIMEOUT).await;
        let failures = measured.measurement.failures.by_cause();
        assert_eq!(failures[&Failure::TimedOut], 2);
        assert_eq!(measured.summary.mean_ms, None);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let server = Server::start(Behaviour::Status(302)).await;
        let event = json!({ "url": server.url(), "requests": 3 });
        let measured = measured(&server, event, TIMEOUT).await;
        let failures = measured.measurement.failures.by_cause();
        assert_eq!(failures[&Failure::Status(302)], 3);
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn what_is_refused_is_told_why() {
        let url = "https://api.example/hits";
        for (event, status, detail) in [
            (
                json!({ "url": "https://evil.example/", "requests": 1 }),
                403,
                "url: https://evil.example is not among ALLOWED_ORIGINS",
            ),
            (
                json!({ "url": "ftp://api.example/", "requests": 1 }),
                400,
                "url: 'ftp://api.example/' is not a URL: it has to start with http:// or https://",
            ),
            (
                json!({ "url": url, "requests": 10_001 }),
                400,
                "requests: 10001 are more than the 10000 that one invocation makes",
            ),
            (
                json!({ "url": url, "requests": 0 }),
                400,
                "the event is not understood: requests: invalid value: integer `0`, expected a nonzero u64",
            ),
            (
                json!({ "url": url, "requests": "many" }),
                400,
                "the event is not understood: requests: invalid type: string \"many\", expected a nonzero u64",
            ),
            (
                json!({ "url": url }),
                400,
                "the event is not understood: missing field `requests`",
            ),
            (
                json!({ "url": url, "requests": 1, "connections": 2 }),
                400,
                "the event is not understood: connections: unknown field `connections`, expected one of `url`, `requests`, `timeout_ms`",
            ),
        ] {
            let problem = problem(event).await;
            assert_eq!((problem.status, &*problem.detail), (status, detail));
        }
        assert_eq!(problem(json!([])).await.status, 400);

        // Longer than any label of a name may be: no name service is asked.
        let origin = format!("http://{}.example", "a".repeat(64));
        let event = json!({ "url": format!("{origin}/hits"), "requests": 1 });
        match answer(&origin, event, TIMEOUT).await {
            Answer::Problem(problem) => {
                assert_eq!(problem.status, 400);
                assert!(problem.detail.contains("has no address"), "{problem:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_damaged_event_is_answered() {
        let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
        let events = recorded(&server).map(|(_, event)| event.to_string().into_bytes());
        let events = damaged(events);
        for event in events {
            // What is not JSON does not reach a handler.
            let Ok(event) = serde_json::from_slice(&event) else {
                continue;
            };
            answer(&server.origin(), event, Duration::from_millis(20)).await;
        }
    }
}
