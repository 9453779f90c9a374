//! Requests to servers that were just started.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Sends one request on a connection of its own.
pub(crate) async fn send(request: Request<Full<Bytes>>) -> Result<Response<String>, String> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http();
    let answer = client.request(request).await.map_err(describe)?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(describe)?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(Response::from_parts(parts, body))
}

/// The innermost cause: "Connection refused" rather than "client error (Connect)".
pub(crate) fn describe(error: impl std::error::Error + 'static) -> String {
    let innermost = anyhow::Chain::new(&error).last();
    innermost.unwrap_or(&error).to_string()
}
