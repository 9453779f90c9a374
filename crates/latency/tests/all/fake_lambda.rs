//! A Lambda that answers as a test wants it, for what the local host does not do.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use local_lambda::http1;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request to it: the path, and the event if it was an invocation.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: hyper::Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: String,
    pub(crate) event: Value,
    pub(crate) headers: hyper::HeaderMap,
}

pub(crate) struct FakeLambda {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl FakeLambda {
    /// Answers each call with what `answer` makes of it; ends with the test's runtime.
    pub(crate) async fn start<F>(answer: F) -> Self
    where
        F: Fn(&Call) -> Response<String> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (seen, answer) = (calls.clone(), Arc::new(answer));
        let service = service_fn(move |request: Request<Incoming>| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let call = Call {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    body: String::from_utf8_lossy(&body).into_owned(),
                    event: serde_json::from_slice(&body).unwrap_or_default(),
                    headers: parts.headers,
                };
                let response = answer(&call);
                seen.lock().unwrap().push(call);
                Ok::<_, Infallible>(response.map(|body| Full::new(Bytes::from(body))))
            }
        });
        tokio::spawn(http1::serve(listener, service, pending()));
        Self { url, calls }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}
