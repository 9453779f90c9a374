//! Answers any request with 200 and an empty body.

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};

pub(crate) async fn handle(_: Request) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::Empty))
}

#[cfg(test)]
mod tests {
    use function_kit::testing::{answer, recorded_events};

    use super::*;

    #[tokio::test]
    async fn every_recorded_event_is_answered_with_nothing() {
        for (file, event) in recorded_events("empty").unwrap() {
            let answer = answer(&event, handle).await.unwrap();
            assert_eq!(answer["statusCode"], 200, "{file}");
            assert!(answer["body"].as_str().is_none_or(str::is_empty), "{file}");
        }
    }
}
