//! The time that a request has.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for all requests of a connection: it is set anew only when it goes off, not for each request.
#[derive(Default)]
pub(crate) struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Ready once `end` is over.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, end: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_timer_that_was_set_for_another_end_goes_off_at_this_one() {
        let mut deadline = Deadline::default();
        let started = Instant::now();
        for milliseconds in [20, 60, 40] {
            let end = started + Duration::from_millis(milliseconds);
            poll_fn(|context| deadline.poll(context, end)).await;
            assert!(Instant::now() >= end);
        }
        // The end of a request that was answered long before.
        let later = Instant::now() + Duration::from_secs(3600);
        poll_fn(|context| Poll::Ready(deadline.poll(context, later).is_ready())).await;
        let end = Instant::now() + Duration::from_millis(5);
        let within = tokio::time::timeout(
            Duration::from_secs(60),
            poll_fn(|context| deadline.poll(context, end)),
        );
        within.await.unwrap();
    }
}
