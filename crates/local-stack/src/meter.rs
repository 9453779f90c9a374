//! Counts the calls that functions make: a reverse proxy in front of the emulator.

mod api_call;

use std::{
    collections::BTreeMap,
    future::pending,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, Response, Uri, uri};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use local_lambda::http1;
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::api_call::ApiCall;

/// How often each call was made.
pub(crate) type Calls = BTreeMap<ApiCall, u64>;

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Meter {
    endpoint: String,
    calls: Arc<Mutex<Calls>>,
    accepting: JoinHandle<()>,
}

impl Meter {
    /// Starts a proxy in front of the emulator at this endpoint.
    pub(crate) async fn start(upstream: &str) -> io::Result<Self> {
        let upstream: uri::Authority = upstream
            .trim_start_matches("http://")
            .parse()
            .map_err(io::Error::other)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let proxy = Proxy {
            upstream,
            client: Client::builder(TokioExecutor::new()).build_http(),
            calls: Arc::default(),
        };
        let calls = proxy.calls.clone();
        let service = service_fn(move |request| proxy.clone().forward(request));
        let accepting = tokio::spawn(http1::serve(listener, service, pending()));
        Ok(Self {
            endpoint,
            calls,
            accepting,
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The calls so far. Failed attempts count, as they do on the bill.
    pub(crate) fn calls(&self) -> Calls {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone)]
struct Proxy {
    upstream: uri::Authority,
    client: Client<HttpConnector, Incoming>,
    calls: Arc<Mutex<Calls>>,
}

impl Proxy {
    /// Passes a request on as it is. Where the emulator does not answer, the connection breaks, as it would without us.
    async fn forward(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        let call = ApiCall::of(&request);
        *self
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(call)
            .or_default() += 1;
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = Some(self.upstream.clone());
        // Both were valid before, and a URI of three valid parts is one.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        self.client.request(request).await
    }
}
