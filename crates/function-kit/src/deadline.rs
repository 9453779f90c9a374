//! How long an invocation may wait for its backends.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

/// Kept back from the function's timeout: what it takes to answer on the small CPU share of 128 MB.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// What an invocation without a deadline may take: Lambda's default timeout.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(3);

/// The time left for calls to backends, so that the answer still leaves before Lambda ends the environment.
///
/// Half a second less than what is left of the invocation, or half of that when it is under a second. A deadline that has
/// passed before the handler runs is none: Lambda gives no such thing, but `cargo lambda watch` does.
pub fn time_left(context: Option<&Context>) -> Duration {
    let left = context
        .and_then(|context| context.deadline().duration_since(SystemTime::now()).ok())
        .unwrap_or(WITHOUT_DEADLINE);
    left - TO_ANSWER.min(left / 2)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn context_that_ends_in(left: Duration) -> Context {
        let end = (SystemTime::now() + left)
            .duration_since(UNIX_EPOCH)
            .unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(end.as_millis()).unwrap();
        context
    }

    #[test]
    fn half_a_second_is_kept_back_to_answer() {
        let left = time_left(Some(&context_that_ends_in(Duration::from_secs(50))));
        assert!(left > Duration::from_secs(48) && left <= Duration::from_millis(49_500));
    }

    #[test]
    fn a_short_timeout_is_halved() {
        let left = time_left(Some(&context_that_ends_in(Duration::from_millis(800))));
        assert!(left <= Duration::from_millis(400));
    }

    #[test]
    fn a_deadline_that_can_not_be_is_none() {
        let past = Context::default();
        assert_eq!(time_left(Some(&past)), WITHOUT_DEADLINE - TO_ANSWER);
        assert_eq!(time_left(None), WITHOUT_DEADLINE - TO_ANSWER);
    }
}
