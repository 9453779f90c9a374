//! What can go wrong, in one line each.

use std::io;

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system gives no port, thread or event queue.
    #[error("the proxy can't be started: {0}")]
    Start(#[from] io::Error),
    /// The database that the proxy is for can't be reached.
    #[error("the database at {address} does not answer: {cause}")]
    NoDatabase {
        /// Where it should be.
        address: String,
        /// What was wrong.
        cause: String,
    },
    /// The proxy's thread came to an unexpected end.
    #[error("the proxy's thread panicked")]
    Panicked,
}
