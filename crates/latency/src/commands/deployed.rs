//! The functions of a deployed stack, and what the commands that measure them share.

use bytes::Bytes;
use load::Url;
use serde_json::{Value, json};

use super::url;
use crate::{BadInput, aws::Aws, cost::FrontDoor};

/// What the column "cost without AWS calls" is of.
pub(super) const COST_NOTE: &str = "cost without AWS calls: list prices of eu-west-2 for the API's request, Lambda's request \
    and its GB-seconds. Not in it: the calls that the function makes to other AWS services, logs, data transfer and the free \
    tier.";

/// A function whose URL is one of the stack's outputs.
#[derive(Debug)]
pub(super) struct StackFunction {
    /// What its row is called.
    pub(super) name: String,
    pub(super) logical_id: String,
    /// Its name in Lambda.
    pub(super) function: String,
    pub(super) url: Url,
}

impl StackFunction {
    pub(super) fn new(logical_id: String, function: String, url: Url) -> Self {
        Self {
            name: kebab_case(&logical_id),
            logical_id,
            function,
            url,
        }
    }
}

/// All of them: there is at least one.
pub(super) async fn functions(aws: &Aws, stack: &str) -> anyhow::Result<Vec<StackFunction>> {
    let outputs = aws.outputs(stack).await?;
    let mut functions = Vec::new();
    for (logical_id, function) in aws.functions(stack).await? {
        let Some(value) = outputs.get(&format!("{logical_id}Url")) else {
            continue;
        };
        let Ok(url) = url(value) else { continue };
        functions.push(StackFunction::new(logical_id, function, url));
    }
    if functions.is_empty() {
        return Err(BadInput(format!(
            "stack {stack} has no function with an output for its URL, as CounterS3 has CounterS3Url"
        ))
        .into());
    }
    Ok(functions)
}

/// `CounterS3` is called counter-s3: a capital letter begins a word. `ReadingsFunction` is called readings: a parameter has
/// that name.
fn kebab_case(logical_id: &str) -> String {
    let mut name = String::new();
    let logical_id = logical_id.strip_suffix("Function").unwrap_or(logical_id);
    for letter in logical_id.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What AWS serves under this URL, as far as there is a price for it.
pub(super) fn front_door(url: &Url) -> Option<FrontDoor> {
    let (_, service) = url.origin().host().split_once('.')?;
    if service.starts_with("execute-api.") {
        Some(FrontDoor::HttpApi)
    } else if service.starts_with("lambda-url.") {
        Some(FrontDoor::FunctionUrl)
    } else {
        None
    }
}

/// A GET of the URL as an HTTP API would hand it to its function, payload format 2.0.
pub(super) fn http_api_event(url: &Url) -> Vec<u8> {
    let (path, query) = url
        .path_and_query()
        .split_once('?')
        .unwrap_or((url.path_and_query(), ""));
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "host": url.origin().host() },
        "requestContext": {
            "domainName": url.origin().host(),
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "latency",
            },
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    });
    event.to_string().into_bytes()
}

/// Whether a function answered such an event with a 2xx.
pub(super) fn is_success(payload: &Bytes) -> bool {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    matches!(answer["statusCode"].as_u64(), Some(200..=299))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_bears_the_name_of_its_function() {
        assert_eq!(kebab_case("CounterDynamodb"), "counter-dynamodb");
        assert_eq!(kebab_case("CounterS3"), "counter-s3");
        assert_eq!(kebab_case("Empty"), "empty");
        assert_eq!(kebab_case("ReadingsFunction"), "readings");
    }

    #[test]
    fn only_what_has_a_price_is_a_front_door() {
        let door = |url: &str| front_door(&url.parse().unwrap());
        assert_eq!(
            door("https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/empty"),
            Some(FrontDoor::HttpApi)
        );
        assert_eq!(
            door("https://a1b2c3d4e5.lambda-url.eu-west-2.on.aws/"),
            Some(FrontDoor::FunctionUrl)
        );
        assert_eq!(door("https://api.example.com/"), None);
        assert_eq!(door("http://127.0.0.1:9000/"), None);
    }

    #[test]
    fn only_a_2xx_is_a_success() {
        let success = |answer: &'static str| is_success(&Bytes::from_static(answer.as_bytes()));
        assert!(success(r#"{"statusCode":200}"#));
        assert!(!success(r#"{"statusCode":500}"#));
        assert!(!success(r#"{"errorType":"Sandbox.Timedout"}"#));
        assert!(!success("not JSON"));
    }
}
