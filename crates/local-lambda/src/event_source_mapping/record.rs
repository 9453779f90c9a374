//! A message as a record of the event: its shape is in the Lambda developer guide, "Using Lambda with Amazon SQS".

use std::{collections::BTreeMap, time::Instant};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;

/// A received message.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    /// Its share of the event.
    pub(super) json: String,
    pub(super) received_at: Instant,
    /// Whether it had been received before.
    pub(super) redelivered: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<&'a str>,
    md5_of_body: &'a str,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    string_list_values: [&'a str; 0],
    binary_list_values: [&'a str; 0],
    data_type: &'a str,
}

impl Record {
    /// A message that has just been received from this queue.
    pub(super) fn new(message: &Message, queue_arn: &str, region: &str) -> Self {
        let message_id = message.message_id().unwrap_or_default();
        let receipt_handle = message.receipt_handle().unwrap_or_default();
        let attributes: BTreeMap<&str, &str> = message
            .attributes()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let received = attributes
            .get(MessageSystemAttributeName::ApproximateReceiveCount.as_str())
            .and_then(|count| count.parse::<u64>().ok());
        let json = Json {
            message_id,
            receipt_handle,
            body: message.body().unwrap_or_default(),
            attributes,
            message_attributes: message
                .message_attributes()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.as_str(), Attribute::new(value)))
                .collect(),
            md5_of_message_attributes: message.md5_of_message_attributes(),
            md5_of_body: message.md5_of_body().unwrap_or_default(),
            event_source: "aws:sqs",
            event_source_arn: queue_arn,
            aws_region: region,
        };
        Self {
            message_id: message_id.to_owned(),
            receipt_handle: receipt_handle.to_owned(),
            // Maps with text keys and text values only: this can't fail.
            json: serde_json::to_string(&json).unwrap_or_default(),
            received_at: Instant::now(),
            redelivered: received.is_some_and(|count| count > 1),
        }
    }
}

impl<'a> Attribute<'a> {
    fn new(value: &'a MessageAttributeValue) -> Self {
        Self {
            string_value: value.string_value(),
            binary_value: value
                .binary_value()
                .map(|bytes| BASE64_STANDARD.encode(bytes)),
            string_list_values: [],
            binary_list_values: [],
            data_type: value.data_type(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::primitives::Blob;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_record_has_the_shape_that_lambda_gives_it() {
        let number = MessageAttributeValue::builder()
            .data_type("Number")
            .string_value("7");
        let bytes = MessageAttributeValue::builder()
            .data_type("Binary")
            .binary_value(Blob::new(b"\x00\xff"));
        let message = Message::builder()
            .message_id("059f36b4-87a3-44ab-83d2-661975830a7d")
            .receipt_handle("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a")
            .body("{\"x\": 1.5}")
            .md5_of_body("e4e68fb7bd0e697a0ae8f1bb342846b3")
            .md5_of_message_attributes("00484c68")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1545082649183")
            .message_attributes("n", number.build().unwrap())
            .message_attributes("b", bytes.build().unwrap())
            .build();
        let record = Record::new(
            &message,
            "arn:aws:sqs:eu-west-2:123456789012:calc",
            "eu-west-2",
        );
        assert!(record.redelivered);
        assert_eq!(
            serde_json::from_str::<Value>(&record.json).unwrap(),
            json!({
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": "{\"x\": 1.5}",
                "attributes": { "ApproximateReceiveCount": "2", "SentTimestamp": "1545082649183" },
                "messageAttributes": {
                    "n": { "stringValue": "7", "stringListValues": [], "binaryListValues": [], "dataType": "Number" },
                    "b": { "binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary" },
                },
                "md5OfMessageAttributes": "00484c68",
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-2:123456789012:calc",
                "awsRegion": "eu-west-2",
            })
        );
    }
}
