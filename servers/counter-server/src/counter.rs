//! The counter: in memory, or in a file that many hits are written to at once.

use std::sync::atomic::{AtomicU64, Ordering};

use server_kit::Log;
use tokio::sync::{mpsc, oneshot};

use crate::state_file::StateFile;

/// A hit that was not counted, as far as anybody knows: the count can't be written.
#[derive(Debug, thiserror::Error)]
#[error("the count can't be written")]
pub(crate) struct Unwritten;

/// Where a hit's number goes to once it is on the disk.
type Waiting = oneshot::Sender<u64>;

/// A counter.
#[derive(Debug)]
pub(crate) enum Counter {
    Memory(AtomicU64),
    Durable(mpsc::UnboundedSender<Waiting>),
}

impl Counter {
    /// Starts at 0, and forgets with the process.
    pub(crate) fn in_memory() -> Self {
        Self::Memory(AtomicU64::new(0))
    }

    /// Goes on from the file's count. Needs a Tokio runtime.
    pub(crate) fn durable(file: StateFile, log: Log) -> Self {
        // As long as there are connections at most, each of which waits for its number.
        let (hits, waiting) = mpsc::unbounded_channel();
        tokio::spawn(commit(file, waiting, log));
        Self::Durable(hits)
    }

    /// Counts a hit: the count after it, which nobody else gets. A durable one is on the disk when this returns.
    pub(crate) async fn hit(&self) -> Result<u64, Unwritten> {
        match self {
            Self::Memory(count) => Ok(count.fetch_add(1, Ordering::Relaxed) + 1),
            Self::Durable(hits) => {
                let (number, written) = oneshot::channel();
                hits.send(number).map_err(|_| Unwritten)?;
                written.await.map_err(|_| Unwritten)
            }
        }
    }
}

/// Group commit: the hits that come while the disk is at work are written together with the next write.
async fn commit(mut file: StateFile, mut hits: mpsc::UnboundedReceiver<Waiting>, log: Log) {
    let mut batch = Vec::new();
    while hits.recv_many(&mut batch, usize::MAX).await > 0 {
        let added = batch.len() as u64;
        // Answers go out from this thread: one wake-up of it a write, not one a hit.
        let written = tokio::task::spawn_blocking(move || {
            let before = file.count();
            let written = file.add(added);
            (file, before, written)
        });
        let Ok((returned, before, written)) = written.await else {
            return;
        };
        file = returned;
        match written {
            Ok(()) => {
                for (number, waiting) in (before + 1..).zip(batch.drain(..)) {
                    // Who no longer waits has closed the connection: the hit is counted all the same.
                    let _ = waiting.send(number);
                }
            }
            Err(error) => {
                log.message("ERROR", &format!("{added} hits got no number: {error}"));
                // Without an answer, they know that it failed.
                batch.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hits_get_one_number_each_in_turn() {
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::open(&directory.path().join("state")).unwrap();
        for counter in [Counter::in_memory(), Counter::durable(file, Log::start())] {
            assert_eq!(counter.hit().await.unwrap(), 1);
            assert_eq!(counter.hit().await.unwrap(), 2);
        }
    }

    #[tokio::test]
    async fn hits_at_the_same_time_are_written_together_and_once_each() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let counter = Counter::durable(StateFile::open(&path).unwrap(), Log::start());
        let counter = std::sync::Arc::new(counter);
        let hits: Vec<_> = (0..1000)
            .map(|_| {
                let counter = counter.clone();
                tokio::spawn(async move { counter.hit().await.unwrap() })
            })
            .collect();
        let mut numbers = Vec::new();
        for hit in hits {
            numbers.push(hit.await.unwrap());
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    }
}
