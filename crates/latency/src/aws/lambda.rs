//! What Lambda is asked: to invoke a function, what one runs on, and to publish it with another memory size.

mod configuration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Aws, Error, ReportLine, Service, one_line};
use crate::cost::Architecture;

pub use configuration::{Configuration, Phase};

const LAMBDA: Service = Service {
    name: "Lambda",
    id: "Lambda",
    prefix: "lambda",
};

/// What a path segment need not encode (RFC 3986, "unreserved"). A function may be named by its ARN, which has colons.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An invocation that ended without a function error.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's response.
    pub payload: Bytes,
    /// The last line of its log, if Lambda sent the log's tail along.
    pub report: Option<ReportLine>,
}

impl Aws {
    /// Invokes a function, by name or ARN, and waits for its response (`RequestResponse`).
    ///
    /// # Errors
    /// Lambda did not invoke it, or the function failed.
    pub async fn invoke(&self, function: &str, payload: Vec<u8>) -> Result<Invocation, Error> {
        let path = format!("{}/invocations", path(function));
        self.invoke_at(&path, function, payload).await
    }

    /// The same for a version of the function.
    ///
    /// # Errors
    /// Lambda did not invoke it, or the function failed.
    pub async fn invoke_version(
        &self,
        function: &str,
        version: u64,
        payload: Vec<u8>,
    ) -> Result<Invocation, Error> {
        let path = format!("{}/invocations?Qualifier={version}", path(function));
        self.invoke_at(&path, function, payload).await
    }

    async fn invoke_at(
        &self,
        path: &str,
        function: &str,
        payload: Vec<u8>,
    ) -> Result<Invocation, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", "application/json")
            .header("x-amz-log-type", "Tail");
        let answer = LAMBDA.accepted(self.send(&LAMBDA, path, request, payload).await?)?;
        let (headers, payload) = (answer.headers(), answer.body());
        if headers.contains_key("x-amz-function-error") {
            return Err(Error::FunctionError {
                function: function.to_owned(),
                reason: reason(payload),
            });
        }
        let log = headers
            .get("x-amz-log-result")
            .and_then(|log| BASE64.decode(log).ok());
        Ok(Invocation {
            report: log.and_then(|log| ReportLine::find(&String::from_utf8_lossy(&log))),
            payload: answer.into_body(),
        })
    }

    /// What a function runs on.
    ///
    /// # Errors
    /// Lambda does not say it.
    pub async fn architecture(&self, function: &str) -> Result<Architecture, Error> {
        let path = format!("{}/configuration", path(function));
        let answer = self.send(&LAMBDA, &path, Request::builder(), Vec::new());
        let configuration = LAMBDA.json(answer.await?)?;
        match configuration["Architectures"][0].as_str() {
            Some("arm64") => Ok(Architecture::Arm64),
            Some("x86_64") => Ok(Architecture::X86_64),
            other => Err(LAMBDA.not_understood(format!("architecture {other:?}"))),
        }
    }
}

fn path(function: &str) -> String {
    let function = utf8_percent_encode(function, UNRESERVED);
    format!("/2015-03-31/functions/{function}")
}

/// What a function error says of itself: `errorType: errorMessage`.
fn reason(payload: &Bytes) -> String {
    let error: Value = serde_json::from_slice(payload).unwrap_or_default();
    let parts = [&error["errorType"], &error["errorMessage"]];
    let parts: Vec<_> = parts.iter().filter_map(|part| part.as_str()).collect();
    match parts.is_empty() {
        true => "it does not say why".to_owned(),
        false => one_line(&parts.join(": ")),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[test]
    fn a_function_may_be_named_by_its_arn() {
        assert_eq!(
            path("arn:aws:lambda:eu-west-2:123456789012:function:latency-probe_1.x~"),
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-2%3A123456789012%3Afunction%3Alatency-probe_1.x~"
        );
    }

    fn refusal(error_type: &str, body: &'static str) -> String {
        let answer = Response::builder()
            .status(429)
            .header("x-amzn-errortype", error_type)
            .body(Bytes::from_static(body.as_bytes()));
        LAMBDA.accepted(answer.unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_is_told_in_lambdas_words() {
        assert_eq!(
            refusal(
                "TooManyRequestsException",
                r#"{"Reason":"x","message":"Rate Exceeded."}"#
            ),
            "Lambda refuses: Rate Exceeded. (TooManyRequestsException)"
        );
        assert_eq!(
            refusal("ServiceException:http://x/", "not JSON"),
            "Lambda refuses: it does not say why (ServiceException)"
        );
    }

    #[test]
    fn a_function_error_says_its_type_and_message() {
        let timed_out = br#"{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out"}"#;
        assert_eq!(
            reason(&Bytes::from_static(timed_out)),
            "Sandbox.Timedout: Task timed out"
        );
        assert_eq!(reason(&Bytes::from_static(b"1")), "it does not say why");
    }
}
