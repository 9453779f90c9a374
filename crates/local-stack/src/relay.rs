//! A way past us: what stands between the functions and a backend, or between a caller and the functions, and passes on every
//! byte as it comes.
//!
//! It sees where a call begins and where its answer comes, so that calls can be counted, recorded and made to take longer.

mod api_call;
mod backends;
mod delay;
mod protocol;
mod recorder;
mod watch;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use local_lambda::http1;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub use self::api_call::ApiCall;
pub(crate) use self::{
    backends::Relays, delay::Delays, protocol::Protocol, recorder::Recorder, watch::Watch,
};
use self::{protocol::Reader, watch::Begun};

/// How late a timer is at most, as a rule: the kernel rounds by 50 µs (prctl(2), PR_SET_TIMERSLACK), and two threads are
/// awakened.
const LATENESS: Duration = Duration::from_micros(150);

/// What is read at a time.
const READ_SIZE: usize = 16 * 1024;

/// A running relay. Dropping it ends it; open connections end with either of their sides.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// In front of `upstream` (`HOST:PORT`), on a free port of 127.0.0.1.
    pub(crate) async fn start(
        upstream: &str,
        protocol: Protocol,
        watch: Arc<Watch>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Self::on(listener, upstream, protocol, watch)
    }

    /// The same on a port that is listened on already.
    pub(crate) fn on(
        listener: TcpListener,
        upstream: &str,
        protocol: Protocol,
        watch: Arc<Watch>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let upstream = upstream.to_owned();
        let accepting = tokio::spawn(async move {
            loop {
                let client = http1::accept(&listener).await;
                let (upstream, watch) = (upstream.clone(), watch.clone());
                tokio::spawn(async move {
                    if let Err(error) = pass(client, &upstream, protocol, &watch).await {
                        // Both sides see their connection end, as they would without us.
                        tracing::debug!(%error, upstream, "a connection broke");
                    }
                });
            }
        });
        Ok(Self { address, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Passes on one connection until the server ends it, or the client and then the server.
async fn pass(
    mut client: TcpStream,
    upstream: &str,
    protocol: Protocol,
    watch: &Watch,
) -> io::Result<()> {
    let mut calls = Conversation {
        reader: Reader::new(protocol),
        watch,
        connected: false,
        call: None,
    };
    calls.begin_with(Reader::connected)?;
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let mut request = BytesMut::new();
    let mut answer = BytesMut::new();
    let mut client_is_open = true;
    loop {
        request.reserve(READ_SIZE);
        answer.reserve(READ_SIZE);
        tokio::select! {
            read = client.read_buf(&mut request), if client_is_open => {
                if read? == 0 {
                    client_is_open = false;
                    server.shutdown().await?;
                    continue;
                }
                calls.begin_with(|reader| reader.sent(&request))?;
                server.write_all_buf(&mut request).await?;
            }
            read = server.read_buf(&mut answer) => {
                if read? == 0 {
                    return client.shutdown().await;
                }
                calls.answered(&answer).await;
                client.write_all_buf(&mut answer).await?;
            }
        }
    }
}

/// Waits until then, to some microseconds: a query takes less than a millisecond.
async fn until(due: Instant) {
    // Not Tokio's timer, which counts in milliseconds.
    if let Some(early) = due.checked_sub(LATENESS) {
        async_io::Timer::at(early).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}

/// The calls of one connection.
struct Conversation<'a> {
    reader: Reader,
    watch: &'a Watch,
    connected: bool,
    call: Option<Begun>,
}

impl Conversation<'_> {
    /// A call begins if the reader finds one.
    fn begin_with(&mut self, find: impl FnOnce(&mut Reader) -> Option<ApiCall>) -> io::Result<()> {
        if let Some(call) = find(&mut self.reader) {
            let new_connection = !std::mem::replace(&mut self.connected, true);
            self.call = Some(self.watch.begins(call, new_connection)?);
        }
        Ok(())
    }

    /// Something of an answer has come; waits until it is due.
    async fn answered(&mut self, bytes: &[u8]) {
        if !self.reader.answered(bytes) {
            return;
        }
        if let Some(call) = &mut self.call {
            if let Some(due) = call.take_due() {
                until(due).await;
            }
            self.watch.answered(call);
        }
    }
}
