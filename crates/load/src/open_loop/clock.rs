//! Waits that end on time: Tokio's own end up to a millisecond late, which is more than many a server takes.

use std::time::Instant;

#[cfg(target_os = "linux")]
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
#[cfg(target_os = "linux")]
use tokio::net::unix::pipe::Receiver;

/// Something to wait with.
pub(super) struct Clock {
    /// The kernel's own, which can be waited for and read as a pipe can. None where there is none: Tokio's is used then.
    #[cfg(target_os = "linux")]
    timer: Option<Receiver>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            timer: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
            )
            .ok()
            .and_then(|timer| Receiver::from_owned_fd_unchecked(timer).ok()),
        }
    }

    /// Returns at this moment, or at once if it is over; and whether it had to wait.
    pub(super) async fn wait_until(&mut self, moment: Instant) -> bool {
        let mut waited = false;
        while moment > Instant::now() {
            waited = true;
            if self.timer_went_off(moment).await.is_none() {
                tokio::time::sleep_until(moment.into()).await;
            }
        }
        waited
    }

    #[cfg(target_os = "linux")]
    async fn timer_went_off(&mut self, moment: Instant) -> Option<()> {
        let timer = self.timer.as_ref()?;
        let left = moment.saturating_duration_since(Instant::now());
        let nothing = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Timespec {
            tv_sec: left.as_secs().try_into().ok()?,
            // Nothing at all would mean never.
            tv_nsec: left.subsec_nanos().max(1).into(),
        };
        let once = Itimerspec {
            it_interval: nothing,
            it_value: value,
        };
        timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).ok()?;
        timer.readable().await.ok()?;
        // How often it went off: once.
        let _ = timer.try_read(&mut [0; 8]);
        Some(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn timer_went_off(&mut self, _: Instant) -> Option<()> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_wait_ends_when_it_should_and_never_before() {
        let mut clock = Clock::new();
        assert!(!clock.wait_until(Instant::now()).await);
        for microseconds in [1, 300, 20_000] {
            let end = Instant::now() + Duration::from_micros(microseconds);
            clock.wait_until(end).await;
            assert!(Instant::now() >= end);
        }
    }
}
