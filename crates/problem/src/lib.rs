//! Errors as callers see them: RFC 9457 problem details. What caused them belongs in the log.

use std::time::Duration;

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::json;

/// An answer that is an error: `application/problem+json` with `type`, `status`, `title` and `detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// 400: the caller asked for what cannot be.
    pub fn bad_request(detail: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            detail,
            header: None,
        }
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: &'static str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            detail,
            header: None,
        }
    }

    /// 405: the caller used a method other than `allow`, a comma-separated list.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            detail: "The method is not one of those in the Allow header.",
            header: Some((ALLOW, HeaderValue::from_static(allow))),
        }
    }

    /// 500: something the caller can neither mend nor wait out.
    pub fn internal(detail: &'static str) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            detail,
            header: None,
        }
    }

    /// 503: something that heals by itself; the caller may try again after `retry_after`, in whole seconds.
    pub fn unavailable(detail: &'static str, retry_after: Duration) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail,
            header: Some((RETRY_AFTER, retry_after.as_secs().into())),
        }
    }
}

/// With the body of whatever answers: a function's or a server's.
impl<B: From<String>> From<Problem> for Response<B> {
    fn from(problem: Problem) -> Self {
        let body = json!({
            // RFC 9457, 4.2.1: with about:blank, the title is that of the status.
            "type": "about:blank",
            "status": problem.status.as_u16(),
            "title": problem.status.canonical_reason(),
            "detail": problem.detail,
        });
        let mut response = Response::new(B::from(body.to_string()));
        *response.status_mut() = problem.status;
        response.headers_mut().extend([
            (
                CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            ),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ]);
        response.headers_mut().extend(problem.header);
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn body(response: &Response<String>) -> Value {
        serde_json::from_str(response.body()).unwrap()
    }

    #[test]
    fn a_problem_is_problem_json() {
        let response = Response::<String>::from(Problem::internal("The counter is broken."));
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(
            body(&response),
            json!({
                "type": "about:blank",
                "status": 500,
                "title": "Internal Server Error",
                "detail": "The counter is broken.",
            })
        );
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let response = Response::<String>::from(Problem::method_not_allowed("GET"));
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[ALLOW], "GET");
    }

    #[test]
    fn what_heals_by_itself_says_when_to_try_again() {
        let response =
            Response::<String>::from(Problem::unavailable("Down.", Duration::from_secs(2)));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
    }
}
