//! The Runtime API (2018-06-01) of one environment: where its process fetches events and leaves answers.

use std::{convert::Infallible, future::pending, sync::Arc, time::UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use tokio::net::TcpListener;

use crate::{
    environment::{Environment, Event},
    http1,
    invocation::{FunctionError, MAX_PAYLOAD_BYTES, error_payload},
};

/// Serves the endpoint until the task is aborted.
pub(crate) async fn serve(listener: TcpListener, environment: Arc<Environment>) {
    let service = service_fn(move |request| {
        let environment = environment.clone();
        async move { Ok::<_, Infallible>(answer(&environment, request).await) }
    });
    http1::serve(listener, service, pending()).await;
}

async fn answer(environment: &Environment, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Some(resource) = parts.uri.path().strip_prefix("/2018-06-01/runtime/") else {
        return refuse(
            StatusCode::NOT_FOUND,
            "InvalidPath",
            "Not a path of the Runtime API",
        );
    };
    match (
        &parts.method,
        resource.split('/').collect::<Vec<_>>().as_slice(),
    ) {
        (&Method::GET, ["invocation", "next"]) => deliver(environment.next().await),
        (&Method::POST, ["invocation", request_id, "response"]) => {
            let (payload, function_error, too_large) = match read(body).await {
                Ok(payload) => (payload, None, false),
                Err(message) => {
                    let payload =
                        error_payload(request_id, "Function.ResponseSizeTooLarge", &message);
                    (payload, Some(FunctionError::Unhandled), true)
                }
            };
            match environment.answer(request_id, payload, function_error) {
                true if too_large => refuse(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    "Exceeded maximum allowed payload size",
                ),
                found => acknowledge(found),
            }
        }
        (&Method::POST, ["invocation", request_id, "error"]) => {
            let payload = read(body)
                .await
                .unwrap_or_else(|message| error_payload(request_id, "Function.Unknown", &message));
            acknowledge(environment.answer(request_id, payload, Some(FunctionError::Unhandled)))
        }
        (&Method::POST, ["init", "error"]) => {
            let payload = read(body)
                .await
                .unwrap_or_else(|message| error_payload("", "Runtime.Unknown", &message));
            environment.init_failed(payload);
            acknowledge(true)
        }
        _ => refuse(
            StatusCode::NOT_FOUND,
            "InvalidPath",
            "Not a path of the Runtime API",
        ),
    }
}

/// The whole body, bounded: a function can't fill the host's memory.
async fn read(body: Incoming) -> Result<Bytes, String> {
    match Limited::new(body, MAX_PAYLOAD_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(format!(
            "Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
        )),
        Err(error) => Err(format!("The payload could not be read: {error}")),
    }
}

fn deliver(event: Event) -> Response<Full<Bytes>> {
    let deadline_ms = event
        .deadline
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    respond(
        Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", event.request_id)
            .header("Lambda-Runtime-Deadline-Ms", deadline_ms.to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", event.function_arn)
            .header("Lambda-Runtime-Trace-Id", event.trace_id),
        event.payload,
    )
}

fn acknowledge(found: bool) -> Response<Full<Bytes>> {
    if found {
        respond(
            Response::builder().status(StatusCode::ACCEPTED),
            Bytes::from_static(br#"{"status":"OK"}"#),
        )
    } else {
        refuse(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        )
    }
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message }).to_string();
    respond(Response::builder().status(status), body.into())
}

fn respond(response: http::response::Builder, body: Bytes) -> Response<Full<Bytes>> {
    response.body(Full::new(body)).unwrap_or_else(|error| {
        // Only a header of ours that is no header could end here.
        tracing::error!(%error, "a Runtime API answer could not be built");
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
