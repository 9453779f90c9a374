//! One invocation: what goes in, what comes out, and how it can fail.

use bytes::Bytes;

/// The largest payload of a synchronous invocation, in and out, in bytes (Lambda quotas: 6 MB).
pub(crate) const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// The largest payload of an asynchronous invocation in bytes (Lambda quotas: 1 MB).
pub(crate) const MAX_ASYNCHRONOUS_PAYLOAD_BYTES: usize = 1024 * 1024;

/// What an invocation answered.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The invocation's id.
    pub request_id: String,
    /// The function's answer, or the description of its error.
    pub payload: Bytes,
    /// Set when the payload describes an error of the function.
    pub function_error: Option<FunctionError>,
}

/// What `X-Amz-Function-Error` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// The function reported an error, timed out, or its environment ended.
    Unhandled,
}

impl FunctionError {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unhandled => "Unhandled",
        }
    }
}

/// Why an event never reached a function.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function.
    #[error("Function not found: {0}")]
    NotFound(String),
    /// The concurrency limit is reached.
    #[error("Rate Exceeded.")]
    Throttled,
    /// The payload is larger than an invocation takes.
    #[error("Request must be smaller than {limit} bytes for the InvokeFunction operation")]
    TooLarge {
        /// The largest payload in bytes.
        limit: usize,
    },
    /// The host is shutting down, or could not start the environment's process.
    #[error("{0}")]
    Service(String),
}

/// An error payload in the form that Lambda gives its own errors.
pub(crate) fn error_payload(request_id: &str, error_type: &str, message: &str) -> Bytes {
    serde_json::json!({
        "errorType": error_type,
        "errorMessage": format!("RequestId: {request_id} Error: {message}"),
    })
    .to_string()
    .into()
}
