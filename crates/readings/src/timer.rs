//! A deadline for one thing after the other.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use tokio::{
    select,
    time::{Instant, Sleep, sleep},
};

/// A timer that is kept. To set one wakes the runtime up, which is a system call: this one is set when it has gone off, and not
/// for each thing that is done in time.
#[derive(Debug)]
pub(crate) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    /// Needs a Tokio runtime.
    pub(crate) fn new() -> Self {
        Self(Box::pin(sleep(Duration::ZERO)))
    }

    /// What `work` gives, or `None` if that takes longer.
    pub(crate) async fn within<F: Future>(
        &mut self,
        deadline: Duration,
        work: F,
    ) -> Option<F::Output> {
        let end = Instant::now() + deadline;
        if self.0.is_elapsed() || self.0.deadline() > end {
            self.0.as_mut().reset(end);
        }
        let mut work = pin!(work);
        loop {
            select! {
                biased;
                done = &mut work => return Some(done),
                () = &mut self.0 => {}
            }
            // It may have been set for somebody before.
            if Instant::now() >= end {
                return None;
            }
            self.0.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::timeout;

    use super::*;

    const DEADLINE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn each_thing_has_its_whole_deadline() {
        let mut timer = Timer::new();
        for before in [0, 1, 10, 19, 20, 50] {
            // Sets it, or finds it set.
            assert_eq!(timer.within(DEADLINE, ready(1)).await, Some(1));
            sleep(Duration::from_millis(before)).await;
            let since = Instant::now();
            assert_eq!(timer.within(DEADLINE, pending::<()>()).await, None);
            assert!(since.elapsed() >= DEADLINE, "{before}");
        }
    }

    #[tokio::test]
    async fn a_deadline_may_be_shorter_than_the_one_before() {
        let mut timer = Timer::new();
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(timer.within(hour, ready(1)).await, Some(1));
        let late = timer.within(DEADLINE, pending::<()>());
        let late = timeout(Duration::from_secs(60), late).await;
        assert_eq!(late, Ok(None));
    }
}
