//! What is called: a URL, resolved once, so that no name look-up gets into a latency.

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName},
};

use crate::{NotUrl, Request, Source, Url, answer::Expected};

/// A clock can't count to the end of all times that can be written.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A URL that can be called, and the request that is sent to it.
#[derive(Clone)]
pub struct Target {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) timeout: Duration,
    /// Where connections come from, if it matters.
    pub(crate) source: Option<Arc<Source>>,
    /// Whether each request has a connection of its own.
    pub(crate) closing: bool,
    url: Url,
    request: Request,
    /// What is sent, if that is the same each time.
    constant: Option<Vec<u8>>,
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

        let tls = if origin.secure {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| not_url(error.to_string()))?;
            Some((tls_connector()?, name))
        } else {
            None
        };
        let target = Self {
            addresses,
            tls,
            timeout: timeout.min(LONGEST_TIMEOUT),
            source: None,
            closing: false,
            url: url.clone(),
            request: Request::default(),
            constant: None,
        };
        Ok(target.sending(Request::default()))
    }

    /// The same with connections from this address of this machine.
    #[must_use]
    pub fn from_source(mut self, source: Source) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Where connections go: the first address that takes one.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The same with other requests than GET.
    #[must_use]
    pub fn sending(mut self, request: Request) -> Self {
        self.request = request;
        self.constant = None;
        if self.request.is_constant(&self.url) {
            self.constant = self.request.render(&self.url, self.closing).ok();
        }
        self
    }

    /// The same with POST requests, each with a body of its own.
    #[must_use]
    pub fn posting(
        self,
        content_type: &'static str,
        make_body: impl Fn() -> Bytes + Send + Sync + 'static,
    ) -> Self {
        self.sending(Request::posting(content_type, make_body))
    }

    /// The same with a new connection for each request, which the server is asked to close after its answer. Opening it is
    /// then part of the latency.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.closing = true;
        let request = self.request.clone();
        self.sending(request)
    }

    /// Whether a request may be sent again when nobody knows what became of it.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.request.is_idempotent()
    }

    /// What is known of an answer before it comes.
    pub(crate) fn expected(&self, keep_body: bool) -> Expected {
        Expected {
            head_only: self.request.is_head(),
            keep_body,
        }
    }

    /// The bytes of the next request.
    pub(crate) fn next_request(&self) -> Result<Cow<'_, [u8]>, String> {
        match &self.constant {
            Some(constant) => Ok(Cow::Borrowed(constant)),
            None => self.request.render(&self.url, self.closing).map(Cow::Owned),
        }
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
    connector(roots)
}

/// Connects to whom these vouch for.
pub(crate) fn connector(roots: RootCertStore) -> Result<TlsConnector, Error> {
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
    use std::{
        collections::BTreeSet,
        sync::atomic::{AtomicU64, Ordering},
    };

    use super::*;

    async fn target(url: &str) -> Target {
        Target::resolve(&url.parse().unwrap(), Duration::from_secs(1))
            .await
            .unwrap()
    }

    fn sent(target: &Target) -> String {
        String::from_utf8(target.next_request().unwrap().into_owned()).unwrap()
    }

    #[tokio::test]
    async fn the_path_and_the_host_of_the_url_are_sent() {
        let target = target("http://127.0.0.1:9000/s3/hits?x=1").await;
        let request = sent(&target);
        assert!(request.starts_with("GET /s3/hits?x=1 HTTP/1.1\r\nhost: 127.0.0.1:9000\r\n"));
        assert!(target.constant.is_some());
        assert!(sent(&target.closing()).contains("\r\nconnection: close\r\n"));
    }

    #[tokio::test]
    async fn each_request_has_a_number_of_its_own() {
        let target = target("http://127.0.0.1:9000/customer/{1..3}?x={7..7}").await;
        let paths: BTreeSet<_> = (0..100)
            .map(|_| sent(&target).split(' ').nth(1).unwrap().to_owned())
            .collect();
        let all = ["/customer/1?x=7", "/customer/2?x=7", "/customer/3?x=7"];
        assert_eq!(paths.iter().collect::<Vec<_>>(), all.each_ref());
    }

    #[tokio::test]
    async fn each_post_has_a_body_of_its_own() {
        let posts = AtomicU64::new(0);
        let target = target("http://127.0.0.1:9000/calc").await;
        let target = target.posting("text/plain", move || {
            posts.fetch_add(1, Ordering::Relaxed).to_string().into()
        });
        for expected in ["0", "1"] {
            let request = sent(&target);
            assert!(request.starts_with("POST /calc "), "{request}");
            assert!(
                request.contains("content-type: text/plain\r\n"),
                "{request}"
            );
            assert!(
                request.ends_with(&format!("\r\n\r\n{expected}")),
                "{request}"
            );
        }
    }

    #[tokio::test]
    async fn an_ipv6_address_is_understood() {
        let target = target("http://[::1]:9000").await;
        assert_eq!(target.addresses, ["[::1]:9000".parse().unwrap()]);
        assert!(sent(&target).starts_with("GET / HTTP/1.1\r\nhost: [::1]:9000\r\n"));
    }
}
