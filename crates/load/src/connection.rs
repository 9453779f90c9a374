//! One connection and one timed request: as little as possible between the socket and the sample.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use hyper::{
    client::conn::http1::{self, SendRequest},
    header::CONTENT_TYPE,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{FailedRequest, Failure, Target, target::Body};

/// The longest body that is read where it matters, and the longest detail of a problem that is kept: more explains no more.
const LONGEST_BODY: usize = 4096;
const LONGEST_DETAIL: usize = 120;

/// A connection that is kept open between requests, and opened again when it was closed.
pub struct Connection {
    target: Arc<Target>,
    sender: Option<SendRequest<Body>>,
    /// Whether a request was answered on the open connection.
    kept: bool,
    opened: u64,
}

enum Unanswered {
    /// The server had closed the connection before the request left.
    NotSent,
    /// No byte of an answer came.
    Nothing(Failure),
    Failed(Failure),
}

/// What came back.
struct Answer {
    status: u16,
    /// Of a problem.
    detail: Option<String>,
    /// What was kept of it.
    body: Vec<u8>,
}

impl Connection {
    /// A connection that opens with its first request.
    #[must_use]
    pub fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            sender: None,
            kept: false,
            opened: 0,
        }
    }

    /// Opens the connection, unless it is open.
    ///
    /// # Errors
    /// Nobody listens, or the handshake fails.
    pub async fn open(&mut self) -> Result<(), Failure> {
        self.ready().await.map(|_| ())
    }

    /// How often the connection had to be opened again.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.opened.saturating_sub(1)
    }

    /// Sends a request and waits for the last byte of its answer.
    ///
    /// Returns the time in between. Opening the connection is not part of it: it happens before the first request, and
    /// again only when the server closed the connection; [`Connection::reconnects`] counts that.
    ///
    /// A server may close a kept connection while a request is on its way. A GET request is then sent again on a new
    /// connection, as clients do with what is idempotent (RFC 9110, 9.2.2).
    ///
    /// # Errors
    /// A status other than 2xx, or no complete answer.
    pub async fn request(&mut self) -> Result<Duration, FailedRequest> {
        self.send(false).await.map(|(latency, _)| latency)
    }

    /// Sends a request that is not timed, and returns what was answered: 4 KB of it at most.
    ///
    /// # Errors
    /// As of [`request`](Self::request).
    pub async fn text(&mut self) -> Result<String, FailedRequest> {
        let (_, answer) = self.send(true).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    async fn send(&mut self, keep_body: bool) -> Result<(Duration, Answer), FailedRequest> {
        // A server that closes twice in a row never answers.
        for _ in 0..2 {
            let timeout = self.target.timeout;
            let request = self.target.request();
            let sender = self.ready().await?;

            let started = Instant::now();
            let answer = tokio::time::timeout(timeout, exchange(sender, request, keep_body)).await;
            let latency = started.elapsed();

            let failure = match answer {
                Ok(Ok(answer)) => {
                    self.kept = true;
                    return match answer.status {
                        200..=299 => Ok((latency, answer)),
                        status => Err(FailedRequest {
                            failure: Failure::Status(status),
                            detail: answer.detail,
                        }),
                    };
                }
                Ok(Err(Unanswered::NotSent)) => {
                    self.sender = None;
                    continue;
                }
                Ok(Err(Unanswered::Nothing(Failure::Closed | Failure::Reset)))
                    if self.kept && self.target.is_idempotent() =>
                {
                    self.sender = None;
                    continue;
                }
                Ok(Err(Unanswered::Nothing(failure) | Unanswered::Failed(failure))) => failure,
                Err(_) => Failure::TimedOut,
            };
            self.sender = None;
            return Err(failure.into());
        }
        Err(Failure::Closed.into())
    }

    async fn ready(&mut self) -> Result<&mut SendRequest<Body>, Failure> {
        let open = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let sender = match open {
            Some(sender) => sender,
            None => {
                let sender = tokio::time::timeout(self.target.timeout, connect(&self.target))
                    .await
                    .unwrap_or(Err(Failure::TimedOut))?;
                self.opened += 1;
                self.kept = false;
                sender
            }
        };
        Ok(self.sender.insert(sender))
    }
}

async fn connect(target: &Target) -> Result<SendRequest<Body>, Failure> {
    let stream = TcpStream::connect(&target.addresses[..])
        .await
        .map_err(|error| Failure::of_connecting(&error))?;
    // A request is one small segment: waiting to fill it would be measured as the server's latency.
    stream
        .set_nodelay(true)
        .map_err(|error| Failure::of_connecting(&error))?;
    match &target.tls {
        None => handshake(stream).await,
        Some((connector, name)) => {
            let stream = connector
                .connect(name.clone(), stream)
                .await
                .map_err(|error| Failure::of_tls(&error))?;
            handshake(stream).await
        }
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Body>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::of_request(&error))?;
    // Its errors reach whoever waits for an answer; it ends with its sender.
    tokio::spawn(connection);
    sender
        .ready()
        .await
        .map_err(|error| Failure::of_request(&error))?;
    Ok(sender)
}

/// Returns the answer once all of it has arrived.
async fn exchange(
    sender: &mut SendRequest<Body>,
    request: hyper::Request<Body>,
    keep_body: bool,
) -> Result<Answer, Unanswered> {
    let response = sender
        .try_send_request(request)
        .await
        .map_err(|mut error| match error.take_message() {
            Some(_) => Unanswered::NotSent,
            None => Unanswered::Nothing(Failure::of_request(&error.into_error())),
        })?;
    let status = response.status().as_u16();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    let mut body = Vec::new();
    let mut incoming = response.into_body();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Unanswered::Failed(Failure::of_request(&error)))?;
        if let Some(data) = frame.data_ref().filter(|_| is_problem || keep_body) {
            let room = LONGEST_BODY - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    let detail = is_problem.then(|| detail(&body)).flatten();
    Ok(Answer {
        status,
        detail,
        body,
    })
}

fn detail(problem: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(problem).ok()?;
    let detail = problem["detail"].as_str()?;
    Some(detail.chars().take(LONGEST_DETAIL).collect())
}
