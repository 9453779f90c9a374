//! The signals that end the server, and one that must not.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, from now on in our hands.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A limit on the size of files would kill us: with this it is an error of the write.
    _file_size: Signal,
}

impl Signals {
    /// Takes them.
    ///
    /// # Errors
    /// The system gives none.
    pub fn new() -> io::Result<Self> {
        let file_size = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _file_size: signal(file_size)?,
        })
    }

    /// Somebody wants the server to end.
    pub async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
