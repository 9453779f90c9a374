//! What is called: a URL, resolved once, so that no name look-up gets into a latency.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, Uri, header};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName},
};

/// What a request carries: nothing.
pub(crate) type NoBody = Empty<Bytes>;

/// A URL that can be called.
#[derive(Clone)]
pub struct Target {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) timeout: Duration,
    request: Request<NoBody>,
}

/// Why a URL can't be called.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not a URL.
    #[error("'{url}' is not a URL: {reason}")]
    NotUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
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
    /// Something that is not an `http://` or `https://` URL, a host without an address, and for `https://` a machine
    /// without root certificates.
    pub async fn resolve(url: &str, timeout: Duration) -> Result<Self, Error> {
        let not_url = |reason: &str| Error::NotUrl {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let uri: Uri = url
            .parse()
            .map_err(|error: hyper::http::uri::InvalidUri| not_url(&error.to_string()))?;
        let (default_port, secure) = match uri.scheme_str() {
            Some("http") => (80, false),
            Some("https") => (443, true),
            _ => return Err(not_url("it has to start with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| not_url("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(not_url("user names and passwords are not sent"));
        }
        // An IPv6 address stands in brackets in a URL, but not for the resolver or a certificate.
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(default_port);

        let no_address = |reason: String| Error::NoAddress {
            host: host.to_owned(),
            reason,
        };
        let addresses: Vec<_> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| no_address(error.to_string()))?
            .collect();
        if addresses.is_empty() {
            return Err(no_address("the name service knows none".to_owned()));
        }

        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(header::HOST, authority.as_str())
            .header(
                header::USER_AGENT,
                concat!("latency/", env!("CARGO_PKG_VERSION")),
            )
            .body(NoBody::new())
            .map_err(|error| not_url(&error.to_string()))?;
        let tls = if secure {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| not_url(&error.to_string()))?;
            Some((tls_connector()?, name))
        } else {
            None
        };
        Ok(Self {
            addresses,
            tls,
            timeout,
            request,
        })
    }

    /// The request to send.
    pub(crate) fn request(&self) -> Request<NoBody> {
        self.request.clone()
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
    use super::*;

    async fn error(url: &str) -> String {
        match Target::resolve(url, Duration::from_secs(1)).await {
            Ok(_) => panic!("{url} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn what_is_not_a_url_is_named() {
        assert_eq!(
            error("ftp://127.0.0.1/").await,
            "'ftp://127.0.0.1/' is not a URL: it has to start with http:// or https://"
        );
        assert!(error("127.0.0.1:9000/hits").await.contains("is not a URL"));
        assert!(error("http://").await.contains("is not a URL"));
        assert!(
            error("http://me:secret@127.0.0.1/")
                .await
                .contains("user names")
        );
    }

    #[tokio::test]
    async fn the_path_and_the_host_of_the_url_are_sent() {
        let target = Target::resolve("http://127.0.0.1:9000/s3/hits?x=1", Duration::from_secs(1))
            .await
            .unwrap();
        let request = target.request();
        assert_eq!(request.uri(), "/s3/hits?x=1");
        assert_eq!(request.headers()["host"], "127.0.0.1:9000");
    }

    #[tokio::test]
    async fn an_ipv6_address_is_understood() {
        let target = Target::resolve("http://[::1]:9000", Duration::from_secs(1))
            .await
            .unwrap();
        assert_eq!(target.addresses, ["[::1]:9000".parse().unwrap()]);
        assert_eq!(target.request().uri(), "/");
    }
}
