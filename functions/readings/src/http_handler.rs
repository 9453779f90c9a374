//! The router that the server has, too, between the function's events and answers.

use std::convert::Infallible;

use axum::{
    Router,
    body::to_bytes,
    http::{Uri, uri::PathAndQuery},
};
use function_kit::{Problem, deadline};
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use readings::TimeLeft;
use tower_service::Service as _;

/// The router's answer, its body as text.
pub(crate) async fn handle(
    mut router: Router,
    mut request: Request,
) -> Result<Response<Body>, Infallible> {
    let time_left = deadline::time_left(request.lambda_context_ref());
    request.extensions_mut().insert(TimeLeft(time_left));
    if let Some(path) = path_in_stage(&request) {
        *request.uri_mut() = Uri::from(path);
    }
    let (head, body) = router.call(request).await?.into_parts();
    // All there already: the router makes no other bodies.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    Ok(match String::from_utf8(bytes.into()) {
        Ok(text) => Response::from_parts(head, text.into()),
        Err(_) => Problem::internal("The answer is no text.").into(),
    })
}

/// The path without the stage of API Gateway before it, where there is one.
fn path_in_stage(request: &Request) -> Option<PathAndQuery> {
    let stage = match request.request_context_ref()? {
        RequestContext::ApiGatewayV1(context) => context.stage.as_deref()?,
        RequestContext::ApiGatewayV2(context) => context.stage.as_deref()?,
        _ => return None,
    };
    let path = request
        .uri()
        .path()
        .strip_prefix('/')?
        .strip_prefix(stage)?;
    path.starts_with('/').then(|| path.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use backends::{mariadb::Options, memcached::Memcached};
    use function_kit::testing::{
        answer, answers, assert_damaged_events_do_no_harm, header, recorded_events,
    };
    use rds_connection::{KeptConnection, Limits};
    use readings::{
        Cache, ReadThrough, router,
        testing::{TestDatabase, database, settings},
    };
    use serde_json::{Value, json};

    use super::*;

    const PATIENT: std::time::Duration = std::time::Duration::from_secs(1);

    fn function(database: &TestDatabase, memcached: Option<&Memcached>) -> Router {
        let connection = KeptConnection::new(database.settings().unwrap(), Limits::default());
        let cache = memcached.map(|it| Cache::new(&it.address(), 1, PATIENT));
        router(ReadThrough::new(connection, cache))
    }

    /// The file's name says what is expected.
    fn assert_answer(file: &str, answer: &Value) {
        let status = match file.split_once('-').map(|(kind, _)| kind) {
            Some("bad") => 400,
            Some("unknown") => 404,
            Some("delete" | "head" | "post") => 405,
            _ => 200,
        };
        assert_eq!(answer["statusCode"], status, "{file}: {answer}");
        assert_eq!(answer["isBase64Encoded"], false, "{file}");
        assert_eq!(header(answer, "cache-control"), Some("no-store"), "{file}");
        let content = match status {
            200 => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(header(answer, "content-type"), Some(content), "{file}");
        if file.starts_with("head-") {
            return assert_eq!(answer["body"], "", "{file}");
        }
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let expected = match status {
            200 if file.starts_with("customer-") => {
                json!({"Id": 2, "Surname": "O'Neill \"x\"", "Givenname": "山田 👩‍👩‍👧"})
            }
            200 => {
                let reading =
                    json!({"MeasureID": 2, "MeasureDate": "2024-02-29", "MeasureValue": 0});
                json!({"Measures": [reading]})
            }
            _ => {
                assert_eq!(body["status"], status, "{file}");
                return;
            }
        };
        assert_eq!(body, expected, "{file}");
    }

    #[tokio::test]
    async fn every_recorded_event_is_answered_the_same_with_and_without_a_cache() {
        let database = database(Options::default()).await.unwrap();
        let memcached = Memcached::start().await.unwrap();
        let cached = function(&database, Some(&memcached));
        // The second time from the cache.
        for router in [function(&database, None), cached.clone(), cached] {
            let answers = answers("readings", |request| handle(router.clone(), request)).await;
            let answers = answers.unwrap();
            assert!(answers.len() >= 20, "{} events", answers.len());
            for (file, answer) in answers {
                assert_answer(&file, &answer);
            }
        }
    }

    #[tokio::test]
    async fn the_database_is_connected_to_at_the_first_miss_and_once() {
        let database = database(Options::default()).await.unwrap();
        let memcached = Memcached::start().await.unwrap();
        let router = function(&database, Some(&memcached));
        let ask = async |file: &str| {
            let events = recorded_events("readings").unwrap();
            let answer = answer(&events[file], |request| handle(router.clone(), request)).await;
            assert_answer(file, &answer.unwrap());
        };
        database.log().await.unwrap();
        ask("bad-negative-http-api.json").await;
        assert_eq!(database.log().await.unwrap(), []);
        for file in ["http-api.json", "http-api.json", "customer-http-api.json"] {
            ask(file).await;
        }
        let log = database.log().await.unwrap();
        let commands: Vec<&str> = log.iter().map(|(command, _)| command.as_str()).collect();
        // The first query has a question along: how many connections there are.
        assert_eq!(commands[..2], ["Connect", "Query"], "{log:?}");
        let about_customers = log
            .iter()
            .filter(|(_, text)| text.contains("FROM Customers"));
        assert_eq!(about_customers.count(), 2, "{log:?}");
        assert!(!commands[2..].contains(&"Connect"), "{log:?}");
        // Now everything is in the cache.
        for file in ["http-api.json", "customer-http-api.json"] {
            ask(file).await;
        }
        assert_eq!(database.log().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_damaged_event_is_an_answer_or_an_error() {
        let nobody = settings(&[
            ("DATABASE_HOST", "127.0.0.1:1".to_owned()),
            ("DATABASE_NAME", "calls".to_owned()),
            ("DATABASE_USER", "calls".to_owned()),
            ("DATABASE_PASSWORD", "secret".to_owned()),
        ]);
        let connection = KeptConnection::new(nobody.unwrap(), Limits::default());
        let router = router(ReadThrough::new(connection, None));
        let handler = |request| handle(router.clone(), request);
        // A damaged path may be the one of the health check.
        let statuses = [200, 400, 404, 405, 503];
        assert_damaged_events_do_no_harm("readings", &statuses, handler).await;
    }
}
