//! Answers any request with 200 and an empty body.

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};

pub(crate) async fn handle(_: Request) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::Empty))
}
