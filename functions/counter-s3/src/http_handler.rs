//! `GET` counts a hit and answers with the count, on whatever path the API routes here.

use std::{convert::Infallible, time::Duration};

use function_kit::{Problem, deadline, logs::Causes};
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{
        HeaderValue, Method,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
};
use tracing::error;

use crate::counter::{Counter, Error};

/// 200 with the count after this hit as text, 405, or a problem that says whether to try again.
pub(crate) async fn handle(
    counter: &Counter,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    // A HEAD would count and hide the number: only GET.
    if request.method() != Method::GET {
        return Ok(Problem::method_not_allowed("GET").into());
    }
    let time_left = deadline::time_left(request.lambda_context_ref());
    Ok(match counter.hit(time_left).await {
        Ok(hits) => count(hits),
        Err(error) => problem(error).into(),
    })
}

fn count(hits: u64) -> Response<Body> {
    let mut response = Response::new(Body::from(hits.to_string()));
    response.headers_mut().extend([
        (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    response
}

fn problem(error: Error) -> Problem {
    error!(error = %Causes(&error), "the hit got no number");
    match error {
        Error::Unavailable(_) | Error::OutOfTime => Problem::unavailable(
            "The counter cannot be reached just now.",
            Duration::from_secs(1),
        ),
        Error::Refused(_) | Error::NotANumber => {
            Problem::internal("The counter cannot count this hit.")
        }
    }
}

#[cfg(test)]
mod tests {
    use function_kit::testing::{
        answer, assert_damaged_events_do_no_harm, emulator, header, hit_counter, recorded_events,
    };
    use serde_json::Value;

    use super::*;
    use crate::counter::fixture::EmulatedBucket;

    async fn get(bucket: &EmulatedBucket) -> Value {
        let events = recorded_events("counter-s3").unwrap();
        answer(&events["http-api.json"], |request| {
            handle(&bucket.counter, request)
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn every_recorded_event_is_answered() {
        let bucket = EmulatedBucket::new().await;
        let handler = |request| handle(&bucket.counter, request);
        hit_counter::assert_recorded_events_are_counted("counter-s3", handler).await;
    }

    #[tokio::test]
    async fn an_object_that_is_no_number_is_a_problem_without_its_cause() {
        let bucket = EmulatedBucket::new().await;
        bucket.put("many").await;
        let answer = get(&bucket).await;
        assert_eq!(answer["statusCode"], 500);
        assert_eq!(
            header(&answer, "content-type"),
            Some("application/problem+json")
        );
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(problem["status"], 500);
        assert_eq!(problem["title"], "Internal Server Error");
        assert_eq!(problem["detail"], "The counter cannot count this hit.");
    }

    #[tokio::test]
    async fn a_backend_that_is_down_is_a_503_until_it_is_back() {
        let mut emulator = emulator::durable().await.unwrap();
        let bucket = EmulatedBucket::within(&emulator).await;
        assert_eq!(get(&bucket).await["body"], "1");

        emulator.suspend().await.unwrap();
        let answer = get(&bucket).await;
        assert_eq!(answer["statusCode"], 503);
        assert_eq!(header(&answer, "retry-after"), Some("1"));

        emulator.resume().await.unwrap();
        assert_eq!(get(&bucket).await["body"], "2");
    }

    #[tokio::test]
    async fn a_damaged_event_is_an_answer_or_an_error() {
        let bucket = EmulatedBucket::new().await;
        let handler = |request| handle(&bucket.counter, request);
        assert_damaged_events_do_no_harm("counter-s3", &[200, 405], handler).await;
    }
}
