//! Ctrl-C and the signals that mean the same.

use std::{future::Future, io, pin::pin};

use tokio::signal::unix::{self, SignalKind};

/// A signal that asks this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Signal {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupt,
    /// What `kill` sends.
    #[error("terminated")]
    Terminate,
    /// The terminal is gone.
    #[error("hung up")]
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

/// The signals of this process from now on. None gets lost between two pieces of work.
pub struct Interrupts {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Interrupts {
    /// Listens. No signal ends the process by itself any more.
    ///
    /// # Errors
    /// The operating system gives no signals.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Hangup,
        }
    }

    /// Does the work, or drops it at a signal.
    ///
    /// # Errors
    /// Those of the work, and the [`Signal`].
    pub async fn during<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            signal = self.next() => Err(signal.into()),
            done = work => done,
        }
    }

    /// Does the work to its end, whatever signals come, and hands back the first of them too. Each is told to `on_signal`.
    pub async fn despite<T>(
        &mut self,
        work: impl Future<Output = T>,
        on_signal: impl Fn(Signal),
    ) -> (T, Option<Signal>) {
        let mut work = pin!(work);
        let mut first = None;
        loop {
            tokio::select! {
                biased;
                signal = self.next() => {
                    on_signal(signal);
                    first.get_or_insert(signal);
                }
                done = &mut work => return (done, first),
            }
        }
    }
}
