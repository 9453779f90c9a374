//! The count of calculations that are done: one item with the count, and one for each message that is in it.
//!
//! A transaction adds the messages' ids and their number, on the condition that none of the ids is there. So a message is
//! counted once, however often it is delivered, and whether or not anybody was told that it was counted: a transaction
//! whose answer was lost is found out by its ids when the message comes again. What the count does not see through is a
//! redrive from a dead-letter queue: SQS gives the message a new id, and it is a new message.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::{
    Client,
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Put, TransactWriteItem, Update},
};
use function_kit::{
    aws::{self, SdkConfig},
    connection,
};
use tokio::time::{Instant, sleep, timeout_at};

/// The key of the item with the count.
const KEY: &str = "done";
/// Keys of messages begin with it, so that no message id is the count's key.
const MESSAGE: &str = "message/";

/// How many messages fit into one transaction: 100 actions (DynamoDB quotas), one of which is the count's.
pub(crate) const TRANSACTION_MESSAGES: usize = 99;

/// How long an id is kept. SQS keeps a message for 14 days at most (SQS quotas) and so can't deliver it after that; a day
/// more for the last receive's visibility timeout, 12 hours at most, and for clocks.
const KEPT: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// Pauses between transactions are random, from none to this after the first, to twice that after the second, and so on
/// ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015: full jitter).
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A message whose calculation is done.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// When SQS took it, in milliseconds since 1970.
    pub(crate) sent_at: Option<u64>,
}

/// The count in a table with the string key `id`.
///
/// Item `done` has the count in the number `done`, and in `transactions` how many it took. Item `message/ID` says when SQS
/// took the message and when it was counted, `sent_at` and `done_at` in milliseconds since 1970, and when the item may go,
/// `expires` in seconds since 1970.
#[derive(Debug)]
pub(crate) struct Count {
    client: Client,
    table: String,
}

/// Why messages are not known to be counted. They may be all the same: count them again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Heals by itself.
    #[error("DynamoDB is unavailable")]
    Unavailable(#[source] Option<Box<SdkError<TransactWriteItemsError>>>),
    /// Does not heal by itself.
    #[error("DynamoDB refused the transaction")]
    Refused(#[source] Box<SdkError<TransactWriteItemsError>>),
}

impl Count {
    pub(crate) fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    /// Opens the connection to DynamoDB by reading the count: half a read request unit a cold start.
    pub(crate) async fn open_connection(&self) {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(KEY.into()));
        let _ = connection::open(get.send()).await;
    }

    /// Counts messages, at most [`TRANSACTION_MESSAGES`] with different ids, that are not counted yet.
    ///
    /// Tries again until it is `until` when DynamoDB is unavailable, or others write the count at the same time: the SDK
    /// does not repeat a cancelled transaction.
    pub(crate) async fn add(
        &self,
        mut messages: Vec<Message>,
        until: Instant,
    ) -> Result<(), Error> {
        let mut window = FIRST_PAUSE;
        let mut last = None;
        while !messages.is_empty() {
            let Ok(outcome) = timeout_at(until, self.transact(&messages)).await else {
                return Err(Error::Unavailable(last));
            };
            let Err(error) = outcome else {
                return Ok(());
            };
            let all = messages.len();
            let mut counted = counted(&error).into_iter();
            messages.retain(|_| !counted.next().unwrap_or_default());
            if messages.len() < all {
                // The others at once: each time there are fewer.
                continue;
            }
            if !heals(&error) {
                return Err(Error::Refused(Box::new(error)));
            }
            let pause = window.mul_f64(fastrand::f64());
            if Instant::now() + pause >= until {
                return Err(Error::Unavailable(Some(Box::new(error))));
            }
            sleep(pause).await;
            window = (window * 2).min(LONGEST_PAUSE);
            last = Some(Box::new(error));
        }
        Ok(())
    }

    /// The messages in their order, then the count.
    async fn transact(
        &self,
        messages: &[Message],
    ) -> Result<(), SdkError<TransactWriteItemsError>> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut actions = messages
            .iter()
            .map(|message| self.put(message, now))
            .collect::<Result<Vec<_>, _>>()
            .map_err(SdkError::construction_failure)?;
        let add = self
            .update(messages.len())
            .map_err(SdkError::construction_failure)?;
        actions.push(add);
        // The SDK gives the transaction a token, the same in all its attempts: it is done once in ten minutes.
        self.client
            .transact_write_items()
            .set_transact_items(Some(actions))
            .send()
            .await?;
        Ok(())
    }

    fn put(&self, message: &Message, now: Duration) -> Result<TransactWriteItem, BuildError> {
        let number = |number: u128| AttributeValue::N(number.to_string());
        let put = Put::builder()
            .table_name(&self.table)
            .item("id", AttributeValue::S(format!("{MESSAGE}{}", message.id)))
            .item("done_at", number(now.as_millis()))
            .item("expires", number((now + KEPT).as_secs().into()))
            .condition_expression("attribute_not_exists(id)");
        let put = match message.sent_at {
            Some(sent_at) => put.item("sent_at", number(sent_at.into())),
            None => put,
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }

    fn update(&self, messages: usize) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("id", AttributeValue::S(KEY.into()))
            .update_expression("ADD done :messages, transactions :one")
            .expression_attribute_values(":messages", AttributeValue::N(messages.to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".into()));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }
}

/// Why each action of a cancelled transaction could not be done, in their order; nothing for any other error.
fn cancellation_codes(error: &SdkError<TransactWriteItemsError>) -> Vec<&str> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
            .cancellation_reasons()
            .iter()
            .map(|reason| reason.code().unwrap_or("None"))
            .collect(),
        _ => Vec::new(),
    }
}

/// Of each message of a failed transaction, whether it was counted before.
fn counted(error: &SdkError<TransactWriteItemsError>) -> Vec<bool> {
    cancellation_codes(error)
        .into_iter()
        .map(|code| code == "ConditionalCheckFailed")
        .collect()
}

/// Whether the same transaction may succeed later. Codes: Amazon DynamoDB API Reference, `TransactWriteItems`.
fn heals(error: &SdkError<TransactWriteItemsError>) -> bool {
    let codes = cancellation_codes(error);
    let heals = |code: &&str| {
        matches!(
            *code,
            "None" | "TransactionConflict" | "ProvisionedThroughputExceeded" | "ThrottlingError"
        )
    };
    aws::is_transient(error) || !codes.is_empty() && codes.iter().all(heals)
}

#[cfg(test)]
pub(crate) mod fixture {
    //! The template's table, one for each test.

    use function_kit::testing::emulator::{self, Ministack};

    use super::*;

    pub(crate) struct EmulatedTable {
        pub(crate) counter: Count,
        pub(crate) endpoint: String,
    }

    impl EmulatedTable {
        /// In the emulator that the tests share.
        pub(crate) async fn new() -> Self {
            Self::within(emulator::shared().await.unwrap()).await
        }

        pub(crate) async fn within(emulator: &Ministack) -> Self {
            let table = emulator::make(emulator, "CalcTable").await.unwrap();
            let endpoint = emulator.endpoint().to_owned();
            let counter = counter(&endpoint, &table);
            Self { counter, endpoint }
        }

        /// The same count, reached by way of another endpoint.
        pub(crate) fn by_way_of(&self, endpoint: &str) -> Count {
            counter(endpoint, &self.counter.table)
        }

        /// The number attributes of an item.
        pub(crate) async fn item(&self, id: &str) -> Option<Numbers> {
            let get = self
                .counter
                .client
                .get_item()
                .table_name(&self.counter.table);
            let output = get.key("id", AttributeValue::S(id.into())).send().await;
            let item = output.unwrap().item?;
            let numbers = item
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_n().ok()?.parse().unwrap())));
            Some(numbers.collect())
        }

        /// The count.
        pub(crate) async fn count(&self) -> u64 {
            let item = self.item(KEY).await;
            item.map_or(0, |item| item["done"])
        }

        /// How many transactions made it.
        pub(crate) async fn transactions(&self) -> u64 {
            let item = self.item(KEY).await;
            item.map_or(0, |item| item["transactions"])
        }

        /// Makes the count something that is no number.
        pub(crate) async fn put_count(&self, count: &str) {
            self.counter
                .client
                .put_item()
                .table_name(&self.counter.table)
                .item("id", AttributeValue::S(KEY.into()))
                .item("done", AttributeValue::S(count.into()))
                .send()
                .await
                .unwrap();
        }
    }

    pub(crate) type Numbers = std::collections::BTreeMap<String, u64>;

    pub(crate) fn counter(endpoint: &str, table: &str) -> Count {
        let config = emulator::config(endpoint).unwrap();
        Count::new(&config, table.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use function_kit::testing::{Answer, GoBetween, SilentBackend, emulator};
    use tokio::{task::JoinSet, time::timeout};

    use super::{
        fixture::{self, EmulatedTable},
        *,
    };

    const TIME: Duration = Duration::from_secs(30);

    fn messages(ids: impl IntoIterator<Item = u64>) -> Vec<Message> {
        let message = |id: u64| Message {
            id: id.to_string(),
            sent_at: None,
        };
        ids.into_iter().map(message).collect()
    }

    fn in_time() -> Instant {
        Instant::now() + TIME
    }

    #[tokio::test]
    async fn messages_are_counted_once_whatever_they_are_delivered_with() {
        let table = EmulatedTable::new().await;
        table.counter.open_connection().await;
        for (ids, count, transactions) in [
            (0..3, 3, 1),
            (0..3, 3, 1),
            (2..5, 5, 2),
            (5..6, 6, 3),
            (0..99, 99, 4),
        ] {
            table.counter.add(messages(ids), in_time()).await.unwrap();
            assert_eq!(table.count().await, count);
            assert_eq!(table.transactions().await, transactions);
        }
    }

    #[tokio::test]
    async fn a_message_says_when_it_was_sent_and_counted_and_is_kept_longer_than_its_queue_can() {
        let table = EmulatedTable::new().await;
        let message = Message {
            id: "a".to_owned(),
            sent_at: Some(1_700_000_000_123),
        };
        let now = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::try_from(now.as_millis()).unwrap()
        };
        let before = now();
        table.counter.add(vec![message], in_time()).await.unwrap();
        let item = table.item("message/a").await.unwrap();
        assert_eq!(item["sent_at"], 1_700_000_000_123);
        assert!((before..=now()).contains(&item["done_at"]), "{item:?}");
        let fourteen_days = 14 * 24 * 60 * 60;
        assert!(item["expires"] > now() / 1000 + fourteen_days, "{item:?}");
    }

    #[tokio::test]
    async fn no_message_is_mistaken_for_the_count() {
        let table = EmulatedTable::new().await;
        let message = Message {
            id: KEY.to_owned(),
            sent_at: None,
        };
        table.counter.add(vec![message], in_time()).await.unwrap();
        assert_eq!(table.count().await, 1);
    }

    #[tokio::test]
    async fn a_count_that_is_no_number_is_refused() {
        let table = EmulatedTable::new().await;
        table.put_count("many").await;
        let error = table.counter.add(messages(0..3), in_time()).await;
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        assert_eq!(table.item("message/0").await, None);
    }

    #[tokio::test]
    async fn no_time_left_is_unavailable() {
        let table = EmulatedTable::new().await;
        let error = table.counter.add(messages(0..3), Instant::now()).await;
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_backend_that_never_answers_is_given_up_when_time_is_up() {
        let silent = SilentBackend::start().unwrap();
        let counter = fixture::counter(&silent.endpoint().unwrap(), "done");
        let until = Instant::now() + Duration::from_millis(300);
        let count = timeout(TIME, counter.add(messages(0..3), until)).await;
        let error = count.expect("given up in time").unwrap_err();
        assert!(matches!(error, Error::Unavailable(None)), "{error:?}");
    }

    #[tokio::test]
    async fn a_backend_that_comes_back_in_time_is_waited_for() {
        let mut emulator = emulator::durable().await.unwrap();
        let table = EmulatedTable::within(&emulator).await;
        table.counter.add(messages(0..1), in_time()).await.unwrap();
        emulator.suspend().await.unwrap();
        let counter = table.by_way_of(&table.endpoint);
        let counting =
            tokio::spawn(
                async move { counter.add(messages(0..3), Instant::now() + TIME * 2).await },
            );
        sleep(Duration::from_millis(500)).await;
        assert!(!counting.is_finished());
        emulator.resume().await.unwrap();
        counting.await.unwrap().unwrap();
        assert_eq!(table.count().await, 3);
    }

    #[tokio::test]
    async fn a_transaction_whose_answer_is_lost_is_done_once() {
        let table = EmulatedTable::new().await;
        // Less, as many as, and more than the attempts of the SDK, which all have one token.
        for lost in [1, 2, 3, 4, 7] {
            let way = GoBetween::start(&table.endpoint, vec![Answer::Lost; lost])
                .await
                .unwrap();
            let counter = table.by_way_of(way.endpoint());
            let before = table.count().await;
            let first = 100 * u64::try_from(lost).unwrap();
            counter
                .add(messages(first..first + 5), in_time())
                .await
                .unwrap();
            assert!(way.requests() > lost, "{lost}");
            assert_eq!(table.count().await, before + 5, "{lost}");
        }
    }

    fn cancelled(codes: [&str; 3]) -> Answer {
        let reasons: Vec<_> = codes
            .iter()
            .map(|code| serde_json::json!({ "Code": code }))
            .collect();
        Answer::Instead(
            400,
            serde_json::json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "Transaction cancelled",
                "CancellationReasons": reasons,
            })
            .to_string(),
        )
    }

    #[tokio::test]
    async fn a_transaction_in_conflict_with_others_is_tried_again() {
        let table = EmulatedTable::new().await;
        let answers = vec![
            cancelled(["None", "None", "TransactionConflict"]),
            cancelled(["None", "TransactionConflict", "None"]),
            cancelled(["ThrottlingError", "None", "ProvisionedThroughputExceeded"]),
        ];
        let way = GoBetween::start(&table.endpoint, answers).await.unwrap();
        let counter = table.by_way_of(way.endpoint());
        counter.add(messages(0..2), in_time()).await.unwrap();
        assert_eq!((way.requests(), table.count().await), (4, 2));
    }

    #[tokio::test]
    async fn a_conflict_that_lasts_is_unavailable() {
        let table = EmulatedTable::new().await;
        let conflict = cancelled(["None", "None", "TransactionConflict"]);
        let way = GoBetween::start(&table.endpoint, vec![conflict; 1000])
            .await
            .unwrap();
        let counter = table.by_way_of(way.endpoint());
        let until = Instant::now() + Duration::from_secs(3);
        let error = counter.add(messages(0..2), until).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(Some(_))), "{error:?}");
        assert!(way.requests() > 1);
        assert_eq!(table.count().await, 0);
    }

    #[tokio::test]
    async fn what_does_not_heal_is_not_tried_again() {
        let table = EmulatedTable::new().await;
        let refused = cancelled(["None", "ValidationError", "TransactionConflict"]);
        let way = GoBetween::start(&table.endpoint, vec![refused])
            .await
            .unwrap();
        let counter = table.by_way_of(way.endpoint());
        let error = counter.add(messages(0..2), in_time()).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
        assert_eq!(way.requests(), 1);
    }

    #[tokio::test]
    async fn messages_in_many_hands_at_the_same_time_are_counted_exactly() {
        let table = EmulatedTable::new().await;
        let mut environments = JoinSet::new();
        for environment in 0..16 {
            let counter = table.by_way_of(&table.endpoint);
            environments.spawn(async move {
                // Each message is in two hands.
                for first in [environment * 20, environment * 20 + 10] {
                    let outcome = counter.add(messages(first..first + 10), in_time()).await;
                    outcome.unwrap();
                }
                let next = (environment + 1) % 16 * 20;
                let outcome = counter.add(messages(next..next + 20), in_time()).await;
                outcome.unwrap();
            });
        }
        environments.join_all().await;
        assert_eq!(table.count().await, 320);
    }
}
