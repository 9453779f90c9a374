//! The bytes of a connection, over TCP alone or over TLS.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{Failure, Target};

/// What is read at once.
const PIECE: usize = 32 * 1024;

thread_local! {
    /// One for all connections of a thread, so that a connection that waits costs no more than its socket.
    static PIECES: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// An open connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Opens a connection.
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let stream = match &target.source {
            None => TcpStream::connect(&target.addresses[..]).await,
            Some(source) => source.connect(&target.addresses).await,
        };
        let stream = stream.map_err(|error| Failure::of_io(&error))?;
        // A request is one small segment: waiting to fill it would be measured as the server's latency.
        stream
            .set_nodelay(true)
            .map_err(|error| Failure::of_io(&error))?;
        match &target.tls {
            None => Ok(Self::Plain(stream)),
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| Failure::of_tls(&error))?;
                Ok(Self::Secure(Box::new(stream)))
            }
        }
    }

    /// Reads what is there and shows it: nothing at the end.
    pub(crate) fn poll_read<T>(
        &mut self,
        context: &mut Context<'_>,
        show: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        PIECES.with_borrow_mut(|piece| {
            let mut piece = ReadBuf::new(piece);
            ready!(match self {
                Self::Plain(stream) => Pin::new(stream).poll_read(context, &mut piece),
                Self::Secure(stream) => Pin::new(stream).poll_read(context, &mut piece),
            })?;
            Poll::Ready(Ok(show(piece.filled())))
        })
    }

    /// Writes the beginning of `bytes`, and returns how much it is.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    /// Sends what was written.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Secure(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    /// Whether it is open and nothing came unasked. Costs no system call while nothing happens.
    pub(crate) fn is_quiet(&mut self, context: &mut Context<'_>) -> bool {
        self.poll_read(context, |_| ()).is_pending()
    }
}
