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

#[cfg(test)]
mod tests {
    use lambda_http::{http::header::ALLOW, http::header::RETRY_AFTER};
    use proptest::prelude::*;
    use rds_connection::Question as _;

    use super::*;

    fn get(path: &str) -> Request {
        Request::default().with_raw_http_path(path)
    }

    fn status(problem: Problem) -> u16 {
        Response::<Body>::from(problem).status().as_u16()
    }

    #[test]
    fn another_method_is_told_the_right_one() {
        for method in [Method::POST, Method::HEAD, Method::DELETE] {
            let mut request = get("/rds/direct/transcriptions/1");
            *request.method_mut() = method;
            let response = Response::<Body>::from(wanted(&request).unwrap_err());
            assert_eq!(response.status(), 405);
            assert_eq!(response.headers()[ALLOW], "GET");
        }
    }

    #[test]
    fn without_an_id_any_will_do() {
        for path in [
            "/rds/direct/transcriptions",
            "/transcriptions",
            "/prod/transcriptions",
        ] {
            assert_eq!(wanted(&get(path)), Ok(Wanted::Random), "{path}");
        }
    }

    #[test]
    fn what_is_no_positive_whole_number_is_no_id() {
        for id in [
            "",
            "0",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "1 OR 1=1",
            "1;",
            "1/2",
            "1%20",
            "18446744073709551616",
            "１",
            "٣",
            "1\0",
            "NULL",
            "transcriptions",
        ] {
            let path = format!("/rds/direct/transcriptions/{id}");
            let problem = wanted(&get(&path)).unwrap_err();
            assert_eq!(status(problem), 400, "{id}");
        }
        for path in ["", "/", "/1", "/rds/direct/transcriptions1"] {
            assert_eq!(status(wanted(&get(path)).unwrap_err()), 400, "{path}");
        }
    }

    #[test]
    fn an_error_says_whether_to_try_again_and_not_why() {
        let unavailable = response(Err(Error::TimedOut));
        assert_eq!(unavailable.status(), 503);
        assert_eq!(unavailable.headers()[RETRY_AFTER], "1");
        let internal = response(Err(Error::Row));
        assert_eq!(internal.status(), 500);
        assert_eq!(internal.headers().get(RETRY_AFTER), None);
    }

    proptest! {
        #[test]
        fn every_positive_whole_number_is_an_id(id in 1..=u64::MAX, zeros in 0..3_usize) {
            let path = format!("/transcriptions/{}{id}", "0".repeat(zeros));
            prop_assert_eq!(wanted(&get(&path)), Ok(Wanted::Id(NonZeroU64::new(id).unwrap())));
        }

        #[test]
        fn the_statement_of_whatever_is_taken_for_an_id_is_of_a_number(id in any::<String>()) {
            if let Ok(Wanted::Id(number)) = wanted(&get(&format!("/transcriptions/{id}"))) {
                prop_assert_eq!(id.trim_start_matches('0'), number.to_string());
                let statement = Wanted::Id(number).statement();
                let end = format!(" WHERE id = {number}");
                prop_assert!(statement.ends_with(&end));
            }
        }
    }
}
