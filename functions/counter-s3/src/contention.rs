//! How long to wait before the next try when others write the same object.
//!
//! S3 has no queue: of those who write at the same time one wins, and the rest read and try again. If all do so at once
//! most of them lose again, and if the winner goes on at once it wins again and the rest starve. So every environment
//! learns from its own wins and losses how wide to spread its tries (the additive-free form of the backoff in MACAW,
//! Bharghavan et al. 1994: grow on a loss, shrink on a win, and do not forget at a win), and also its next hit waits.

use std::time::{Duration, Instant};

/// The window after a first loss: a read and a write in the same region.
const FIRST_WINDOW: Duration = Duration::from_millis(8);
/// The widest window: 64 writers, one of them at a time, at the speed of [`FIRST_WINDOW`].
const WIDEST_WINDOW: Duration = Duration::from_millis(256);
/// After this long without a loss the others are taken to have gone.
const FORGET_AFTER: Duration = Duration::from_secs(1);

/// What an environment knows of others writing the same object.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    window: Duration,
    last_loss: Option<Instant>,
}

impl Contention {
    /// The span over which to spread the next try: zero when nobody else is writing.
    pub(crate) fn window(&self, now: Instant) -> Duration {
        match self.last_loss {
            Some(loss) if now.duration_since(loss) < FORGET_AFTER => self.window,
            _ => Duration::ZERO,
        }
    }

    /// Somebody else wrote first.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.window = (self.window(now) * 3 / 2).clamp(FIRST_WINDOW, WIDEST_WINDOW);
        self.last_loss = Some(now);
    }

    /// The write succeeded.
    pub(crate) fn won(&mut self) {
        self.window = self.window * 2 / 3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_without_a_loss() {
        let mut contention = Contention::default();
        contention.won();
        assert_eq!(contention.window(Instant::now()), Duration::ZERO);
    }

    #[test]
    fn losses_widen_the_window_up_to_a_bound() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now);
        assert_eq!(contention.window(now), FIRST_WINDOW);
        contention.lost(now);
        assert_eq!(contention.window(now), FIRST_WINDOW * 3 / 2);
        for _ in 0..100 {
            contention.lost(now);
        }
        assert_eq!(contention.window(now), WIDEST_WINDOW);
    }

    #[test]
    fn a_win_narrows_the_window_but_does_not_forget() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now);
        contention.won();
        assert!(contention.window(now) > Duration::ZERO);
        assert!(contention.window(now) < FIRST_WINDOW);
    }

    #[test]
    fn contention_is_forgotten_when_it_is_over() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now);
        assert_eq!(contention.window(now + FORGET_AFTER), Duration::ZERO);
    }
}
