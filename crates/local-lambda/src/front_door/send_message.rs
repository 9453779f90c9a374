//! The integration `SQS-SendMessage`: an HTTP API puts a request's body on a queue, with no function in between.
//!
//! The API passes SQS's answer on, and SQS answers in XML: API Gateway developer guide, "AWS service integrations for HTTP
//! APIs", and the pattern apigw-http-sqs-lambda-cdk of aws-samples/serverless-patterns, which shows it.

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        RequestId,
        send_message::{SendMessageError, SendMessageOutput},
    },
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use quick_xml::escape::escape;

use super::message;
use crate::sqs::describe;

const XMLNS: &str = "http://queue.amazonaws.com/doc/2012-11-05/";

/// A queue that requests' bodies are put on.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// A client of the SQS that has the queue.
    pub sqs: Client,
    /// The queue's URL.
    pub queue_url: String,
}

/// Puts the body on the queue.
pub(super) async fn answer(integration: &SendMessage, body: &Bytes) -> Response<Full<Bytes>> {
    // API Gateway asks SQS for nothing if a required parameter, here the body, is not there.
    if body.is_empty() {
        return message(StatusCode::BAD_REQUEST, "Bad Request");
    }
    let Ok(text) = str::from_utf8(body) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "InvalidMessageContents",
            "The message contains characters outside the allowed set.",
            "",
        );
    };
    let sent = integration
        .sqs
        .send_message()
        .queue_url(&integration.queue_url)
        .message_body(text)
        .send()
        .await;
    match sent {
        Ok(sent) => accepted(&sent),
        Err(error) => failed(&error),
    }
}

fn accepted(sent: &SendMessageOutput) -> Response<Full<Bytes>> {
    let sequence_number = sent
        .sequence_number()
        .map(|number| format!("<SequenceNumber>{}</SequenceNumber>", escape(number)));
    xml(
        StatusCode::OK,
        format!(
            "<SendMessageResponse xmlns=\"{XMLNS}\"><SendMessageResult><MessageId>{}</MessageId>\
             <MD5OfMessageBody>{}</MD5OfMessageBody>{}</SendMessageResult>\
             <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></SendMessageResponse>",
            escape(sent.message_id().unwrap_or_default()),
            escape(sent.md5_of_message_body().unwrap_or_default()),
            sequence_number.unwrap_or_default(),
            escape(sent.request_id().unwrap_or_default()),
        ),
    )
}

/// SQS's own errors are passed on; that it can't be reached is the API's to say.
fn failed(error: &SdkError<SendMessageError>) -> Response<Full<Bytes>> {
    if let SdkError::ServiceError(service) = error {
        let status = StatusCode::from_u16(service.raw().status().as_u16());
        return refused(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            error.code().unwrap_or("InternalFailure"),
            error.message().unwrap_or_default(),
            error.request_id().unwrap_or_default(),
        );
    }
    tracing::error!(error = describe(error), "a message could not be sent");
    message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
}

/// An error in SQS's form (SQS developer guide, "Interpreting Amazon SQS XML API responses").
fn refused(
    status: StatusCode,
    code: &str,
    message: &str,
    request_id: &str,
) -> Response<Full<Bytes>> {
    let kind = match status.is_server_error() {
        true => "Receiver",
        false => "Sender",
    };
    xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"{XMLNS}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message><Detail/></Error>\
             <RequestId>{}</RequestId></ErrorResponse>",
            escape(code),
            escape(message),
            escape(request_id),
        ),
    )
}

fn xml(status: StatusCode, element: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("<?xml version=\"1.0\"?>{element}")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
