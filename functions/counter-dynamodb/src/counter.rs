//! The counter: one item, one atomic write a hit.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue},
};
use function_kit::{
    aws::{self, SdkConfig},
    connection,
};
use tokio::time::timeout;

/// The item's only attribute besides its key.
const HITS: &str = "hits";

/// The counter in item `id` = 0 of a table.
#[derive(Debug)]
pub(crate) struct Counter {
    client: Client,
    table: String,
}

/// Why a hit got no number. It may have been counted all the same: DynamoDB may have written it and the answer got lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Heals by itself.
    #[error("DynamoDB is unavailable")]
    Unavailable(#[source] Option<Box<SdkError<UpdateItemError>>>),
    /// Does not heal by itself.
    #[error("DynamoDB refused the update")]
    Refused(#[source] Box<SdkError<UpdateItemError>>),
    /// The answer was not what an update of a number returns.
    #[error("the updated item has no whole number of hits")]
    NotANumber,
}

impl Counter {
    pub(crate) fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    /// Opens the connection to DynamoDB by reading the item: half a read request unit a cold start.
    pub(crate) async fn open_connection(&self) {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::N("0".into()));
        let _ = connection::open(get.send()).await;
    }

    /// Counts a hit, and returns the count after it.
    ///
    /// A number is never returned twice, and the count is never below the numbers returned. It can be above them: when an
    /// answer of DynamoDB is lost or too late the SDK sends the update again, and the first one may have been counted.
    pub(crate) async fn hit(&self, time_left: Duration) -> Result<u64, Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::N("0".into()))
            .update_expression("ADD hits :one")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .return_values(ReturnValue::UpdatedNew)
            .send();
        let output = match timeout(time_left, update).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) if aws::is_transient(&error) => {
                return Err(Error::Unavailable(Some(Box::new(error))));
            }
            Ok(Err(error)) => return Err(Error::Refused(Box::new(error))),
            Err(_) => return Err(Error::Unavailable(None)),
        };
        output
            .attributes()
            .and_then(|attributes| attributes.get(HITS)?.as_n().ok()?.parse().ok())
            .ok_or(Error::NotANumber)
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! The template's table, one for each test.

    use function_kit::testing::emulator::{self, Ministack};

    use super::*;

    pub(crate) struct EmulatedTable {
        pub(crate) counter: Counter,
        pub(crate) endpoint: String,
    }

    impl EmulatedTable {
        /// In the emulator that the tests share.
        pub(crate) async fn new() -> Self {
            Self::within(emulator::shared().await.unwrap()).await
        }

        pub(crate) async fn within(emulator: &Ministack) -> Self {
            let table = emulator::make(emulator, "Table").await.unwrap();
            let endpoint = emulator.endpoint().to_owned();
            let counter = counter(&endpoint, &table);
            Self { counter, endpoint }
        }

        /// A counter of another execution environment.
        pub(crate) fn another(&self) -> Counter {
            counter(&self.endpoint, &self.counter.table)
        }

        /// Makes the count something that is no number.
        pub(crate) async fn put(&self, hits: &str) {
            self.counter
                .client
                .put_item()
                .table_name(&self.counter.table)
                .item("id", AttributeValue::N("0".into()))
                .item(HITS, AttributeValue::S(hits.into()))
                .send()
                .await
                .unwrap();
        }
    }

    pub(crate) fn counter(endpoint: &str, table: &str) -> Counter {
        let config = emulator::config(endpoint).unwrap();
        Counter::new(&config, table.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use function_kit::testing::SilentBackend;

    use super::{
        fixture::{self, EmulatedTable},
        *,
    };

    const TIME: Duration = Duration::from_millis(4500);

    #[tokio::test]
    async fn hits_are_counted_from_one() {
        let table = EmulatedTable::new().await;
        table.counter.open_connection().await;
        for expected in 1..=3 {
            assert_eq!(table.counter.hit(TIME).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn hits_at_the_same_time_are_counted_exactly() {
        let table = EmulatedTable::new().await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let counter = Arc::new(table.another());
            tasks.spawn(async move {
                let mut hits = Vec::new();
                for _ in 0..10 {
                    hits.push(counter.hit(TIME).await.unwrap());
                }
                hits
            });
        }
        let hits: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
        let expected: BTreeSet<u64> = (1..=640).collect();
        assert_eq!(hits.len(), 640);
        assert_eq!(hits.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[tokio::test]
    async fn a_count_that_is_no_number_is_refused() {
        let table = EmulatedTable::new().await;
        table.put("many").await;
        let error = table.counter.hit(TIME).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
    }

    #[tokio::test]
    async fn no_time_left_is_unavailable() {
        let table = EmulatedTable::new().await;
        let error = table.counter.hit(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(None)), "{error:?}");
    }

    #[tokio::test]
    async fn a_backend_that_never_answers_is_given_up_when_time_is_up() {
        let silent = SilentBackend::start().unwrap();
        let counter = fixture::counter(&silent.endpoint().unwrap(), "counter");
        let time = Duration::from_millis(300);
        let hit = timeout(TIME, counter.hit(time)).await;
        let error = hit.expect("given up in time").unwrap_err();
        assert!(matches!(error, Error::Unavailable(None)), "{error:?}");
    }
}
