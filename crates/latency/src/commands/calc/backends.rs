//! What the table and the queue of a stack say.

use std::time::Duration;

use anyhow::Context as _;
use backends::ministack::Ministack;
use http::Request;
use load::Latencies;
use serde_json::{Value, json};

/// The emulated table and queue.
pub(super) struct Backends<'a> {
    pub(super) ministack: &'a Ministack,
    pub(super) table: &'a str,
    pub(super) queue_url: &'a str,
}

/// How many messages a queue has: those that can be received, and those that were and are not deleted.
const DEPTHS: [&str; 2] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
];

/// The item with the count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Messages that are counted.
    pub(super) done: u64,
    /// The transactions that counted them.
    pub(super) transactions: u64,
}

/// What the items of the messages say.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// From when SQS took a message to when the transaction that counted it was sent; in whole milliseconds.
    pub(super) queue_to_done: Latencies,
    /// The last of them was done, in milliseconds since 1970.
    pub(super) last_done_at: u64,
}

impl Backends<'_> {
    pub(super) async fn count(&self) -> anyhow::Result<Count> {
        let item = json!({
            "TableName": self.table,
            "Key": { "id": { "S": "done" } },
            "ConsistentRead": true,
        });
        let answer = self
            .call("dynamodb", "DynamoDB_20120810.GetItem", item)
            .await?;
        let number = |name| number(&answer["Item"], name).unwrap_or_default();
        Ok(Count {
            done: number("done"),
            transactions: number("transactions"),
        })
    }

    /// The messages that are counted.
    pub(super) async fn messages(&self) -> anyhow::Result<Messages> {
        let mut messages = Messages::default();
        let mut page = json!({ "TableName": self.table, "ConsistentRead": true });
        loop {
            let answer = self
                .call("dynamodb", "DynamoDB_20120810.Scan", page.clone())
                .await?;
            for item in answer["Items"].as_array().into_iter().flatten() {
                let times = number(item, "sent_at").zip(number(item, "done_at"));
                if let Some((sent_at, done_at)) = times {
                    let latency = Duration::from_millis(done_at.saturating_sub(sent_at));
                    messages.queue_to_done.record(latency);
                    messages.last_done_at = messages.last_done_at.max(done_at);
                }
            }
            match &answer["LastEvaluatedKey"] {
                Value::Null => return Ok(messages),
                last => page["ExclusiveStartKey"] = last.clone(),
            }
        }
    }

    /// Messages that are in the queue.
    pub(super) async fn left(&self) -> anyhow::Result<u64> {
        self.depth(self.queue_url).await
    }

    /// Messages in the dead-letter queue that the queue's redrive policy names; none without one.
    pub(super) async fn dead(&self) -> anyhow::Result<u64> {
        let attributes = self.attributes(self.queue_url, &["RedrivePolicy"]).await?;
        let policy = attributes["RedrivePolicy"].as_str().unwrap_or("{}");
        let policy: Value = serde_json::from_str(policy).context("a redrive policy is no JSON")?;
        let Some(arn) = policy["deadLetterTargetArn"].as_str() else {
            return Ok(0);
        };
        let name = arn.rsplit(':').next().unwrap_or(arn);
        let asked = json!({ "QueueName": name });
        let answer = self.call("sqs", "AmazonSQS.GetQueueUrl", asked).await?;
        let url = answer["QueueUrl"].as_str();
        self.depth(url.with_context(|| format!("queue {name} has no URL"))?)
            .await
    }

    async fn depth(&self, queue_url: &str) -> anyhow::Result<u64> {
        let attributes = self.attributes(queue_url, &DEPTHS).await?;
        let depth = |name| attributes[name].as_str()?.parse::<u64>().ok();
        DEPTHS
            .into_iter()
            .map(|name| depth(name).with_context(|| format!("{queue_url} has no {name}")))
            .sum()
    }

    async fn attributes(&self, queue_url: &str, names: &[&str]) -> anyhow::Result<Value> {
        let asked = json!({ "QueueUrl": queue_url, "AttributeNames": names });
        let mut answer = self
            .call("sqs", "AmazonSQS.GetQueueAttributes", asked)
            .await?;
        Ok(answer["Attributes"].take())
    }

    async fn call(&self, service: &str, target: &str, body: Value) -> anyhow::Result<Value> {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target);
        let answer = self
            .ministack
            .request(service, request, body.to_string())
            .await?;
        anyhow::ensure!(
            answer.status().is_success(),
            "{target} failed: {}",
            answer.body()
        );
        serde_json::from_str(answer.body()).with_context(|| format!("{target} answered no JSON"))
    }
}

/// A number attribute of an item in DynamoDB's JSON.
fn number(item: &Value, name: &str) -> Option<u64> {
    item[name]["N"].as_str()?.parse().ok()
}
