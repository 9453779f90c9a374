//! The front doors: an HTTP API, function URLs and the Invoke API, told apart by path on one port.
//!
//! Where a request leads (to a function, or past all functions to a queue) and what event is made of it are two questions:
//! [`Doors::find`] answers the first, [`http_event`] the second.

mod http_event;
mod http_response;
mod invoke_api;
mod routes;
mod send_message;
mod unrouted;

use std::{
    collections::BTreeSet, convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, service::service_fn};
use tokio::net::TcpListener;

use self::{
    http_event::Source,
    routes::{Match, Routes},
};
use crate::{
    host::Host,
    http1,
    invocation::{Invocation, InvokeError, MAX_PAYLOAD_BYTES},
};
pub use http_event::API_ID;
pub use routes::{Error, Integration, Route, RouteMethod};
pub use send_message::SendMessage;
pub use unrouted::Unrouted;

/// The longest an HTTP API waits for an integration (API Gateway quotas: 30 s, can't be raised).
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// What can be reached over HTTP. Every function can be reached through the Invoke API.
#[derive(Clone, Debug, Default)]
pub struct FrontDoors {
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The functions that have a function URL, served below `/lambda-url/<function>/`.
    pub function_urls: Vec<String>,
    /// What answers where there is no route.
    pub unrouted: Unrouted,
}

struct Doors {
    host: Host,
    routes: Routes,
    function_urls: BTreeSet<String>,
    unrouted: Unrouted,
}

/// Serves the front doors until `until` resolves; then lets open requests finish, for two seconds at most.
///
/// Fails on routes that exclude each other or name no function of the host.
pub async fn serve(
    listener: TcpListener,
    host: Host,
    doors: FrontDoors,
    until: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    compiled_here(listener, host, doors, Box::pin(until)).await
}

/// The body of an async function is compiled where it is first polled. As a trait object it is so here, and with it the way
/// of every request, as fast as this crate is.
fn compiled_here<'a>(
    listener: TcpListener,
    host: Host,
    doors: FrontDoors,
    until: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
    Box::pin(serve_until(listener, host, doors, until))
}

async fn serve_until(
    listener: TcpListener,
    host: Host,
    doors: FrontDoors,
    until: Pin<Box<dyn Future<Output = ()> + Send + '_>>,
) -> Result<(), Error> {
    let routes = Routes::new(doors.routes, &host)?;
    let doors = Arc::new(Doors {
        host,
        routes,
        function_urls: doors.function_urls.into_iter().collect(),
        unrouted: doors.unrouted,
    });
    let service = service_fn(move |request| {
        let doors = doors.clone();
        async move { Ok::<_, Infallible>(doors.answer(request).await) }
    });
    http1::serve(listener, service, until).await;
    Ok(())
}

impl Doors {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        if let Some(function) = invoke_api::function(parts.uri.path()) {
            return match read(body).await {
                Ok(body) => invoke_api::answer(&self.host, function, &parts, body).await,
                Err(ReadError::TooLarge) => invoke_api::refuse(&InvokeError::TooLarge {
                    limit: MAX_PAYLOAD_BYTES,
                }),
                Err(ReadError::Broken) => message(StatusCode::BAD_REQUEST, "Bad Request"),
            };
        }
        let destination = match self.find(&parts) {
            Ok(found) => found,
            Err((StatusCode::NOT_FOUND, text)) => {
                return match self.unrouted.answer(&parts) {
                    Some(answer) => answer.map(Full::new),
                    None => message(StatusCode::NOT_FOUND, text),
                };
            }
            Err((status, text)) => return message(status, text),
        };
        let body = match read(body).await {
            Ok(body) => body,
            Err(ReadError::TooLarge) => {
                return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
            }
            Err(ReadError::Broken) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
        };
        let answer = async {
            match destination {
                Destination::Function(function, source) => {
                    self.invoke(function, source, &parts, &body).await
                }
                Destination::Queue(integration) => send_message::answer(integration, &body).await,
            }
        };
        tokio::time::timeout(INTEGRATION_TIMEOUT, answer)
            .await
            .unwrap_or_else(|_elapsed| {
                message(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out")
            })
    }

    async fn invoke(
        &self,
        function: &str,
        source: Source<'_>,
        parts: &Parts,
        body: &Bytes,
    ) -> Response<Full<Bytes>> {
        let throttled = match source {
            // API Gateway answers its own 503 where Lambda throttles; a function URL passes Lambda's 429 on.
            Source::HttpApi { .. } => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            Source::FunctionUrl { .. } => (StatusCode::TOO_MANY_REQUESTS, "Rate Exceeded."),
        };
        let event = http_event::build(parts, body, source);
        match self.host.invoke(function, event).await {
            Ok(Invocation {
                payload,
                function_error: None,
                ..
            }) => http_response::build(&payload)
                .unwrap_or_else(|| message(StatusCode::BAD_GATEWAY, "Internal Server Error")),
            // Lambda developer guide, "Handling Lambda errors with an API Gateway API": 502.
            Ok(Invocation {
                function_error: Some(_),
                ..
            }) => message(StatusCode::BAD_GATEWAY, "Internal Server Error"),
            Err(InvokeError::Throttled) => message(throttled.0, throttled.1),
            Err(InvokeError::TooLarge { .. }) => {
                message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
            }
            Err(error @ (InvokeError::NotFound(_) | InvokeError::Service(_))) => {
                tracing::error!(%error, function, "an invocation failed");
                message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
        }
    }

    /// Where a request leads, and through which door it came.
    fn find<'a>(&'a self, parts: &'a Parts) -> Result<Destination<'a>, (StatusCode, &'static str)> {
        let path = parts.uri.path();
        if let Some(rest) = path.strip_prefix("/lambda-url/") {
            let (function, path) = match rest.find('/') {
                Some(end) => rest.split_at(end),
                None => (rest, "/"),
            };
            return match self.function_urls.get(function) {
                Some(function) => Ok(Destination::Function(
                    function,
                    Source::FunctionUrl { function, path },
                )),
                None => Err((StatusCode::FORBIDDEN, "Forbidden")),
            };
        }
        let Some(Match {
            integration,
            route_key,
            path_parameters,
        }) = self.routes.find(&parts.method, path)
        else {
            return Err((StatusCode::NOT_FOUND, "Not Found"));
        };
        Ok(match integration {
            Integration::Function(function) => Destination::Function(
                function,
                Source::HttpApi {
                    route_key,
                    path,
                    path_parameters,
                },
            ),
            Integration::SendMessage(queue) => Destination::Queue(queue),
        })
    }
}

/// What answers a request.
enum Destination<'a> {
    Function(&'a str, Source<'a>),
    Queue(&'a SendMessage),
}

enum ReadError {
    TooLarge,
    Broken,
}

/// The whole body, bounded by what an invocation takes.
async fn read(body: Incoming) -> Result<Bytes, ReadError> {
    match Limited::new(body, MAX_PAYLOAD_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge),
        Err(_) => Err(ReadError::Broken),
    }
}

/// An answer of the front door itself, in API Gateway's form.
fn message(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(
        serde_json::json!({ "message": text }).to_string(),
    ));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
