//! A queue, as far as a mapping needs one.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    error::{BuildError, SdkError},
    operation::receive_message::ReceiveMessageError,
    types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName},
};

use super::{BACKOFF, Error, record::Record};
use crate::sqs::describe;

/// The most messages that SQS gives or takes in one call.
pub(super) const MESSAGES_PER_CALL: usize = 10;

#[derive(Debug)]
pub(super) struct Queue {
    sqs: Client,
    pub(super) url: String,
    arn: String,
    region: String,
    /// How long a message that was received is not given to others.
    pub(super) visibility_timeout: Duration,
}

impl Queue {
    /// The queue of this ARN. Fails if there is none.
    pub(super) async fn find(sqs: Client, arn: &str) -> Result<Self, Error> {
        let Some((region, name)) = region_and_name(arn) else {
            return Err(Error::NoArn(arn.to_owned()));
        };
        let unknown = |cause: String| Error::Queue {
            queue: arn.to_owned(),
            cause,
        };
        let found = sqs.get_queue_url().queue_name(name).send().await;
        let url = found
            .map_err(|error| unknown(describe(&error)))?
            .queue_url
            .unwrap_or_default();
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .send()
            .await
            .map_err(|error| unknown(describe(&error)))?;
        let visibility_timeout = attributes
            .attributes()
            .and_then(|attributes| attributes.get(&QueueAttributeName::VisibilityTimeout))
            .and_then(|seconds| seconds.parse().ok())
            .ok_or_else(|| unknown("it has no visibility timeout".to_owned()))?;
        Ok(Self {
            sqs,
            url,
            arn: arn.to_owned(),
            region: region.to_owned(),
            visibility_timeout: Duration::from_secs(visibility_timeout),
        })
    }

    /// Messages of the queue, `at_most` so many. If there is none, the first that comes within `wait` (whole seconds) is
    /// waited for.
    pub(super) async fn receive(
        &self,
        at_most: usize,
        wait: Duration,
    ) -> Result<Vec<Record>, SdkError<ReceiveMessageError>> {
        let at_most = at_most.min(MESSAGES_PER_CALL);
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(at_most).unwrap_or(1))
            .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap_or(0))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        Ok(received
            .messages()
            .iter()
            .map(|message| Record::new(message, &self.arn, &self.region))
            .collect())
    }

    /// Deletes records, as many as one call takes. Tried again until `until`, when they are visible to others again: how
    /// many have been deleted, and how many calls it took.
    pub(super) async fn delete(&self, records: &[&Record], until: Instant) -> (usize, u64) {
        let mut backoff = BACKOFF;
        let mut calls = 0;
        loop {
            calls += 1;
            let error = match self.try_delete(records).await {
                Ok(deleted) => return (deleted, calls),
                Err(error) => error,
            };
            let pause = backoff.pause();
            if Instant::now() + pause >= until {
                tracing::warn!(
                    queue = self.arn,
                    error,
                    "records could not be deleted: they will come again"
                );
                return (0, calls);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_delete(&self, records: &[&Record]) -> Result<usize, String> {
        let entries = records.iter().enumerate().map(|(index, record)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&record.receipt_handle)
                .build()
        });
        let entries: Result<Vec<_>, BuildError> = entries.collect();
        let deleted = self
            .sqs
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.map_err(|error| error.to_string())?))
            .send()
            .await
            .map_err(|error| describe(&error))?;
        for failed in deleted.failed() {
            // Its visibility timeout is over, most likely.
            tracing::warn!(
                queue = self.arn,
                code = failed.code(),
                "a record could not be deleted: it will come again"
            );
        }
        Ok(deleted.successful().len())
    }
}

/// `arn:aws:sqs:REGION:ACCOUNT:NAME`
fn region_and_name(arn: &str) -> Option<(&str, &str)> {
    match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "sqs", region, _, name] => Some((region, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_name_are_in_the_arn() {
        assert_eq!(
            region_and_name("arn:aws:sqs:eu-west-2:123456789012:calc"),
            Some(("eu-west-2", "calc"))
        );
        assert_eq!(
            region_and_name("arn:aws:sns:eu-west-2:123456789012:calc"),
            None
        );
        assert_eq!(region_and_name("calc"), None);
    }
}
