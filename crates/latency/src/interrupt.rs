//! Ctrl-C and the signals that mean the same.

use std::{future::Future, io};

use tokio::signal::unix::{SignalKind, signal};

/// A signal that asks this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What `kill` sends.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl Signal {
    /// What a shell says of a process that this signal ended: 128 and the signal's number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Waits for the work, or drops it at the first signal.
///
/// # Errors
/// The operating system gives no signals.
pub async fn or_interrupt<T>(work: impl Future<Output = T>) -> io::Result<Result<T, Signal>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        biased;
        _ = interrupt.recv() => Err(Signal::Interrupt),
        _ = terminate.recv() => Err(Signal::Terminate),
        _ = hangup.recv() => Err(Signal::Hangup),
        done = work => Ok(done),
    })
}
