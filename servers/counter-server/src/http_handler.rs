//! `GET /hits` counts a hit and answers with the count. `/healthz` says that the server is there.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{
        HeaderValue, Method,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
    routing::any,
};
use problem::Problem;

use crate::counter::Counter;

pub(crate) fn router(counter: Counter) -> Router {
    Router::new()
        .route("/hits", any(hits))
        .route("/healthz", any(healthz))
        .fallback(nothing)
        .with_state(Arc::new(counter))
}

/// 200 with the count after this hit as text, 405, or 503 with the time after which to try again.
async fn hits(State(counter): State<Arc<Counter>>, method: Method) -> Response {
    // A HEAD would count and hide the number: only GET.
    if method != Method::GET {
        return Problem::method_not_allowed("GET").into();
    }
    match counter.hit().await {
        Ok(hits) => text(hits.to_string()),
        // Its cause is in the log.
        Err(_) => Problem::unavailable(
            "The counter can't be written just now.",
            Duration::from_secs(1),
        )
        .into(),
    }
}

/// 200 for as long as requests are answered. A counter that can't be written heals by itself: a restart would not help.
async fn healthz(method: Method) -> Response {
    match method {
        Method::GET | Method::HEAD => text("ok"),
        _ => Problem::method_not_allowed("GET, HEAD").into(),
    }
}

async fn nothing() -> Response {
    Problem::not_found("There is nothing at this path.").into()
}

fn text(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
