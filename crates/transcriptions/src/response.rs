//! Requests for a transcription, and the answers to them.

use std::{num::NonZeroU64, time::Duration};

use function_kit::{Problem, logs::Causes};
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{
        HeaderValue, Method,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
};
use tracing::error;

use crate::{Error, Transcription, Wanted};

/// Which transcription a request is for: `GET …/transcriptions/{id}`, or `GET …/transcriptions` for a random one.
///
/// # Errors
///
/// 405 for another method, 400 for an id that is not a positive whole number, and for another path.
pub fn wanted(request: &Request) -> Result<Wanted, Problem> {
    if request.method() != Method::GET {
        return Err(Problem::method_not_allowed("GET"));
    }
    let id = match request.raw_http_path().split_once("/transcriptions") {
        Some((_, "")) => return Ok(Wanted::Random),
        Some((_, rest)) => rest.strip_prefix('/'),
        None => None,
    };
    id.and_then(positive)
        .map(Wanted::Id)
        .ok_or_else(|| Problem::bad_request("The id is not a positive whole number."))
}

/// Digits and nothing else: [`str::parse`] would take a plus sign.
fn positive(digits: &str) -> Option<NonZeroU64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// 200 with the transcription as JSON, 404 if there is none, or a problem that says whether to try again. The cause goes
/// to the log.
#[must_use]
pub fn response(found: Result<Option<Transcription>, Error>) -> Response<Body> {
    let transcription = match found {
        Ok(Some(transcription)) => transcription,
        Ok(None) => return Problem::not_found("There is no such transcription.").into(),
        Err(error) => return problem(&error).into(),
    };
    match serde_json::to_string(&transcription) {
        Ok(json) => {
            let mut response = Response::new(Body::from(json));
            response.headers_mut().extend([
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ]);
            response
        }
        Err(_) => problem(&Error::Row).into(),
    }
}

fn problem(error: &Error) -> Problem {
    error!(error = %Causes(error), "no transcription was read");
    if error.is_transient() {
        Problem::unavailable(
            "The transcriptions cannot be reached just now.",
            Duration::from_secs(1),
        )
    } else {
        Problem::internal("The transcription cannot be read.")
    }
}
