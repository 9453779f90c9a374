//! What a client of the emulator needs to know, and one request to it.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The region that the emulator answers for.
pub const REGION: &str = "eu-west-2";

/// The account that the emulator answers for: the one of AWS's own examples.
pub const ACCOUNT_ID: &str = "123456789012";

/// The environment variables that send an AWS SDK to this endpoint, with credentials that are good nowhere else.
pub fn variables(endpoint: &str) -> [(&'static str, String); 6] {
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_SESSION_TOKEN", "test".to_owned()),
    ]
}

/// An answer: whether its status is a success, and its body.
pub(crate) struct Answer {
    pub(crate) success: bool,
    pub(crate) body: String,
}

/// Sends one request on a connection of its own.
pub(crate) async fn send(request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http();
    let answer = client.request(request).await.map_err(describe)?;
    let success = answer.status().is_success();
    let body = answer.into_body().collect().await.map_err(describe)?;
    Ok(Answer {
        success,
        body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    })
}

/// A request of an AWS service's query protocol. The signature is not looked at; its scope names region and service.
pub(crate) fn query(
    endpoint: &str,
    service: &str,
    parameters: &[(&str, &str)],
) -> Result<Request<Full<Bytes>>, String> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    Request::post(endpoint)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(
            header::AUTHORIZATION,
            format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=none"),
        )
        .body(Full::from(body))
        .map_err(describe)
}

/// The innermost cause: "Connection refused" rather than "client error (Connect)".
fn describe(error: impl std::error::Error) -> String {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
