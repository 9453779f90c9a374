//! Group commit: what finishes while a transaction is under way goes into the next one, all together. That is fewer round
//! trips, and fewer transactions that conflict over the one item with the count.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::done::{Done, Error, Message, TRANSACTION_MESSAGES};

/// Takes messages to be counted.
#[derive(Debug)]
pub(crate) struct Commits(mpsc::UnboundedSender<Finished>);

/// Counts what [`Commits`] has taken.
#[derive(Debug)]
pub(crate) struct Committer(mpsc::UnboundedReceiver<Finished>);

#[derive(Debug)]
struct Finished {
    message: Message,
    counted: oneshot::Sender<Result<(), Arc<Error>>>,
}

/// Both ends of a group commit.
pub(crate) fn group_commit() -> (Commits, Committer) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Commits(sender), Committer(receiver))
}

impl Commits {
    /// Returns when the message is counted, by whatever transaction, or can't be.
    pub(crate) async fn count(&self, message: Message) -> Result<(), Arc<Error>> {
        let (counted, outcome) = oneshot::channel();
        let gone = || Arc::new(Error::Unavailable(None));
        self.0
            .send(Finished { message, counted })
            .map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Committer {
    /// Runs until [`Commits`] is gone and what it took is counted, with no transaction under way after `until`.
    pub(crate) async fn run(mut self, done: &Done, until: Instant) {
        let mut finished = Vec::new();
        while self.0.recv_many(&mut finished, TRANSACTION_MESSAGES).await > 0 {
            let (messages, waiting): (Vec<_>, Vec<_>) = finished
                .drain(..)
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
}
