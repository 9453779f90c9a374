//! What a hit counter answers, whatever it counts on.

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};

use super::{answer, answers, damaged, header, recorded_events};

/// Each recorded event of the function gets the next number, or a 405 if its method is not GET.
///
/// # Panics
///
/// When it does not.
pub async fn assert_recorded_events_are_counted<H, F>(function: &str, handler: H)
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let answers = answers(function, handler).await;
    let answers = answers.unwrap_or_else(|error| panic!("{error}"));
    let mut counted = 0;
    for (file, answer) in answers {
        assert_eq!(header(&answer, "cache-control"), Some("no-store"), "{file}");
        if file.starts_with("post-") || file.starts_with("head-") {
            assert_eq!(answer["statusCode"], 405, "{file}");
            assert_eq!(header(&answer, "allow"), Some("GET"), "{file}");
        } else {
            counted += 1;
            assert_eq!(answer["statusCode"], 200, "{file}");
            assert_eq!(answer["body"], counted.to_string(), "{file}");
            assert_eq!(
                header(&answer, "content-type"),
                Some("text/plain"),
                "{file}"
            );
        }
    }
    assert!(counted >= 4, "only {counted} recorded events count");
}

/// A damaged event is answered with a number or a 405, or is an error of the invocation.
///
/// # Panics
///
/// When it gets another answer, or the recorded events cannot be read.
pub async fn assert_damaged_events_do_no_harm<H, F>(function: &str, handler: H)
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let events = recorded_events(function);
    let events = events.unwrap_or_else(|error| panic!("{function}: {error}"));
    for event in damaged(events.into_values()) {
        if let Ok(answer) = answer(&event, &handler).await {
            let status = answer["statusCode"].as_u64();
            assert!(
                matches!(status, Some(200 | 405)),
                "{status:?}: {}",
                String::from_utf8_lossy(&event)
            );
        }
    }
}
