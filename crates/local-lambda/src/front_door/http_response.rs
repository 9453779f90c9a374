//! A function's answer as an HTTP response: payload format 2.0.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// The response, or `None` if the function's answer is not of the format.
///
/// JSON without a `statusCode` is taken as the body of a 200, as the format says.
pub(super) fn build(payload: &Bytes) -> Option<Response<Full<Bytes>>> {
    let Ok(answer) = serde_json::from_slice::<Answer>(payload) else {
        return inferred(payload);
    };
    let body = match (answer.body, answer.is_base64_encoded) {
        (Some(body), Some(true)) => BASE64_STANDARD.decode(body).ok()?.into(),
        (Some(body), _) => Bytes::from(body),
        (None, _) => Bytes::new(),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let headers = response.headers_mut();
    for (name, value) in answer.headers.unwrap_or_default() {
        let name = HeaderName::try_from(name).ok()?;
        // The length is ours to say; the connection is ours to keep.
        if [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
        ]
        .contains(&name)
        {
            continue;
        }
        headers.insert(name, header_value(&value)?);
    }
    for cookie in answer.cookies.unwrap_or_default() {
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    if !headers.contains_key(header::CONTENT_TYPE) {
        // What API Gateway says of a body whose function says nothing.
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain;charset=UTF-8"),
        );
    }
    Some(response)
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::try_from(text).ok(),
        Value::Bool(_) | Value::Number(_) => HeaderValue::try_from(value.to_string()).ok(),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn inferred(payload: &Bytes) -> Option<Response<Full<Bytes>>> {
    let body = match serde_json::from_slice::<Value>(payload).ok()? {
        Value::Object(answer) if answer.contains_key("statusCode") => return None,
        Value::String(text) => Bytes::from(text),
        _ => payload.clone(),
    };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Some(response)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn body(response: Response<Full<Bytes>>) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn status_headers_cookies_and_body_come_through() {
        let payload =
            br#"{"statusCode":405,"headers":{"allow":"GET","x-n":7,"content-length":"999"},
            "multiValueHeaders":{},"cookies":["a=1","b=2"],"body":"aGk=","isBase64Encoded":true}"#;
        let response = build(&Bytes::from_static(payload)).unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET");
        assert_eq!(response.headers()["x-n"], "7");
        assert!(!response.headers().contains_key("content-length"));
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(body(response).await, "hi");
    }

    #[tokio::test]
    async fn json_without_a_status_is_the_body_of_a_200() {
        let response = build(&Bytes::from_static(br#"{"hits":7}"#)).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(body(response).await, r#"{"hits":7}"#);
        assert_eq!(
            body(build(&Bytes::from_static(b"\"hello\"")).unwrap()).await,
            "hello"
        );
    }

    #[test]
    fn what_is_not_of_the_format_is_refused() {
        for payload in [
            "",
            "no json",
            r#"{"statusCode":"two hundred"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"headers":{"bad name":"x"}}"#,
            r#"{"statusCode":200,"headers":{"x":"line\nbreak"}}"#,
        ] {
            assert!(
                build(&Bytes::from_static(payload.as_bytes())).is_none(),
                "{payload}"
            );
        }
    }
}
