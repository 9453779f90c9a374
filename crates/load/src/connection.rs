//! One connection and one timed request: as little as possible between the socket and the sample.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use crate::{
    FailedRequest, Failure, Target,
    answer::{Answer, Reader},
    deadline::Deadline,
    stream::Stream,
};

/// A connection that is kept open between requests, and opened again when it was closed.
pub struct Connection {
    target: Arc<Target>,
    stream: Option<Stream>,
    /// Whether a request was answered on the open connection.
    kept: bool,
    /// Whether it was never open, or closed by us.
    unopened: bool,
    reconnects: u64,
    deadline: Deadline,
}

enum Unanswered {
    /// The server had closed the connection before the request left.
    NotSent(Failure),
    /// No byte of an answer came.
    Nothing(Failure),
    Failed(Failure),
}

impl Connection {
    /// A connection that opens with its first request.
    #[must_use]
    pub fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            stream: None,
            kept: false,
            unopened: true,
            reconnects: 0,
            deadline: Deadline::default(),
        }
    }

    /// Opens the connection, unless it is open.
    ///
    /// # Errors
    /// Nobody listens, or the handshake fails.
    pub async fn open(&mut self) -> Result<(), Failure> {
        self.ready().await.map(|_| ())
    }

    /// Closes the connection, so that the next request opens a new one.
    pub fn close(&mut self) {
        self.unopened |= self.stream.take().is_some();
    }

    /// How often the connection had to be opened again: because the server closed it, or because a request failed.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Sends a request and waits for the last byte of its answer.
    ///
    /// Returns the time in between. Opening the connection is not part of it: it happens before the first request, and
    /// again only when the server closed the connection; [`Connection::reconnects`] counts that. ([`Target::closing`] is
    /// the exception.)
    ///
    /// A server may close a kept connection while a request is on its way. A request that is idempotent, as GET is, is then
    /// sent again on a new connection, as other clients do (RFC 9110, 9.2.2).
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
        let target = Arc::clone(&self.target);
        let request = target.next_request().map_err(|reason| FailedRequest {
            failure: Failure::Other,
            detail: Some(reason),
        })?;
        let (latency, answer) = self.answered(&request, keep_body).await?;
        match answer.status {
            200..=299 => Ok((latency, answer)),
            status => Err(FailedRequest {
                failure: Failure::Status(status),
                detail: answer.detail,
            }),
        }
    }

    /// The answer to the request, whatever its status is.
    async fn answered(
        &mut self,
        request: &[u8],
        keep_body: bool,
    ) -> Result<(Duration, Answer), Failure> {
        let opening = self.target.closing.then(Instant::now);
        // A server that closes twice in a row never answers.
        let mut failure = Failure::Closed;
        for _ in 0..2 {
            self.ready().await?;
            // Given back with the answer: who is not waited for to the end leaves an answer behind.
            let Some(stream) = self.stream.take() else {
                return Err(Failure::Closed);
            };
            let started = opening.unwrap_or_else(Instant::now);
            let mut exchange = Exchange {
                stream,
                unsent: request,
                flushed: false,
                nothing_sent: true,
                broken: None,
                reader: Reader::new(self.target.expected(keep_body)),
            };
            let end = (started + self.target.timeout).into();
            let deadline = &mut self.deadline;
            let outcome = poll_fn(|context| match exchange.poll(context) {
                Poll::Ready(outcome) => Poll::Ready(outcome),
                Poll::Pending => deadline
                    .poll(context, end)
                    .map(|()| Err(Unanswered::Failed(Failure::TimedOut))),
            });
            let outcome = outcome.await;
            let latency = started.elapsed();

            match outcome {
                Ok(reusable) => {
                    let answer = exchange.reader.answer();
                    self.kept = true;
                    if self.target.closing {
                        self.unopened = true;
                    } else if reusable && answer.keeps_open {
                        self.stream = Some(exchange.stream);
                    }
                    return Ok((latency, answer));
                }
                Err(unanswered) => {
                    let again = match unanswered {
                        Unanswered::NotSent(_) => self.kept,
                        Unanswered::Nothing(Failure::Closed | Failure::Reset) => {
                            self.kept && self.target.is_idempotent()
                        }
                        Unanswered::Nothing(_) | Unanswered::Failed(_) => false,
                    };
                    failure = unanswered.failure();
                    if !again {
                        return Err(failure);
                    }
                }
            }
        }
        Err(failure)
    }

    /// Opens the connection, unless it is open and quiet: what comes before it was asked for is no answer.
    async fn ready(&mut self) -> Result<(), Failure> {
        if let Some(stream) = &mut self.stream {
            if poll_fn(|context| Poll::Ready(stream.is_quiet(context))).await {
                return Ok(());
            }
            self.stream = None;
        }
        let opening = tokio::time::timeout(self.target.timeout, Stream::open(&self.target));
        self.stream = Some(opening.await.unwrap_or(Err(Failure::TimedOut))?);
        self.reconnects += u64::from(!self.unopened);
        self.unopened = false;
        self.kept = false;
        Ok(())
    }
}

impl Unanswered {
    fn failure(&self) -> Failure {
        match *self {
            Self::NotSent(failure) | Self::Nothing(failure) | Self::Failed(failure) => failure,
        }
    }
}

/// A request on its way, and its answer.
struct Exchange<'a> {
    stream: Stream,
    unsent: &'a [u8],
    flushed: bool,
    nothing_sent: bool,
    /// Why no more can be sent: an answer may have come nevertheless.
    broken: Option<Failure>,
    reader: Reader,
}

impl Exchange<'_> {
    /// Whether the connection can be used again, once the answer is complete.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Unanswered>> {
        if !self.flushed
            && let Poll::Ready(Err(error)) = self.poll_send(context)
        {
            self.broken = Some(Failure::of_io(&error));
            self.flushed = true;
        }
        loop {
            let reader = &mut self.reader;
            let read = self.stream.poll_read(context, |arrived| {
                if arrived.is_empty() {
                    return reader.end().map(|()| Some(false));
                }
                let used = reader.take(arrived)?;
                Ok(used.map(|used| used == arrived.len()))
            });
            match ready!(read).unwrap_or_else(|error| Err(Failure::of_io(&error))) {
                Ok(None) => {}
                Ok(Some(nothing_left)) => {
                    let all_sent = self.flushed && self.broken.is_none();
                    return Poll::Ready(Ok(nothing_left && all_sent));
                }
                Err(failure) => return Poll::Ready(Err(self.unanswered(failure))),
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let written = ready!(self.stream.poll_write(context, self.unsent))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.nothing_sent = false;
            self.unsent = &self.unsent[written..];
        }
        ready!(self.stream.poll_flush(context))?;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn unanswered(&self, failure: Failure) -> Unanswered {
        let failure = self.broken.unwrap_or(failure);
        if self.reader.has_begun() {
            Unanswered::Failed(failure)
        } else if self.nothing_sent {
            Unanswered::NotSent(failure)
        } else {
            Unanswered::Nothing(failure)
        }
    }
}

#[cfg(test)]
mod tests;
