//! Group commit: what finishes at about the same time goes into one transaction. That is fewer round trips, fewer write
//! request units, and fewer transactions that conflict over the one item with the count.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::done::{Done, Error, Message, TRANSACTION_MESSAGES};

/// How long a transaction waits for more messages, as long as there are calculations that may bring some. DynamoDB takes
/// 1,000 write units a second for an item and a transaction uses two of them on the count: 500 transactions a second, which
/// is what 50 environments make, one every 100 ms each.
const GATHERING: Duration = Duration::from_millis(100);

/// Where calculations begin.
#[derive(Debug)]
pub(crate) struct Commits {
    finished: mpsc::UnboundedSender<Finished>,
    under_way: Arc<AtomicUsize>,
}

/// A calculation under way, until it is counted or dropped.
#[derive(Debug)]
pub(crate) struct Calculation<'a> {
    commits: &'a Commits,
    message: Message,
    under_way: UnderWay<'a>,
}

#[derive(Debug)]
struct UnderWay<'a>(&'a AtomicUsize);

/// Counts what was calculated.
#[derive(Debug)]
pub(crate) struct Committer {
    finished: mpsc::UnboundedReceiver<Finished>,
    under_way: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Finished {
    message: Message,
    counted: oneshot::Sender<Result<(), Arc<Error>>>,
}

/// Both ends of a group commit.
pub(crate) fn group_commit() -> (Commits, Committer) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let under_way = Arc::<AtomicUsize>::default();
    let commits = Commits {
        finished: sender,
        under_way: under_way.clone(),
    };
    let committer = Committer {
        finished: receiver,
        under_way,
    };
    (commits, committer)
}

impl Commits {
    /// Begins the calculation that a message asks for.
    pub(crate) fn begin(&self, message: Message) -> Calculation<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Calculation {
            commits: self,
            message,
            under_way: UnderWay(&self.under_way),
        }
    }
}

impl Calculation<'_> {
    /// Returns when the calculation, which is done now, is counted, by whatever transaction, or can't be.
    pub(crate) async fn count(self) -> Result<(), Arc<Error>> {
        let (counted, outcome) = oneshot::channel();
        let gone = || Arc::new(Error::Unavailable(None));
        // Before its message comes, so that the committer does not wait for it any more.
        drop(self.under_way);
        let finished = Finished {
            message: self.message,
            counted,
        };
        self.commits.finished.send(finished).map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Committer {
    /// Runs until [`Commits`] is gone and what it took is counted, with no transaction under way after `until`.
    pub(crate) async fn run(mut self, done: &Done, until: Instant) {
        loop {
            let finished = self.gather().await;
            if finished.is_empty() {
                return;
            }
            let (messages, waiting): (Vec<_>, Vec<_>) = finished
                .into_iter()
                .map(|finished| (finished.message, finished.counted))
                .unzip();
            // A transaction has no two operations on one item: a message that is twice in a batch is once in here.
            let messages: BTreeMap<String, Message> = messages
                .into_iter()
                .map(|message| (message.id.clone(), message))
                .collect();
            let outcome = done.count(messages.into_values().collect(), until).await;
            let outcome = outcome.map_err(Arc::new);
            for counted in waiting {
                // Nobody is told when the invocation has ended meanwhile.
                let _ = counted.send(outcome.clone());
            }
        }
    }

    /// The next messages for a transaction; none when [`Commits`] is gone.
    async fn gather(&mut self) -> Vec<Finished> {
        let mut all = Vec::new();
        self.finished
            .recv_many(&mut all, TRANSACTION_MESSAGES)
            .await;
        let end = Instant::now() + GATHERING;
        while self.under_way.load(Ordering::Relaxed) > 0 && all.len() < TRANSACTION_MESSAGES {
            let room = TRANSACTION_MESSAGES - all.len();
            let more = self.finished.recv_many(&mut all, room);
            if timeout_at(end, more).await.is_err() {
                break;
            }
        }
        all
    }
}
