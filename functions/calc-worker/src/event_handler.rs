//! Calculates and counts the records of a batch, and answers with those that failed.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use function_kit::{deadline, logs::Causes};
use futures_util::{StreamExt, future::join, stream};
use lambda_runtime::{Diagnostic, LambdaEvent};
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::{
    calculation::{self, Refused},
    done::{self, Done, Message},
    group_commit::{Commits, group_commit},
};

/// The part of an invocation's time that calculations leave for counting them.
const TO_COUNT: Duration = Duration::from_secs(1);

/// A record that a response could not name as failed. Not SQS's: the whole batch fails.
#[derive(Debug, thiserror::Error)]
#[error("record {0} of the batch has no message id")]
pub(crate) struct NoMessageId(usize);

impl From<NoMessageId> for Diagnostic {
    fn from(error: NoMessageId) -> Self {
        Self {
            error_type: "NoMessageId".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Why a record goes back to its queue.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it asks for no calculation")]
    Refused(#[from] Refused),
    #[error("it would not be done before the deadline")]
    OutOfTime,
    #[error("it is not known to be counted")]
    NotCounted(#[from] Arc<done::Error>),
    #[error("one before it in its message group failed")]
    OutOfOrder,
}

/// Works on at most `concurrency` records side by side, and answers before the deadline: with the message ids of the
/// records that are not done.
pub(crate) async fn handle(
    done: &Done,
    concurrency: NonZeroUsize,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, NoMessageId> {
    let queues = queues(event.payload.records)?;
    let time_left = deadline::time_left(Some(&event.context));
    let now = Instant::now();
    let longest = time_left - TO_COUNT.min(time_left / 2);
    let (commits, committer) = group_commit();
    let batch = Batch {
        longest,
        calculated_by: now + longest,
        commits,
    };
    // Owns the batch, because the committer ends when the last record has.
    let records = async move {
        stream::iter(queues)
            .map(|queue| batch.work(queue))
            .buffer_unordered(concurrency.get())
            .collect::<Vec<_>>()
            .await
    };
    let (failed, ()) = join(records, committer.run(done, now + time_left)).await;
    let failed: BTreeSet<String> = failed.into_iter().flatten().collect();
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed);
    Ok(response)
}

/// A record that a response can name.
#[derive(Debug)]
struct Record {
    message: Message,
    body: String,
}

/// What all records of an invocation share.
#[derive(Debug)]
struct Batch {
    longest: Duration,
    calculated_by: Instant,
    commits: Commits,
}

impl Batch {
    /// Works on records one after the other up to the first that fails, and returns the message ids of that and the rest.
    async fn work(&self, records: Vec<Record>) -> Vec<String> {
        let mut failed = Vec::new();
        for Record { message, body } in records {
            let id = message.id.clone();
            let outcome = match failed.is_empty() {
                true => self.calculate(message, &body).await,
                false => Err(Failure::OutOfOrder),
            };
            if let Err(failure) = outcome {
                error!(message_id = id, error = %Causes(&failure), "a record failed");
                failed.push(id);
            }
        }
        failed
    }

    async fn calculate(&self, message: Message, body: &str) -> Result<(), Failure> {
        let x = calculation::duration(body, self.longest)?;
        if Instant::now() + x > self.calculated_by {
            return Err(Failure::OutOfTime);
        }
        let calculation = self.commits.begin(message);
        sleep(x).await;
        Ok(calculation.count().await?)
    }
}

/// The records, in one queue where one must wait for the other: in the message groups of a FIFO queue. The message groups
/// of a standard queue order nothing, they make its tenants' shares fair.
fn queues(records: Vec<SqsMessage>) -> Result<Vec<Vec<Record>>, NoMessageId> {
    /// Sorts groups among themselves, which have no order.
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Queue {
        Alone(usize),
        Group(String),
    }
    let mut queues: BTreeMap<Queue, Vec<Record>> = BTreeMap::new();
    for (index, mut record) in records.into_iter().enumerate() {
        let fifo = record
            .event_source_arn
            .is_some_and(|queue| queue.ends_with(".fifo"));
        let group = record.attributes.remove("MessageGroupId");
        let queue = match group.filter(|_| fifo) {
            Some(group) => Queue::Group(group),
            None => Queue::Alone(index),
        };
        let id = record.message_id.filter(|id| !id.is_empty());
        let sent_at = record.attributes.get("SentTimestamp");
        let message = Message {
            id: id.ok_or(NoMessageId(index))?,
            sent_at: sent_at.and_then(|millis| millis.parse().ok()),
        };
        queues.entry(queue).or_default().push(Record {
            message,
            body: record.body.unwrap_or_default(),
        });
    }
    Ok(queues.into_values().collect())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use function_kit::testing::{context, damaged, emulator, recorded_events};
    use serde_json::{Value, json};
    use tokio::time::timeout;

    use super::*;
    use crate::done::fixture::EmulatedTable;

    const TIMEOUT: Duration = Duration::from_secs(30);
    const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(100).unwrap();

    /// The message ids of the records that failed, in an invocation that may take so long.
    async fn failed_of(
        done: &Done,
        concurrency: NonZeroUsize,
        time: Duration,
        event: Value,
    ) -> BTreeSet<String> {
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context(time));
        let response = timeout(time + TIMEOUT, handle(done, concurrency, event)).await;
        let response = response.expect("it ends").unwrap();
        let failures = response.batch_item_failures.into_iter();
        failures.map(|failure| failure.item_identifier).collect()
    }

    async fn failed(table: &EmulatedTable, event: Value) -> BTreeSet<String> {
        failed_of(&table.done, CONCURRENCY, TIMEOUT, event).await
    }

    fn recorded(file: &str) -> Value {
        let events = recorded_events("calc-worker").unwrap();
        serde_json::from_slice(&events[file]).unwrap()
    }

    /// A batch of these message ids, each of them a calculation of `x` seconds.
    fn batch(ids: impl IntoIterator<Item = u64>, x: &str) -> Value {
        let record =
            |id: u64| json!({ "messageId": id.to_string(), "body": format!(r#"{{"x": {x}}}"#) });
        json!({ "Records": ids.into_iter().map(record).collect::<Vec<_>>() })
    }

    fn ids(event: &Value) -> Vec<String> {
        let records = event["Records"].as_array().unwrap().iter();
        records
            .map(|record| record["messageId"].as_str().unwrap().to_owned())
            .collect()
    }

    fn nobody() -> BTreeSet<String> {
        BTreeSet::new()
    }

    #[tokio::test]
    async fn every_recorded_event_is_answered_with_its_failed_records() {
        let table = EmulatedTable::new().await;
        let mut count = 0;
        for (file, bad, good) in [
            ("one-record.json", vec![], 1),
            ("redelivery.json", vec![], 0),
            ("full-batch.json", vec![], 10),
            ("poison-among-good.json", vec![1, 3, 4, 5, 6, 7, 9], 3),
            // The third is poison, and the fifth is of the same message group.
            ("fifo.json", vec![2, 4], 3),
        ] {
            let event = recorded(file);
            let ids = ids(&event);
            let expected = bad.iter().map(|index| ids[*index].clone()).collect();
            assert_eq!(failed(&table, event).await, expected, "{file}");
            count += good;
            assert_eq!(table.count().await, count, "{file}");
        }
        assert_eq!(recorded_events("calc-worker").unwrap().len(), 5);
    }

    #[tokio::test]
    async fn every_message_delivered_twice_is_counted_once() {
        let table = EmulatedTable::new().await;
        let twice = |ids: std::ops::Range<u64>| batch(ids.clone().chain(ids), "0.01");
        // In one batch, in two at the same time, and one after the other.
        assert_eq!(failed(&table, twice(0..10)).await, nobody());
        let (first, second) = join(
            failed(&table, batch(10..30, "0.01")),
            failed(&table, batch(10..30, "0.01")),
        )
        .await;
        assert_eq!((first, second), (nobody(), nobody()));
        assert_eq!(failed(&table, twice(0..40)).await, nobody());
        assert_eq!(table.count().await, 40);
    }

    #[tokio::test]
    async fn a_batch_cut_off_and_delivered_again_is_counted_once() {
        let table = EmulatedTable::new().await;
        let mut records = Vec::new();
        for id in 0..20 {
            let event = batch([id], &format!("{}", id as f64 / 50.0));
            records.extend(event["Records"].as_array().unwrap().clone());
        }
        let event = json!({ "Records": records });
        let cut_off = timeout(Duration::from_millis(200), failed(&table, event.clone())).await;
        assert!(cut_off.is_err());
        let before = table.count().await;
        assert!(before < 20, "{before}");
        assert_eq!(failed(&table, event).await, nobody());
        assert_eq!(table.count().await, 20);
    }

    #[tokio::test]
    async fn records_fail_while_dynamodb_is_away_and_are_counted_when_it_is_back() {
        let mut emulator = emulator::durable().await.unwrap();
        let table = EmulatedTable::within(&emulator).await;
        assert_eq!(failed(&table, batch(0..1, "0")).await, nobody());

        emulator.suspend().await.unwrap();
        let event = batch(0..10, "0");
        let time = Duration::from_secs(3);
        let away = failed_of(&table.done, CONCURRENCY, time, event.clone()).await;
        assert_eq!(away, BTreeSet::from_iter(ids(&event)));

        emulator.resume().await.unwrap();
        assert_eq!(failed(&table, event).await, nobody());
        assert_eq!(table.count().await, 10);
    }

    #[tokio::test]
    async fn records_are_in_work_side_by_side() {
        let table = EmulatedTable::new().await;
        let start = Instant::now();
        assert_eq!(failed(&table, batch(0..100, "0.5")).await, nobody());
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!(table.count().await, 100);
    }

    #[tokio::test]
    async fn no_more_records_than_the_concurrency_are_in_work() {
        let table = EmulatedTable::new().await;
        let two = NonZeroUsize::new(2).unwrap();
        let start = Instant::now();
        let failed = failed_of(&table.done, two, TIMEOUT, batch(0..6, "0.2")).await;
        assert_eq!(failed, nobody());
        assert!(start.elapsed() >= Duration::from_millis(600));
    }

    #[tokio::test]
    async fn a_record_that_could_not_finish_is_given_back() {
        let table = EmulatedTable::new().await;
        // 2.5 s for calculations, one after the other.
        let time = Duration::from_secs(4);
        let one = NonZeroUsize::MIN;
        let event = batch(0..4, "1");
        let start = Instant::now();
        let failed = failed_of(&table.done, one, time, event.clone()).await;
        assert!(start.elapsed() < time);
        assert!(!failed.contains("0") && failed.contains("2") && failed.contains("3"));
        let count = table.count().await;
        assert_eq!(count, 4 - failed.len() as u64);
        assert_eq!(self::failed(&table, event).await, nobody());
        assert_eq!(table.count().await, 4);
    }

    #[tokio::test]
    async fn a_calculation_longer_than_the_timeout_is_refused_at_once() {
        let table = EmulatedTable::new().await;
        let start = Instant::now();
        let time = Duration::from_secs(10);
        let failed = failed_of(&table.done, CONCURRENCY, time, batch(0..2, "9.5")).await;
        assert_eq!(failed.len(), 2);
        assert!(start.elapsed() < Duration::from_secs(9));
    }

    #[tokio::test]
    async fn records_that_finish_together_are_counted_together() {
        let table = EmulatedTable::new().await;
        let many = NonZeroUsize::new(1000).unwrap();
        let failed = failed_of(&table.done, many, TIMEOUT, batch(0..500, "0")).await;
        assert_eq!(failed, nobody());
        assert_eq!(table.count().await, 500);
        let transactions = table.transactions().await;
        assert!(transactions < 20, "{transactions}");
    }

    #[tokio::test]
    async fn records_that_finish_soon_after_each_other_are_counted_together() {
        let table = EmulatedTable::new().await;
        let record = |id: u64| {
            let x = id as f64 / 100.0;
            json!({ "messageId": id.to_string(), "body": json!({ "x": x }).to_string() })
        };
        let event = json!({ "Records": (0..100).map(record).collect::<Vec<_>>() });
        assert_eq!(failed(&table, event).await, nobody());
        assert_eq!(table.count().await, 100);
        // One every 100 ms for a second, and some for the edges.
        let transactions = table.transactions().await;
        assert!(transactions <= 15, "{transactions}");
    }

    #[tokio::test]
    async fn a_record_waits_for_no_calculation_to_be_counted() {
        let table = EmulatedTable::new().await;
        let mut event = batch(0..1, "0");
        let long = batch(1..2, "2");
        let records = event["Records"].as_array_mut().unwrap();
        records.extend(long["Records"].as_array().unwrap().clone());
        assert_eq!(failed(&table, event).await, nobody());
        let mut done = Vec::new();
        for id in 0..2 {
            let item = table.item(&format!("message/{id}")).await.unwrap();
            done.push(item["done_at"]);
        }
        assert!(done[0] + 1000 < done[1], "{done:?}");
    }

    #[tokio::test]
    async fn message_groups_of_a_standard_queue_order_nothing() {
        let table = EmulatedTable::new().await;
        let mut event = recorded("fifo.json");
        for record in event["Records"].as_array_mut().unwrap() {
            record["eventSourceARN"] = "arn:aws:sqs:eu-west-2:123456789012:latency".into();
        }
        let third = BTreeSet::from([ids(&event)[2].clone()]);
        assert_eq!(failed(&table, event).await, third);
    }

    #[tokio::test]
    async fn records_of_a_message_group_are_in_work_one_after_the_other() {
        let table = EmulatedTable::new().await;
        let mut event = batch(0..3, "0.2");
        for record in event["Records"].as_array_mut().unwrap() {
            record["eventSourceARN"] = "arn:aws:sqs:eu-west-2:123456789012:latency.fifo".into();
            record["attributes"] = json!({ "MessageGroupId": "a" });
        }
        assert_eq!(failed(&table, event).await, nobody());
        let mut done = Vec::new();
        for id in 0..3 {
            let item = table.item(&format!("message/{id}")).await.unwrap();
            done.push(item["done_at"]);
        }
        assert!(
            done[0] + 200 <= done[1] && done[1] + 200 <= done[2],
            "{done:?}"
        );
    }

    #[tokio::test]
    async fn a_batch_with_a_record_that_cannot_be_named_fails_as_a_whole() {
        let table = EmulatedTable::new().await;
        for id in [json!(""), Value::Null] {
            let mut event = batch(0..3, "0");
            event["Records"][1]["messageId"] = id;
            let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context(TIMEOUT));
            let error = handle(&table.done, CONCURRENCY, event).await.unwrap_err();
            assert_eq!(error.to_string(), "record 1 of the batch has no message id");
        }
        assert_eq!(table.count().await, 0);
    }

    #[tokio::test]
    async fn a_damaged_event_is_an_answer_or_an_error() {
        let table = EmulatedTable::new().await;
        let events = recorded_events("calc-worker").unwrap();
        let events = damaged(events.into_values());
        let (mut succeeded, mut unknown) = (nobody(), nobody());
        for event in events {
            let Ok(event) = serde_json::from_slice::<SqsEvent>(&event) else {
                continue;
            };
            let given: BTreeSet<String> = event
                .records
                .iter()
                .filter_map(|record| record.message_id.clone())
                .collect();
            let event = LambdaEvent::new(event, context(Duration::from_secs(3)));
            if let Ok(response) = handle(&table.done, CONCURRENCY, event).await {
                let failures = response.batch_item_failures.into_iter();
                let failed: BTreeSet<String> =
                    failures.map(|failure| failure.item_identifier).collect();
                assert!(failed.is_subset(&given), "{failed:?} of {given:?}");
                succeeded.extend(&given - &failed);
                unknown.extend(failed);
            }
        }

        let either = &succeeded | &unknown;
        assert!(!succeeded.is_empty());
        let count = table.count().await as usize;
        assert!((succeeded.len()..=either.len()).contains(&count));
    }
}
