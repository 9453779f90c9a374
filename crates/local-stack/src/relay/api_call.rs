//! Which operation of which service a request is.

use std::fmt;

use http::{Method, Request, header};

/// An operation of a backend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiCall {
    /// The service as it is called in signatures: `dynamodb`, `s3`, `sqs`; and `mysql`, `rds-proxy`, `memcached`.
    pub service: String,
    /// The operation: `UpdateItem`, `PutObject`, `Query`; the method, where it can't be told.
    pub operation: String,
}

impl fmt::Display for ApiCall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.service, self.operation)
    }
}

impl ApiCall {
    /// Reads service and operation off a request.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let header = |name| {
            let value: Option<&http::HeaderValue> = request.headers().get(name);
            value.and_then(|value| value.to_str().ok())
        };
        let service = header(header::AUTHORIZATION)
            .and_then(signed_service)
            .unwrap_or("unsigned");
        let target = header(header::HeaderName::from_static("x-amz-target"));
        let operation = match (target, service) {
            // AWS JSON protocols: DynamoDB_20120810.UpdateItem.
            (Some(target), _) => target.rsplit('.').next().unwrap_or(target).to_owned(),
            (None, "s3") => s3_operation(request),
            (None, _) => request.method().to_string(),
        };
        Self {
            service: service.to_owned(),
            operation,
        }
    }
}

/// The service in a signature's scope (AWS Signature Version 4): `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn signed_service(authorization: &str) -> Option<&str> {
    let (_, scope) = authorization.split_once("Credential=")?;
    let scope = scope.split([',', ' ']).next()?;
    scope.rsplit('/').nth(1)
}

/// S3's operation, by method and path (S3 API reference). SDKs say it themselves where these do not tell it.
fn s3_operation<B>(request: &Request<B>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let parameter = |name| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    if let Some(operation) = parameter("x-id") {
        return operation.to_owned();
    }
    let path = request.uri().path().trim_start_matches('/');
    let is_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let operation = match (request.method(), is_object) {
        (&Method::GET, true) => "GetObject",
        (&Method::PUT, true) => "PutObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::HEAD, false) => "HeadBucket",
        (&Method::GET, false) if parameter("list-type") == Some("2") => "ListObjectsV2",
        (method, _) => method.as_str(),
    };
    operation.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str, service: &str, target: Option<&str>) -> String {
        let mut request = Request::builder().method(method).uri(uri).header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-2/{service}/aws4_request, SignedHeaders=host, Signature=0"),
        );
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        ApiCall::of(&request.body(()).unwrap()).to_string()
    }

    #[test]
    fn a_json_service_names_its_operation() {
        assert_eq!(
            call(
                "POST",
                "/",
                "dynamodb",
                Some("DynamoDB_20120810.UpdateItem")
            ),
            "dynamodb UpdateItem"
        );
        assert_eq!(
            call("POST", "/", "sqs", Some("AmazonSQS.SendMessage")),
            "sqs SendMessage"
        );
    }

    #[test]
    fn an_operation_of_s3_is_told_by_method_and_path() {
        for (method, uri, operation) in [
            ("PUT", "/bucket/hits?x-id=PutObject", "PutObject"),
            ("PUT", "/bucket/copy?x-id=CopyObject", "CopyObject"),
            ("GET", "/bucket/a/b", "GetObject"),
            ("HEAD", "/bucket/hits", "HeadObject"),
            ("DELETE", "/bucket/hits", "DeleteObject"),
            ("HEAD", "/bucket/", "HeadBucket"),
            ("GET", "/bucket?list-type=2&prefix=a", "ListObjectsV2"),
            ("POST", "/bucket?delete", "POST"),
        ] {
            assert_eq!(call(method, uri, "s3", None), format!("s3 {operation}"));
        }
    }

    #[test]
    fn a_request_without_a_signature_is_counted_as_such() {
        let request = Request::get("/").body(()).unwrap();
        assert_eq!(ApiCall::of(&request).to_string(), "unsigned GET");
    }
}
