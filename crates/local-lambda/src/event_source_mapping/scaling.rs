//! How many batches may be in flight at once, and how that number grows and shrinks.
//!
//! Lambda developer guide, "Configuring scaling behavior for SQS event source mappings" and "Handling errors for an SQS
//! event source in Lambda".

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// So many batches at a time when messages come in.
const INITIAL: usize = 5;

/// One more every 200 ms while there is more to do: 300 a minute.
const STEP: Duration = Duration::from_millis(200);

/// Never more than this.
const MAXIMUM: usize = 1250;

/// As few as this when invocations fail. Lambda says that it backs off gradually, not how far: two is the least it goes
/// down to when traffic is low.
const MINIMUM: usize = 2;

/// The slots of a mapping's batches.
#[derive(Debug)]
pub(super) struct Scaling {
    free: Arc<Semaphore>,
    slots: Arc<Slots>,
    initial: usize,
    maximum: usize,
    grown_at: Instant,
}

#[derive(Debug)]
struct Slots {
    /// Free and taken ones.
    all: AtomicUsize,
    /// Those whose batch is throttled.
    throttled: AtomicUsize,
}

/// The place of one batch.
#[derive(Debug)]
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    slots: Arc<Slots>,
    throttled: bool,
    failed: bool,
}

impl Scaling {
    /// `maximum` is the mapping's maximum concurrency, if it has one.
    pub(super) fn new(maximum: Option<usize>) -> Self {
        let maximum = maximum.unwrap_or(MAXIMUM);
        let initial = INITIAL.min(maximum);
        Self {
            free: Arc::new(Semaphore::new(initial)),
            slots: Arc::new(Slots {
                all: AtomicUsize::new(initial),
                throttled: AtomicUsize::new(0),
            }),
            initial,
            maximum,
            grown_at: Instant::now(),
        }
    }

    /// Waits for a free slot. As long as there is none, there is more to do than is done: slots are added.
    pub(super) async fn slot(&mut self) -> Slot {
        loop {
            let permit = tokio::select! {
                biased;
                permit = self.free.clone().acquire_owned() => permit.ok(),
                () = tokio::time::sleep_until(self.grown_at + STEP) => None,
            };
            if permit.is_some() {
                return Slot {
                    permit,
                    slots: self.slots.clone(),
                    throttled: false,
                    failed: false,
                };
            }
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.grown_at = Instant::now();
        let throttled = self.slots.throttled.load(Ordering::Relaxed) > 0;
        if !throttled && self.slots.all.load(Ordering::Relaxed) < self.maximum {
            self.slots.all.fetch_add(1, Ordering::Relaxed);
            self.free.add_permits(1);
        }
    }

    /// The slots that are taken.
    pub(super) fn taken(&self) -> usize {
        let all = self.slots.all.load(Ordering::Relaxed);
        all.saturating_sub(self.free.available_permits())
    }

    /// The queue is empty: back to where it began.
    pub(super) fn idle(&mut self) {
        self.grown_at = Instant::now();
        let all = self.slots.all.load(Ordering::Relaxed);
        let forgotten = self.free.forget_permits(all.saturating_sub(self.initial));
        self.slots.all.fetch_sub(forgotten, Ordering::Relaxed);
    }
}

impl Slot {
    /// The batch is throttled. As long as it is, no slots are added, and its own goes with it.
    pub(super) fn throttled(&mut self) {
        if !self.throttled {
            self.throttled = true;
            self.slots.throttled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The invocation failed: the slot goes with its batch.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.throttled {
            self.slots.throttled.fetch_sub(1, Ordering::Relaxed);
        }
        let fewer = |all| (all > MINIMUM).then(|| all - 1);
        if (self.throttled || self.failed)
            && self
                .slots
                .all
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
                .is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slot that is free now.
    async fn free(scaling: &mut Scaling) -> Option<Slot> {
        tokio::time::timeout(Duration::ZERO, scaling.slot())
            .await
            .ok()
    }

    async fn take(scaling: &mut Scaling, count: usize) -> Vec<Slot> {
        let mut slots = Vec::new();
        for _ in 0..count {
            slots.push(scaling.slot().await);
        }
        slots
    }

    #[tokio::test]
    async fn five_at_first_then_one_more_each_step() {
        let since = Instant::now();
        let mut scaling = Scaling::new(None);
        let mut slots = Vec::new();
        for _ in 0..5 {
            slots.push(free(&mut scaling).await.unwrap());
        }
        slots.extend(take(&mut scaling, 3).await);
        assert!(since.elapsed() >= 3 * STEP);
    }

    #[tokio::test]
    async fn never_more_than_the_maximum_concurrency() {
        let mut scaling = Scaling::new(Some(3));
        let mut slots = take(&mut scaling, 3).await;
        let fourth = tokio::time::timeout(3 * STEP, scaling.slot());
        assert!(fourth.await.is_err());
        assert_eq!(scaling.taken(), 3);
        slots.pop();
        assert_eq!(scaling.taken(), 2);
        assert!(free(&mut scaling).await.is_some());
    }

    #[tokio::test]
    async fn an_empty_queue_brings_it_back_to_five() {
        let mut scaling = Scaling::new(None);
        drop(take(&mut scaling, 7).await);
        let since = Instant::now();
        scaling.idle();
        let _slots = take(&mut scaling, 6).await;
        assert!(since.elapsed() >= STEP);
    }

    #[tokio::test]
    async fn failures_bring_it_down_to_two_and_it_works_itself_up_again() {
        let mut scaling = Scaling::new(None);
        for mut slot in take(&mut scaling, 5).await {
            slot.failed();
        }
        let since = Instant::now();
        scaling.idle();
        let mut slots = Vec::new();
        for _ in 0..MINIMUM {
            slots.push(free(&mut scaling).await.unwrap());
        }
        slots.extend(take(&mut scaling, 1).await);
        assert!(since.elapsed() >= STEP);
    }

    #[tokio::test]
    async fn nothing_is_added_while_a_batch_is_throttled() {
        let mut scaling = Scaling::new(None);
        let mut slots = take(&mut scaling, 5).await;
        slots[0].throttled();
        let sixth = tokio::time::timeout(3 * STEP, scaling.slot());
        assert!(sixth.await.is_err());
        assert_eq!(scaling.taken(), 5);
        drop(slots.remove(0));
        assert_eq!(scaling.free.available_permits(), 0, "its slot goes too");
        take(&mut scaling, 1).await;
    }
}
