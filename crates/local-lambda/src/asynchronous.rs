//! Asynchronous invocation (`Event`): nobody waits for the answer, and what fails is tried again.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    backoff::Backoff,
    host::Host,
    invocation::{Invocation, InvokeError},
};

/// What Lambda waits before the first and the second retry of a function error (Lambda developer guide, "How Lambda
/// handles errors and retries with asynchronous invocation").
const FUNCTION_ERROR_RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// How Lambda waits with throttled events (the same page): from 1 second to 5 minutes.
const THROTTLED: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// Invokes a function until it succeeds or its retries are used up. Events still waiting when the host ends are lost:
/// they are in memory only.
pub(crate) async fn invoke(host: Host, function: String, payload: Bytes) {
    let mut retries = FUNCTION_ERROR_RETRIES.into_iter();
    let mut throttled = THROTTLED;
    loop {
        let wait = match host.invoke(&function, payload.clone()).await {
            Ok(Invocation {
                function_error: None,
                ..
            }) => return,
            Ok(Invocation { request_id, .. }) => match retries.next() {
                Some(wait) => wait,
                None => {
                    tracing::warn!(
                        function,
                        request_id,
                        "an asynchronous event was dropped after its last retry"
                    );
                    return;
                }
            },
            Err(InvokeError::Throttled) => throttled.pause(),
            Err(error) => {
                tracing::warn!(function, %error, "an asynchronous event was dropped");
                return;
            }
        };
        tokio::time::sleep(wait).await;
    }
}
