//! How long to wait before trying again what too many try.

use std::time::Duration;

/// The shortest wait.
const BASE: Duration = Duration::from_millis(1);
/// The longest.
const CAP: Duration = Duration::from_millis(100);

/// The longest that one who has just had a connection stands back for those who wait for one. Measured: 30 callers of 27
/// connections with queries of 20 ms have a p99 of 40, 39, 36, 47 and 83 ms with 0, 2, 6, 20 and 60 (medians of three runs).
const TURN: Duration = Duration::from_millis(6);

/// How long to stand back before the first try where connections are refused: at random, so that in the time that a free
/// connection stays free, one of those who wait comes by. Without it, who had the connection last has it next.
pub(crate) fn stand_back() -> Duration {
    TURN.mul_f64(fastrand::f64())
}

/// Waits with decorrelated jitter: random, of up to three times the last one. From "Exponential Backoff And Jitter", AWS
/// Architecture Blog, 2015.
#[derive(Debug)]
pub(crate) struct Backoff {
    last: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { last: BASE }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let spread = (self.last * 3).saturating_sub(BASE);
        self.last = CAP.min(BASE + spread.mul_f64(fastrand::f64()));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_random_and_up_to_three_times_the_last_one() {
        let mut backoff = Backoff::new();
        let mut last = BASE;
        let mut longest = BASE;
        for _ in 0..1000 {
            let next = backoff.next();
            assert!(
                next >= BASE && next <= CAP.min(last * 3),
                "{next:?} after {last:?}"
            );
            last = next;
            longest = longest.max(next);
        }
        assert_eq!(longest, CAP);
    }
}
