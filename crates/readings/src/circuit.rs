//! The circuit breaker before the cache: a cache that failed some times in a row is left alone for a while.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

/// After so many failures in a row, the circuit opens.
const FAILURES: u32 = 3;
/// For so long nobody asks an open circuit; then one does, and closes it or leaves it open for as long again.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the cache is asked.
#[derive(Debug, Default)]
pub(crate) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when nobody asks. `None`: it is closed.
    open: Option<Instant>,
}

impl Circuit {
    /// Whether to ask. Of those who come when the pause is over, one.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        let mut state = self.state();
        match state.open {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.open = Some(now + PAUSE);
                true
            }
        }
    }

    /// There was an answer.
    pub(crate) fn succeeded(&self) {
        let mut state = self.state();
        state.failures = 0;
        if state.open.take().is_some() {
            info!("the cache answers again");
        }
    }

    /// There was none.
    pub(crate) fn failed(&self, error: &impl fmt::Display, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.open.is_none() && state.failures >= FAILURES {
            warn!(%error, "the cache is left alone: it failed {FAILURES} times in a row");
            state.open = Some(now + PAUSE);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(now: Instant) -> Circuit {
        let circuit = Circuit::default();
        for _ in 0..FAILURES {
            assert!(circuit.allows(now));
            circuit.failed(&"late", now);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let now = Instant::now();
        assert!(!open(now).allows(now));
    }

    #[test]
    fn failures_between_successes_do_not() {
        let now = Instant::now();
        let circuit = Circuit::default();
        for _ in 0..10 {
            circuit.failed(&"late", now);
            circuit.failed(&"late", now);
            circuit.succeeded();
        }
        assert!(circuit.allows(now));
    }

    #[test]
    fn after_the_pause_one_asks_and_the_others_wait_for_what_becomes_of_it() {
        let now = Instant::now();
        let circuit = open(now);
        let later = now + PAUSE;
        assert!(circuit.allows(later) && !circuit.allows(later));
        circuit.failed(&"late", later);
        assert!(!circuit.allows(later + PAUSE / 2));
        assert!(circuit.allows(later + PAUSE));
        circuit.succeeded();
        assert!(circuit.allows(later + PAUSE) && circuit.allows(later + PAUSE));
    }
}
