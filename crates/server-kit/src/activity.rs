//! What a client is doing, and until when it may go on so.
//!
//! hyper's own timer is one for silence and slow heads alike, and is made anew for each request. Here a request only leaves
//! the time; the connection's one timer looks at it when it would be too late.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Duration, Instant};

use crate::limits::Limits;

/// What a client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing: it has its answer, or has not asked yet.
    Idle,
    /// It sends a request.
    Asking,
    /// It waits for us.
    Waiting,
}

/// A connection's phase, and since when: one for the stream, the service and the timer.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    opened: Instant,
    /// Milliseconds since the opening, times four, and the phase. All on one thread: the order does not matter.
    state: Arc<AtomicU64>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            state: Arc::default(),
        }
    }

    pub(crate) fn enter(&self, phase: Phase, now: Instant) {
        let since = now.duration_since(self.opened).as_millis() as u64;
        self.state
            .store(since << 2 | phase as u64, Ordering::Relaxed);
    }

    fn phase(&self) -> (Phase, Instant) {
        let state = self.state.load(Ordering::Relaxed);
        let phase = match state & 3 {
            0 => Phase::Idle,
            1 => Phase::Asking,
            _ => Phase::Waiting,
        };
        (phase, self.opened + Duration::from_millis(state >> 2))
    }

    /// When the client's time will be up, as it looks now. `None` while it is us who take the time.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.phase() {
            (Phase::Idle, since) => Some(since + limits.idle_timeout),
            (Phase::Asking, since) => Some(since + limits.header_timeout),
            (Phase::Waiting, _) => None,
        }
    }
}

/// A stream that notes when a request begins.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) activity: Activity,
}

impl<S: Read + Unpin> Read for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() && self.activity.phase().0 == Phase::Idle {
            self.activity.enter(Phase::Asking, Instant::now());
        }
        read
    }
}

impl<S: Write + Unpin> Write for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
