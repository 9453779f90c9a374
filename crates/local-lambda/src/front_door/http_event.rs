//! An HTTP request as an event: payload format 2.0, which HTTP APIs and function URLs share.
//!
//! Shapes: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs"; Lambda developer guide,
//! "Invoking Lambda function URLs".

use std::{borrow::Cow, collections::BTreeMap, time::SystemTime};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use serde::Serialize;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// The id of the HTTP API.
pub const API_ID: &str = "local";

const ACCOUNT_ID: &str = "123456789012";

/// `12/Mar/2020:19:03:58 +0000`, the common log format of `requestContext.time`.
const COMMON_LOG_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// The door through which the request came.
#[derive(Debug)]
pub(super) enum Source<'a> {
    HttpApi {
        route_key: &'a str,
        path: &'a str,
        path_parameters: BTreeMap<&'a str, &'a str>,
    },
    FunctionUrl {
        function: &'a str,
        path: &'a str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'static str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: String,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: &'static str,
    user_agent: Cow<'a, str>,
}

/// The event's JSON.
pub(super) fn build(parts: &Parts, body: &Bytes, source: Source<'_>) -> Bytes {
    let (api_id, route_key, path, path_parameters) = match source {
        Source::HttpApi {
            route_key,
            path,
            path_parameters,
        } => (API_ID, route_key, path, path_parameters),
        Source::FunctionUrl { function, path } => (function, "$default", path, BTreeMap::new()),
    };
    let query = parts.uri.query().unwrap_or_default();
    let domain_name = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("127.0.0.1");
    let (body, is_base64_encoded) = encode(&parts.headers, body);
    let now = OffsetDateTime::from(SystemTime::now());
    let event = Event {
        version: "2.0",
        route_key,
        raw_path: path,
        raw_query_string: query,
        cookies: cookies(&parts.headers),
        headers: headers(&parts.headers),
        query_string_parameters: query_parameters(query),
        request_context: RequestContext {
            account_id: ACCOUNT_ID,
            api_id,
            domain_name,
            domain_prefix: api_id,
            http: Http {
                method: parts.method.as_str(),
                path,
                protocol: "HTTP/1.1",
                source_ip: "127.0.0.1",
                user_agent: parts
                    .headers
                    .get(header::USER_AGENT)
                    .map(text)
                    .unwrap_or_default(),
            },
            request_id: uuid::Uuid::new_v4().to_string(),
            route_key,
            stage: "$default",
            // An OffsetDateTime has every part that the format names.
            time: now.format(COMMON_LOG_TIME).unwrap_or_default(),
            time_epoch: u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        },
        path_parameters: path_parameters
            .into_iter()
            .map(|(name, value)| (name, percent_decoded(value)))
            .collect(),
        body,
        is_base64_encoded,
    };
    // Maps with text keys and text values only: this can't fail.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

/// Lower-case names, duplicates joined by commas, cookies in a field of their own.
fn headers(headers: &HeaderMap) -> BTreeMap<&str, Cow<'_, str>> {
    let mut combined: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::COOKIE) {
        combined
            .entry(name.as_str())
            .and_modify(|before| {
                let before = before.to_mut();
                before.push(',');
                before.push_str(&text(value));
            })
            .or_insert_with(|| text(value));
    }
    combined.extend([
        ("x-forwarded-for", Cow::Borrowed("127.0.0.1")),
        ("x-forwarded-proto", Cow::Borrowed("http")),
    ]);
    combined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).iter().map(text);
    lines
        .flat_map(|line| line.split("; ").map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|before| {
                before.push(',');
                before.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// The body as text where its type says it is text and it is, in base64 otherwise.
fn encode<'a>(headers: &HeaderMap, body: &'a Bytes) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(text)
        .unwrap_or(Cow::Borrowed("text/plain"));
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let textual = essence.starts_with("text/")
        || [
            "application/json",
            "application/javascript",
            "application/xml",
        ]
        .contains(&essence.as_str())
        || essence.ends_with("+json")
        || essence.ends_with("+xml");
    match std::str::from_utf8(body) {
        Ok(text) if textual => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(BASE64_STANDARD.encode(body))), true),
    }
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn text(value: &http::HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::{Value, json};

    use super::*;

    fn event(request: http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let source = Source::HttpApi {
            route_key: "POST /items/{id}",
            path: parts.uri.path(),
            path_parameters: BTreeMap::from([("id", "a%20b")]),
        };
        serde_json::from_slice(&build(&parts, &Bytes::from_static(body), source)).unwrap()
    }

    #[test]
    fn duplicates_are_joined_and_cookies_stand_apart() {
        let request = Request::post("/items/a%20b?q=1&q=2%263&empty=")
            .header("host", "api.example.com")
            .header("x-tag", "one")
            .header("x-tag", "two")
            .header("cookie", "a=1; b=2")
            .header("content-type", "application/json; charset=utf-8");
        let event = event(request, b"{\"x\":1}");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["routeKey"], "POST /items/{id}");
        assert_eq!(event["rawPath"], "/items/a%20b");
        assert_eq!(event["rawQueryString"], "q=1&q=2%263&empty=");
        assert_eq!(
            event["queryStringParameters"],
            json!({ "q": "1,2&3", "empty": "" })
        );
        assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
        assert_eq!(event["headers"]["x-tag"], "one,two");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["body"], "{\"x\":1}");
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["requestContext"]["domainName"], "api.example.com");
    }

    #[test]
    fn what_is_no_text_goes_in_base64() {
        let image = event(
            Request::post("/items/1").header("content-type", "image/png"),
            b"\x89PNG",
        );
        assert_eq!(
            (&image["body"], &image["isBase64Encoded"]),
            (&json!("iVBORw=="), &json!(true))
        );
        let broken = event(
            Request::post("/items/1").header("content-type", "text/plain"),
            b"\xff",
        );
        assert_eq!(broken["isBase64Encoded"], true);
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let event = event(Request::get("/items/1"), b"");
        for absent in ["body", "cookies", "queryStringParameters"] {
            assert_eq!(event.get(absent), None, "{absent}");
        }
    }
}
