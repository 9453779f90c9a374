//! What a client of the emulator needs to know, and requests to it.

use bytes::Bytes;
use http::{Request, Response, Uri, header, request};
use http_body_util::Full;

use super::Ministack;
use crate::{
    Error,
    client::{describe, send},
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

impl Ministack {
    /// Sends a request to the emulator's API of an AWS service, and gives its answer, whatever its status.
    ///
    /// `request` has the method, the path and further headers. It is signed in name only: the emulator takes the word of
    /// the account's root user.
    pub async fn request(
        &self,
        service: &str,
        request: request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Response<String>, Error> {
        let path = request.uri_ref().map(Uri::to_string).unwrap_or_default();
        let request = request
            .uri(format!("{}{path}", self.endpoint()))
            .header(
                header::AUTHORIZATION,
                format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=none"),
            )
            .body(Full::from(body.into()))
            .map_err(|error| Error::Request(describe(error)))?;
        send(request).await.map_err(Error::Request)
    }

    /// As [`request`](Self::request), for a service that speaks the AWS query protocol: `Action`, `Version`, and what the
    /// action takes.
    pub async fn query(
        &self,
        service: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Response<String>, Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let request =
            Request::post("/").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.request(service, request, body).await
    }
}
