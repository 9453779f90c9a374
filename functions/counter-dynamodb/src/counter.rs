//! The counter: one item, one atomic write a hit.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue},
};
use function_kit::aws;
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
    /// Needs mending.
    #[error("DynamoDB refused the update")]
    Refused(#[source] Box<SdkError<UpdateItemError>>),
    /// The answer was not what an update of a number returns.
    #[error("the updated item has no whole number of hits")]
    NotANumber,
}

impl Counter {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Opens the connection to DynamoDB.
    pub(crate) async fn open_connection(&self) {
        let _ = self.client.describe_endpoints().send().await;
    }

    /// Counts a hit, and returns the count after it.
    ///
    /// A number is never returned twice, and the count is never below the numbers returned. It can be above them: when an
    /// answer of DynamoDB is lost the SDK sends the update again, and the lost one may have been counted.
    pub(crate) async fn hit(&self, time_left: Duration) -> Result<u64, Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::N("0".into()))
            .update_expression("ADD #hits :one")
            .expression_attribute_names("#hits", HITS)
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
