//! A batch: the records of one invocation.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::record::Record;
use crate::invocation::MAX_PAYLOAD_BYTES;

const HEAD: &str = r#"{"Records":["#;
const TAIL: &str = "]}";

/// Records that go to the function together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// Of the records and what stands between them.
    bytes: usize,
}

impl Batch {
    /// Moves records into the batch, in their order, as long as it has room: up to `size` records, and up to what an
    /// invocation takes. Whether there is room left.
    pub(super) fn fill(&mut self, records: &mut VecDeque<Record>, size: usize) -> bool {
        while let Some(next) = records.front() {
            let bytes = self.bytes + next.json.len() + 1;
            // A single record always fits: a message has at most 1 MiB, and JSON at most doubles what SQS takes.
            if !self.records.is_empty() && HEAD.len() + bytes + TAIL.len() > MAX_PAYLOAD_BYTES {
                return false;
            }
            if self.records.len() == size {
                return false;
            }
            self.bytes = bytes;
            self.records.extend(records.pop_front());
        }
        self.records.len() < size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// When the first of its records was received, and the time began to run after which it is visible again.
    pub(super) fn received_at(&self) -> Option<Instant> {
        self.records.iter().map(|record| record.received_at).min()
    }

    /// The event's JSON.
    pub(super) fn payload(&self) -> Bytes {
        let mut payload = String::with_capacity(HEAD.len() + self.bytes + TAIL.len());
        payload.push_str(HEAD);
        for (index, record) in self.records.iter().enumerate() {
            if index > 0 {
                payload.push(',');
            }
            payload.push_str(&record.json);
        }
        payload.push_str(TAIL);
        payload.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> Record {
        Record {
            message_id: json.to_owned(),
            receipt_handle: String::new(),
            json: json.to_owned(),
            received_at: Instant::now(),
            redelivered: false,
        }
    }

    #[test]
    fn a_batch_has_at_most_its_size_and_the_rest_stays() {
        let mut records: VecDeque<_> = ["1", "2", "3"].map(record).into();
        let mut batch = Batch::default();
        assert!(!batch.fill(&mut records, 2));
        assert_eq!(batch.payload(), r#"{"Records":[1,2]}"#);
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn a_batch_with_room_takes_more_later() {
        let mut batch = Batch::default();
        assert!(batch.fill(&mut VecDeque::new(), 3));
        assert!(batch.is_empty());
        assert!(batch.fill(&mut ["1", "2"].map(record).into(), 3));
        assert!(!batch.fill(&mut ["3", "4"].map(record).into(), 3));
        assert_eq!(batch.payload(), r#"{"Records":[1,2,3]}"#);
    }

    #[test]
    fn a_batch_is_never_larger_than_an_invocation_takes() {
        let quarter = format!("\"{}\"", "x".repeat(MAX_PAYLOAD_BYTES / 4));
        let mut records: VecDeque<_> = [quarter.as_str(); 5].map(record).into();
        let mut batch = Batch::default();
        assert!(!batch.fill(&mut records, 10));
        assert_eq!((batch.len(), records.len()), (3, 2));
        assert!(batch.payload().len() <= MAX_PAYLOAD_BYTES);
    }
}
