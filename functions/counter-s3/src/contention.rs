//! How long to wait before the next try when others write the same object.
//!
//! S3 has no queue: of those who write at the same time one wins, the rest read and try again, and if all do so at once
//! most of them lose again. So tries are spread at random over a window. An environment learns its window from its own
//! losses and wins: it grows on a loss and shrinks on a win, but is kept from one hit to the next, for an environment that
//! went on at once after a win would win again and leave the others to starve (Bharghavan et al., "MACAW", 1994, §3.1).
//!
//! The numbers were measured, with 8 callers of the function and an emulator that takes about 1 ms a request, in two runs of
//! 800 hits each, in turn: a first window of 2 tries that doubles and halves gave 0.37 and 0.35 of the hits a second that one
//! caller gets; one of 16 that triples and halves gave 0.34 and 0.29.

use std::time::{Duration, Instant};

/// The first window, in times of what the lost try took: that grows with the number of those who try.
const WINDOW_PER_TRY: u32 = 2;
/// What a loss widens the window by, and a win narrows it.
const STEP: u32 = 2;
/// The widest window, inside a function timeout of five seconds.
const WIDEST_WINDOW: Duration = Duration::from_secs(4);
/// After this long without a loss the others are taken to have gone.
const FORGET_AFTER: Duration = Duration::from_secs(4);

/// What an environment knows of others writing the same object.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    window: Duration,
    last_loss: Option<Instant>,
}

impl Contention {
    /// How long a hit with this much of its time left should wait before its next try. None when nobody else is writing.
    ///
    /// At random within the window, and the sooner the longer the hit has waited, so that none runs out of time.
    pub(crate) fn pause(&self, now: Instant, left: Duration, of: Duration) -> Option<Duration> {
        let window = self.window(now);
        let patience = window.mul_f64(left.div_duration_f64(of)).min(left / 2);
        (!window.is_zero()).then(|| patience.mul_f64(fastrand::f64()))
    }

    /// Somebody else wrote first, in a try that took this long.
    pub(crate) fn lost(&mut self, now: Instant, took: Duration) {
        let window = (self.window(now) * STEP).max(took * WINDOW_PER_TRY);
        self.window = window.min(WIDEST_WINDOW);
        self.last_loss = Some(now);
    }

    /// The write succeeded.
    pub(crate) fn won(&mut self) {
        self.window /= STEP;
    }

    fn window(&self, now: Instant) -> Duration {
        match self.last_loss {
            Some(loss) if now.duration_since(loss) < FORGET_AFTER => self.window,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRY: Duration = Duration::from_millis(2);
    const TIME: Duration = Duration::from_millis(4500);

    #[test]
    fn nobody_waits_without_a_loss() {
        let mut contention = Contention::default();
        contention.won();
        assert_eq!(contention.pause(Instant::now(), TIME, TIME), None);
    }

    #[test]
    fn losses_widen_the_window_up_to_a_bound() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now, TRY);
        assert_eq!(contention.window(now), TRY * 2);
        contention.lost(now, TRY);
        assert_eq!(contention.window(now), TRY * 4);
        for _ in 0..100 {
            contention.lost(now, TRY);
        }
        assert_eq!(contention.window(now), WIDEST_WINDOW);
    }

    #[test]
    fn the_slower_a_lost_try_the_wider_the_window() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now, TRY * 64);
        assert_eq!(contention.window(now), TRY * 64 * 2);
    }

    #[test]
    fn a_win_narrows_the_window_but_does_not_forget() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now, TRY);
        contention.won();
        assert_eq!(contention.window(now), TRY);
        assert!(contention.pause(now, TIME, TIME).is_some());
    }

    #[test]
    fn the_less_time_is_left_the_shorter_the_pause() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now, TRY);
        for _ in 0..1000 {
            let pause = contention.pause(now, TIME / 8, TIME);
            assert!(pause.is_some_and(|pause| pause <= TRY / 4));
        }
        assert_eq!(
            contention.pause(now, Duration::ZERO, TIME),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn contention_is_forgotten_when_it_is_over() {
        let now = Instant::now();
        let mut contention = Contention::default();
        contention.lost(now, TRY);
        assert_eq!(contention.pause(now + FORGET_AFTER, TIME, TIME), None);
    }
}
