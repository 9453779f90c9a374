//! `GET` counts a hit and answers with the count, on whatever path the API routes here.

use std::{convert::Infallible, time::Duration};

use function_kit::{Problem, deadline, logs::Causes};
use lambda_http::{
    Body, Request, Response,
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
    Ok(match counter.hit(deadline::time_left(&request)).await {
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
