//! The Invoke API: `POST /2015-03-31/functions/<function>/invocations`.

use bytes::Bytes;
use http::{Method, Response, StatusCode, request::Parts};
use http_body_util::Full;

use crate::{
    asynchronous,
    host::Host,
    invocation::{InvokeError, MAX_ASYNCHRONOUS_PAYLOAD_BYTES},
};

/// The function that an Invoke path names, by name or by ARN, with or without a qualifier.
pub(super) fn function(path: &str) -> Option<&str> {
    let named = path
        .strip_prefix("/2015-03-31/functions/")?
        .strip_suffix("/invocations")?;
    let named = named
        .rsplit_once(":function:")
        .map_or(named, |(_, name)| name);
    Some(named.split(':').next().unwrap_or(named))
}

pub(super) async fn answer(
    host: &Host,
    function: &str,
    parts: &Parts,
    body: Bytes,
) -> Response<Full<Bytes>> {
    if parts.method != Method::POST {
        return respond(StatusCode::METHOD_NOT_ALLOWED, &[], Bytes::new());
    }
    // Lambda hands an empty payload on as an empty object.
    let payload = if body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        body
    };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        return user_error(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            &format!("Could not parse request body into json: {error}"),
        );
    }
    let invocation_type = parts
        .headers
        .get("x-amz-invocation-type")
        .map(|value| value.as_bytes());
    match invocation_type.unwrap_or(b"RequestResponse") {
        b"RequestResponse" => match host.invoke(function, payload).await {
            Ok(invocation) => {
                let mut headers = vec![
                    ("x-amzn-requestid", invocation.request_id.as_str()),
                    ("x-amz-executed-version", "$LATEST"),
                    ("content-type", "application/json"),
                ];
                if let Some(function_error) = invocation.function_error {
                    headers.push(("x-amz-function-error", function_error.as_str()));
                }
                respond(StatusCode::OK, &headers, invocation.payload)
            }
            Err(error) => refuse(&error),
        },
        b"Event" if payload.len() > MAX_ASYNCHRONOUS_PAYLOAD_BYTES => {
            refuse(&InvokeError::TooLarge {
                limit: MAX_ASYNCHRONOUS_PAYLOAD_BYTES,
            })
        }
        b"Event" | b"DryRun" if !host.has(function) => {
            refuse(&InvokeError::NotFound(function.to_owned()))
        }
        b"Event" => {
            tokio::spawn(asynchronous::invoke(
                host.clone(),
                function.to_owned(),
                payload,
            ));
            respond(StatusCode::ACCEPTED, &[], Bytes::new())
        }
        b"DryRun" => respond(StatusCode::NO_CONTENT, &[], Bytes::new()),
        other => user_error(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            &format!(
                "Unknown invocation type: {}",
                String::from_utf8_lossy(other)
            ),
        ),
    }
}

/// An event that never reached a function, in the words of the Invoke API.
pub(super) fn refuse(error: &InvokeError) -> Response<Full<Bytes>> {
    let (status, error_type) = match error {
        InvokeError::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
        InvokeError::Throttled => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        InvokeError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
        InvokeError::Service(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
    };
    user_error(status, error_type, &error.to_string())
}

fn user_error(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "Type": "User", "Message": message }).to_string();
    respond(
        status,
        &[
            ("x-amzn-errortype", error_type),
            ("content-type", "application/json"),
        ],
        body.into(),
    )
}

fn respond(
    status: StatusCode,
    headers: &[(&'static str, &str)],
    body: Bytes,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        match http::HeaderValue::try_from(*value) {
            Ok(value) => drop(response.headers_mut().insert(*name, value)),
            Err(error) => tracing::error!(%error, name, "a header was left out"),
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_name_or_by_arn() {
        let named = |name: &str| {
            function(&format!("/2015-03-31/functions/{name}/invocations")).map(str::to_owned)
        };
        assert_eq!(named("counter").as_deref(), Some("counter"));
        assert_eq!(named("counter:$LATEST").as_deref(), Some("counter"));
        assert_eq!(
            named("arn:aws:lambda:eu-west-2:123456789012:function:counter:live").as_deref(),
            Some("counter")
        );
        assert_eq!(
            named("123456789012:function:counter").as_deref(),
            Some("counter")
        );
        assert_eq!(function("/2015-03-31/functions/counter"), None);
        assert_eq!(function("/hits"), None);
    }
}
