//! What is called: a URL, resolved once, so that no name look-up gets into a latency.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    header::{self, HeaderValue},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName},
};

use crate::{NotUrl, Pattern, Url};

/// What a request carries.
pub(crate) type Body = Full<Bytes>;

/// Makes what a request carries.
type MakeBody = Arc<dyn Fn() -> Bytes + Send + Sync>;

/// A URL that can be called.
#[derive(Clone)]
pub struct Target {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) timeout: Duration,
    request: Request<Body>,
    path: Pattern,
    make_body: Option<MakeBody>,
}

/// Why a URL can't be called.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not a URL.
    #[error(transparent)]
    NotUrl(#[from] NotUrl),
    /// Its host has no address.
    #[error("'{host}' has no address: {reason}")]
    NoAddress {
        /// The host.
        host: String,
        /// What the name service says.
        reason: String,
    },
    /// The machine's certificates can't be read.
    #[error("no root certificates on this machine: {0}")]
    NoCertificates(String),
}

impl Target {
    /// Looks the URL's host up. A request fails when its answer is not complete after `timeout`.
    ///
    /// # Errors
    /// A host without an address or one that no certificate can name, and for `https://` a machine without root
    /// certificates.
    pub async fn resolve(url: &Url, timeout: Duration) -> Result<Self, Error> {
        let origin = url.origin();
        let host = origin.host();
        let not_url = |reason: String| NotUrl {
            url: url.to_string(),
            reason,
        };
        let no_address = |reason: String| Error::NoAddress {
            host: host.to_owned(),
            reason,
        };
        let addresses: Vec<_> = tokio::net::lookup_host((host, origin.port))
            .await
            .map_err(|error| no_address(error.to_string()))?
            .collect();
        if addresses.is_empty() {
            return Err(no_address("the name service knows none".to_owned()));
        }

        let request = Request::get(url.path_and_query())
            .header(header::HOST, url.authority.as_str())
            .header(
                header::USER_AGENT,
                concat!("latency/", env!("CARGO_PKG_VERSION")),
            )
            .body(Body::default())
            .map_err(|error| not_url(error.to_string()))?;
        let tls = if origin.secure {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| not_url(error.to_string()))?;
            Some((tls_connector()?, name))
        } else {
            None
        };
        Ok(Self {
            addresses,
            tls,
            timeout,
            request,
            path: url.pattern().clone(),
            make_body: None,
        })
    }

    /// The same with POST requests, each with a body of its own.
    #[must_use]
    pub fn posting(
        mut self,
        content_type: &'static str,
        make_body: impl Fn() -> Bytes + Send + Sync + 'static,
    ) -> Self {
        *self.request.method_mut() = Method::POST;
        let content_type = HeaderValue::from_static(content_type);
        self.request
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        self.make_body = Some(Arc::new(make_body));
        self
    }

    /// Whether a request may be sent again when nobody knows what became of it.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.request.method() == Method::GET
    }

    /// The next request to send.
    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = self.request.clone();
        if !self.path.is_constant() {
            let mut path = Vec::new();
            self.path.render(&mut path);
            if let Ok(path) = Uri::try_from(path) {
                *request.uri_mut() = path;
            }
        }
        if let Some(make_body) = &self.make_body {
            *request.body_mut() = Body::new(make_body());
        }
        request
    }
}

fn tls_connector() -> Result<TlsConnector, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(Error::NoCertificates(if reasons.is_empty() {
            "install the package ca-certificates".to_owned()
        } else {
            reasons.join(", ")
        }));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::NoCertificates(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use http_body_util::BodyExt as _;

    use super::*;

    async fn target(url: &str) -> Target {
        Target::resolve(&url.parse().unwrap(), Duration::from_secs(1))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_path_and_the_host_of_the_url_are_sent() {
        let target = target("http://127.0.0.1:9000/s3/hits?x=1").await;
        let request = target.request();
        assert_eq!(request.uri(), "/s3/hits?x=1");
        assert_eq!(request.headers()["host"], "127.0.0.1:9000");
    }

    #[tokio::test]
    async fn each_request_has_a_number_of_its_own() {
        let target = target("http://127.0.0.1:9000/customer/{1..3}?x={7..7}").await;
        let paths: std::collections::BTreeSet<_> = (0..100)
            .map(|_| target.request().uri().to_string())
            .collect();
        let all = ["/customer/1?x=7", "/customer/2?x=7", "/customer/3?x=7"];
        assert_eq!(paths.iter().collect::<Vec<_>>(), all.each_ref());
    }

    #[tokio::test]
    async fn each_post_has_a_body_of_its_own() {
        let posts = AtomicU64::new(0);
        let target = target("http://127.0.0.1:9000/calc").await;
        assert_eq!(target.request().method(), "GET");
        let target = target.posting("text/plain", move || {
            posts.fetch_add(1, Ordering::Relaxed).to_string().into()
        });
        for expected in ["0", "1"] {
            let request = target.request();
            assert_eq!(request.method(), "POST");
            assert_eq!(request.headers()["content-type"], "text/plain");
            let body = request.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), expected);
        }
    }

    #[tokio::test]
    async fn an_ipv6_address_is_understood() {
        let target = target("http://[::1]:9000").await;
        assert_eq!(target.addresses, ["[::1]:9000".parse().unwrap()]);
        assert_eq!(target.request().uri(), "/");
    }
}
