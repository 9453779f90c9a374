//! Opens a connection in the init phase, which has a whole core. At 128 MB an invocation has a fourteenth of one, and its
//! first TLS handshake would take most of a second.

use std::time::Duration;

use tokio::time::timeout;

/// Well inside the 10 s of the init phase (AWS Lambda Developer Guide, "Lambda execution environment").
const PATIENCE: Duration = Duration::from_secs(3);

/// The outcome of a call that is made for its connection. None when it takes too long: the first invocation will see.
pub async fn open<F: Future>(call: F) -> Option<F::Output> {
    timeout(PATIENCE, call).await.ok()
}
