//! Calculates and counts the records of a batch, and answers with those that failed.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use function_kit::{deadline, logs::Causes};
use futures_util::{StreamExt, stream};
use lambda_runtime::{Diagnostic, LambdaEvent};
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::{
    calculation::{self, Refused},
    count::{Count, Message, TRANSACTION_MESSAGES},
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

/// Why a record's calculation is not done.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("it asks for no calculation")]
    Refused(#[from] Refused),
    #[error("it would not be done before the deadline")]
    OutOfTime,
}

/// Calculates at most `concurrency` records side by side, counts those that are done, and answers before the deadline: with the
/// message ids of the records that are not known to be counted.
pub(crate) async fn handle(
    count: &Count,
    concurrency: NonZeroUsize,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, NoMessageId> {
    let records = records(event.payload.records)?;
    let time_left = deadline::time_left(Some(&event.context));
    let longest = time_left - TO_COUNT.min(time_left / 2);
    let deadline = Instant::now() + time_left;
    let calculated_by = Instant::now() + longest;

    let calculations = stream::iter(records)
        .map(async |Record { message, body }| {
            let outcome = calculate(&body, longest, calculated_by).await;
            (message, outcome)
        })
        .buffer_unordered(concurrency.get());
    let calculated: Vec<_> = calculations.collect().await;

    let mut failed = BTreeSet::new();
    // A transaction has no two operations on one item: a message that is twice in a batch is once in here.
    let mut done = BTreeMap::new();
    for (message, outcome) in calculated {
        match outcome {
            Ok(()) => drop(done.insert(message.id.clone(), message)),
            Err(error) => {
                error!(message_id = message.id, error = %Causes(&error), "a record failed");
                failed.insert(message.id);
            }
        }
    }
    let done: Vec<Message> = done.into_values().collect();
    for messages in done.chunks(TRANSACTION_MESSAGES) {
        if let Err(error) = count.add(messages.to_vec(), deadline).await {
            for message in messages {
                error!(message_id = message.id, error = %Causes(&error), "a record failed");
                failed.insert(message.id.clone());
            }
        }
    }
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed);
    Ok(response)
}

async fn calculate(body: &str, longest: Duration, by: Instant) -> Result<(), NotDone> {
    let x = calculation::duration(body, longest)?;
    if Instant::now() + x > by {
        return Err(NotDone::OutOfTime);
    }
    sleep(x).await;
    Ok(())
}

/// A record that a response can name.
#[derive(Debug)]
struct Record {
    message: Message,
    body: String,
}

fn records(records: Vec<SqsMessage>) -> Result<Vec<Record>, NoMessageId> {
    let record = |(index, record): (usize, SqsMessage)| {
        let id = record.message_id.filter(|id| !id.is_empty());
        let sent_at = record.attributes.get("SentTimestamp");
        let message = Message {
            id: id.ok_or(NoMessageId(index))?,
            sent_at: sent_at.and_then(|millis| millis.parse().ok()),
        };
        let body = record.body.unwrap_or_default();
        Ok(Record { message, body })
    };
    records.into_iter().enumerate().map(record).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use function_kit::testing::{context, damaged, emulator, recorded_events};
    use futures_util::future::join;
    use serde_json::{Value, json};
    use tokio::time::timeout;

    use super::*;
    use crate::count::fixture::EmulatedTable;

    const TIMEOUT: Duration = Duration::from_secs(30);
    const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(100).unwrap();

    /// The message ids of the records that failed, in an invocation that may take so long.
    async fn failed_of(
        counter: &Count,
        concurrency: NonZeroUsize,
        time: Duration,
        event: Value,
    ) -> BTreeSet<String> {
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context(time));
        let response = timeout(time + TIMEOUT, handle(counter, concurrency, event)).await;
        let response = response.expect("it ends").unwrap();
        let failures = response.batch_item_failures.into_iter();
        failures.map(|failure| failure.item_identifier).collect()
    }

    async fn failed(table: &EmulatedTable, event: Value) -> BTreeSet<String> {
        failed_of(&table.counter, CONCURRENCY, TIMEOUT, event).await
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
        ] {
            let event = recorded(file);
            let ids = ids(&event);
            let expected = bad.iter().map(|index| ids[*index].clone()).collect();
            assert_eq!(failed(&table, event).await, expected, "{file}");
            count += good;
            assert_eq!(table.count().await, count, "{file}");
        }
        assert_eq!(recorded_events("calc-worker").unwrap().len(), 4);
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
        // While it is being counted, too: some transactions are done then, and some are not known of.
        assert_eq!(table.count().await, 0);
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
        let away = failed_of(&table.counter, CONCURRENCY, time, event.clone()).await;
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
        let failed = failed_of(&table.counter, two, TIMEOUT, batch(0..6, "0.2")).await;
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
        let failed = failed_of(&table.counter, one, time, event.clone()).await;
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
        let failed = failed_of(&table.counter, CONCURRENCY, time, batch(0..2, "9.5")).await;
        assert_eq!(failed.len(), 2);
        assert!(start.elapsed() < Duration::from_secs(9));
    }

    #[tokio::test]
    async fn a_batch_is_counted_in_as_few_transactions_as_it_fits_into() {
        let table = EmulatedTable::new().await;
        let many = NonZeroUsize::new(1000).unwrap();
        let failed = failed_of(&table.counter, many, TIMEOUT, batch(0..500, "0")).await;
        assert_eq!(failed, nobody());
        assert_eq!(table.count().await, 500);
        assert_eq!(table.transactions().await, 500_u64.div_ceil(99));
    }

    #[tokio::test]
    async fn a_batch_with_a_record_that_cannot_be_named_fails_as_a_whole() {
        let table = EmulatedTable::new().await;
        for id in [json!(""), Value::Null] {
            let mut event = batch(0..3, "0");
            event["Records"][1]["messageId"] = id;
            let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context(TIMEOUT));
            let error = handle(&table.counter, CONCURRENCY, event)
                .await
                .unwrap_err();
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
            if let Ok(response) = handle(&table.counter, CONCURRENCY, event).await {
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
