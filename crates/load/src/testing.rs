//! For tests: a small HTTP server on 127.0.0.1 that answers, or fails, as a test wants it.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

pub mod kills;

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

/// What the server does with a request, or with a connection.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Answers 200 after a delay.
    Answer(Duration),
    /// Answers with this status.
    Status(u16),
    /// Answers 503 to every n-th request and 200 to the others.
    UnavailableEvery(u64),
    /// Answers 200, every n-th time only after a pause.
    StallEvery(u64, Duration),
    /// Answers 200 and then closes the connection without saying so.
    CloseAfterAnswer,
    /// Answers the first request of a connection, and closes the connection when the second has come.
    CloseAtSecond,
    /// Answers 503 with this detail in a problem.
    Problem(&'static str),
    /// Resets the connection when the request has come.
    Reset,
    /// Closes the connection when the request has come.
    Close,
    /// Sends half an answer and closes.
    HalfAnswer,
    /// Answers in something that is not HTTP.
    Nonsense,
    /// Never answers.
    Silence,
}

/// A running server; it ends with the test's runtime.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    closed: Arc<AtomicU64>,
}

impl Server {
    /// Starts on a free port.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            connections: Arc::default(),
            closed: Arc::default(),
        };
        let (requests, connections) = (server.requests.clone(), server.connections.clone());
        let closed = server.closed.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (requests, closed) = (requests.clone(), closed.clone());
                tokio::spawn(async move {
                    serve(stream, behaviour, requests).await;
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/hits", self.origin())
    }

    /// The same without a path.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections that are over.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.closed.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, behaviour: Behaviour, requests: Arc<AtomicU64>) {
    match behaviour {
        Behaviour::Answer(_)
        | Behaviour::Status(_)
        | Behaviour::UnavailableEvery(_)
        | Behaviour::StallEvery(..)
        | Behaviour::Problem(_) => {
            let service = service_fn(|_: Request<Incoming>| {
                let number = requests.fetch_add(1, Ordering::SeqCst) + 1;
                async move {
                    let status = match behaviour {
                        Behaviour::Answer(delay) => {
                            tokio::time::sleep(delay).await;
                            200
                        }
                        Behaviour::StallEvery(n, pause) if number.is_multiple_of(n) => {
                            tokio::time::sleep(pause).await;
                            200
                        }
                        Behaviour::UnavailableEvery(n) if number.is_multiple_of(n) => 503,
                        Behaviour::Status(status) => status,
                        Behaviour::Problem(_) => 503,
                        _ => 200,
                    };
                    let mut response = Response::new(Full::new(Bytes::from("42")));
                    *response.status_mut() = status.try_into().unwrap();
                    if let Behaviour::Problem(detail) = behaviour {
                        let problem = format!(r#"{{"status": 503, "detail": "{detail}"}}"#);
                        *response.body_mut() = Full::new(Bytes::from(problem));
                        let kind = HeaderValue::from_static("application/problem+json");
                        response.headers_mut().insert(CONTENT_TYPE, kind);
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            // The client closes when it likes.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
        _ => misbehave(stream, behaviour, &requests).await,
    }
}

async fn misbehave(mut stream: TcpStream, behaviour: Behaviour, requests: &AtomicU64) {
    let mut request = [0; 4096];
    if stream.read(&mut request).await.unwrap_or(0) == 0 {
        return;
    }
    requests.fetch_add(1, Ordering::SeqCst);
    match behaviour {
        Behaviour::Reset => {
            stream.set_zero_linger().unwrap();
        }
        Behaviour::CloseAfterAnswer => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42")
                .await
                .unwrap();
        }
        Behaviour::CloseAtSecond => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42")
                .await
                .unwrap();
            if stream.read(&mut request).await.unwrap_or(0) > 0 {
                requests.fetch_add(1, Ordering::SeqCst);
            }
        }
        Behaviour::HalfAnswer => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n42")
                .await
                .unwrap();
        }
        Behaviour::Nonsense => {
            stream.write_all(b"220 mail.example\r\n").await.unwrap();
            // Stays open, so that the client has time to read it.
            let _ = stream.read(&mut request).await;
        }
        Behaviour::Silence => {
            // Until the client gives up.
            let _ = stream.read(&mut request).await;
        }
        _ => {}
    }
}

/// A server with a certificate of its own for `localhost`, and the file that certificate is in.
pub async fn secure_server(directory: &Path) -> (SocketAddr, PathBuf) {
    let (listener, acceptor, file) = secure_listener(directory).await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(|_: Request<Incoming>| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("42"))))
                });
                // The client closes when it likes.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    (address, file)
}

/// The same in front of a server that speaks plain text; and how many clients have shaken hands so far.
pub async fn secure_front(
    directory: &Path,
    upstream: SocketAddr,
) -> (SocketAddr, PathBuf, Arc<AtomicU64>) {
    let (listener, acceptor, file) = secure_listener(directory).await;
    let address = listener.local_addr().unwrap();
    let handshakes: Arc<AtomicU64> = Arc::default();
    let counted = handshakes.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), counted.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(stream).await?;
                counted.fetch_add(1, Ordering::Relaxed);
                let mut server = TcpStream::connect(upstream).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (address, file, handshakes)
}

async fn secure_listener(directory: &Path) -> (TcpListener, TlsAcceptor, PathBuf) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = directory.join("certificate.pem");
    std::fs::write(&file, key.cert.pem()).unwrap();
    let private_key = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private_key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    (listener, acceptor, file)
}

/// An address on which nobody listens.
pub async fn refusing_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}
