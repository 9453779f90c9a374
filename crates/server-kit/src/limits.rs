//! What clients may take.

use std::time::Duration;

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many connections there may be at a time.
    pub(crate) connections: u32,
    /// How long the head of a request may take.
    pub(crate) header_timeout: Duration,
    /// How long a connection may be without a request.
    pub(crate) idle_timeout: Duration,
}

impl Limits {
    /// The least after which a client's time may be up.
    pub(crate) fn shortest(&self) -> Duration {
        self.header_timeout.min(self.idle_timeout)
    }
}
