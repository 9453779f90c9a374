//! What a hit counter answers, whatever it counts on.

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};

use super::{answers, header};

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
