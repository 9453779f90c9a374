//! Waiting for what takes its time, less and less often, and not for ever.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::aws::Error;

/// Lambda lets an account make 15 requests a second of this kind, all tools together.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);

/// What Lambda says of a function or a version that is not there.
pub(super) const GONE: &str = "ResourceNotFoundException";

/// How long somebody still waits.
pub(super) struct Patience {
    next: Duration,
    until: Instant,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            next: FIRST,
            until: Instant::now() + limit,
        }
    }

    /// Waits a while, longer each time; or no more, and says so, because it has been long enough.
    pub(super) async fn wait(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(self.next.min(left)).await;
        self.next = (self.next * 2).min(LONGEST);
        true
    }
}

/// Asks, and asks again for as long as what keeps Lambda from it passes.
pub(super) async fn asked<T>(
    patience: &mut Patience,
    passes: impl Fn(&Error) -> bool,
    ask: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        match ask().await {
            Err(error) if passes(&error) && patience.wait().await => {}
            answer => return answer,
        }
    }
}

/// Whether Lambda has done nothing now, but would later: it is throttled, or an update is in progress.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(
        error.code(),
        Some("TooManyRequestsException" | "ThrottlingException" | "ResourceConflictException")
    )
}

/// Whether Lambda has done nothing. It may have done what it was asked if its server failed, or its answer was lost.
pub(super) fn has_refused(error: &Error) -> bool {
    matches!(error.code(), Some(code) if code != "ServiceException" && !code.starts_with('5'))
}

/// Whether it may go better later.
pub(super) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Refused { .. } => is_busy(error) || !has_refused(error),
        Error::Unreachable { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Error {
        Error::Refused {
            service: "Lambda",
            code: code.to_owned(),
            message: String::new(),
        }
    }

    #[tokio::test]
    async fn patience_ends() {
        let mut patience = Patience::new(Duration::from_millis(1));
        assert!(patience.wait().await);
        assert!(!patience.wait().await);
    }

    #[test]
    fn what_lambda_would_do_later_is_asked_again() {
        assert!(is_busy(&refused("TooManyRequestsException")));
        assert!(is_busy(&refused("ResourceConflictException")));
        assert!(!is_busy(&refused("503 Service Unavailable")));
        assert!(may_pass(&refused("503 Service Unavailable")));
        assert!(may_pass(&refused("ServiceException")));
        for code in ["AccessDeniedException", "PreconditionFailedException"] {
            assert!(!may_pass(&refused(code)));
        }
    }

    #[test]
    fn without_a_refusal_lambda_may_have_done_it() {
        assert!(has_refused(&refused("AccessDeniedException")));
        assert!(has_refused(&refused("TooManyRequestsException")));
        assert!(!has_refused(&refused("ServiceException")));
        assert!(!has_refused(&refused("502 Bad Gateway")));
        let unreachable = Error::Unreachable {
            endpoint: String::new(),
            cause: String::new(),
        };
        assert!(!has_refused(&unreachable) && may_pass(&unreachable));
    }
}
