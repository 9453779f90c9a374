//! `GET /customer/{id}` answers with a customer, `GET /customerdata/{id}` with a customer's readings. `/healthz` says that the
//! server is there.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    http::{
        HeaderValue, Method, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
    routing::any,
};
use problem::Problem;
use rds_connection::Database;

use crate::{
    Customer, ReadThrough, Readings,
    read_through::{Answer, Refused},
    record::Record,
};

/// How long a request may take, unless a [`TimeLeft`] says otherwise: a database that is well needs a hundredth of it.
const TIME: Duration = Duration::from_secs(2);
/// When to try again what heals by itself.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the database may take for a request: an extension of it.
#[derive(Clone, Copy, Debug)]
pub struct TimeLeft(pub Duration);

/// The routes.
pub fn router<D: Database>(records: Arc<ReadThrough<D>>) -> Router {
    Router::new()
        .route("/customer/{id}", any(record::<Customer, D>))
        .route("/customerdata/{id}", any(record::<Readings, D>))
        .route("/healthz", any(healthz))
        .fallback(nothing)
        .with_state(records)
}

/// 200 with the JSON, 400, 404, 405, 500, or 503 with the time after which to try again.
async fn record<R: Record, D: Database>(
    State(records): State<Arc<ReadThrough<D>>>,
    method: Method,
    time_left: Option<Extension<TimeLeft>>,
    uri: Uri,
) -> Response {
    if method != Method::GET {
        return Problem::method_not_allowed("GET").into();
    }
    // As it was sent: %31 is no digit.
    let id = uri.path().rsplit('/').next().unwrap_or_default();
    let Ok(id) = id.parse() else {
        return Problem::bad_request("The id is not a whole number from 1 to 4294967295.").into();
    };
    let time_left = time_left.map_or(TIME, |Extension(TimeLeft(time))| time);
    response(records.find::<R>(id, time_left).await)
}

fn response(answer: Answer) -> Response {
    match answer {
        Ok(Some(json)) => ok(json, "application/json"),
        Ok(None) => Problem::not_found("There is no such customer.").into(),
        Err(Refused::ForNow) => {
            Problem::unavailable("The customer can't be read just now.", RETRY_AFTER).into()
        }
        Err(Refused::ForGood) => Problem::internal("The customer can't be read.").into(),
    }
}

/// 200 for as long as requests are answered: with neither database nor cache, a restart would not help.
async fn healthz(method: Method) -> Response {
    match method {
        Method::GET | Method::HEAD => ok("ok", "text/plain"),
        _ => Problem::method_not_allowed("GET, HEAD").into(),
    }
}

async fn nothing() -> Response {
    Problem::not_found("There is nothing at this path.").into()
}

fn ok(body: impl Into<Body>, content_type: &'static str) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().extend([
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    response
}
