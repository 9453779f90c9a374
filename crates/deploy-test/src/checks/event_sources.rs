//! Every event source runs end to end: what comes in there reaches its function and has its effect.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use local_stack::ServedFunction;
use serde_json::{Value, json};

use crate::{
    account::{Account, SQS},
    checks::roles::{Policies, role_of},
    deployed::{Deployed, entries},
    fixtures, say,
};

/// What `Type` can be of a function's event, and where it is covered: routes in [`routes`](super::routes), mappings here.
const COVERED: [&str; 2] = ["HttpApi", "SQS"];

/// "Lambda needs these permissions to manage messages in your Amazon SQS queue" (Lambda developer guide, "Creating and
/// configuring an Amazon SQS event source mapping"). The emulator takes messages without asking.
const OF_A_QUEUE: [&str; 3] = [
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// The visibility timeout while a queue is tried, in seconds: a failed message is to come back soon.
const VISIBILITY_TIMEOUT: &str = "3";

/// How long a queue may take, with all deliveries of a message that fails.
const LIMIT: Duration = Duration::from_secs(180);

const POLL_INTERVAL: Duration = Duration::from_millis(200);

pub(crate) async fn check(
    account: &Account,
    deployed: &Deployed,
    functions: &[ServedFunction],
    root: &Path,
) -> anyhow::Result<()> {
    every_type_is_covered(&local_stack::to_json(&root.join("template.yaml"))?)?;
    for mapping in account.event_source_mappings().await? {
        let source = mapping["EventSourceArn"].as_str().unwrap_or_default();
        let service = source.split(':').nth(2).unwrap_or_default();
        match service {
            "sqs" => queue(account, deployed, functions, root, &mapping, source).await?,
            _ => bail!("event source {source} is not covered by the deploy test"),
        }
    }
    Ok(())
}

fn every_type_is_covered(template: &Value) -> anyhow::Result<()> {
    for (id, resource) in entries(&template["Resources"]) {
        for (name, event) in entries(&resource["Properties"]["Events"]) {
            let kind = event["Type"].as_str().unwrap_or_default();
            ensure!(
                COVERED.contains(&kind),
                "event source type {kind} ({id}, {name}) is not covered by the deploy test"
            );
        }
    }
    Ok(())
}

/// Messages that the function takes, by its own answer, are deleted. The others come back until they are given up: to the
/// dead-letter queue, where there is one.
async fn queue(
    account: &Account,
    deployed: &Deployed,
    functions: &[ServedFunction],
    root: &Path,
    mapping: &Value,
    source: &str,
) -> anyhow::Result<()> {
    ensure!(
        !source.ends_with(".fifo"),
        "FIFO queue {source} is not covered by the deploy test"
    );
    let arn = mapping["FunctionArn"].as_str().unwrap_or_default();
    let function = deployed
        .functions
        .iter()
        .find(|function| arn.ends_with(&format!(":function:{}", function.physical_id)))
        .with_context(|| format!("{source} leads to {arn}, which is not the stack's"))?;
    let policies = Policies::of(account, role_of(&function.configuration)?).await?;
    for action in OF_A_QUEUE {
        ensure!(
            policies.allow(action, source),
            "the role of {} does not allow {action} on {source}",
            function.logical_id
        );
    }

    let name = &functions
        .iter()
        .find(|served| served.logical_id == function.logical_id)
        .with_context(|| format!("{} is no function of the template", function.logical_id))?
        .name;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for fixture in fixtures::of(root, name)? {
        let answer = account
            .invoke(&function.physical_id, &fixture.event)
            .await?;
        let failed = answer.failed_records();
        for record in fixture.event["Records"].as_array().into_iter().flatten() {
            let body = record["body"].as_str().unwrap_or_default().to_owned();
            // Some recorded messages can't come from this queue: SQS takes no empty one, and only a FIFO queue has groups.
            if body.is_empty() || !record["attributes"]["MessageGroupId"].is_null() {
                continue;
            }
            match failed.contains(record["messageId"].as_str().unwrap_or_default()) {
                true => refused.push(body),
                false => taken.push(body),
            }
        }
    }
    ensure!(
        !taken.is_empty(),
        "{name} has no event with a message that it takes"
    );

    let queue = Queue::named(account, source).await?;
    let attributes = queue.attributes().await?;
    let visibility_timeout = attributes["VisibilityTimeout"].as_str().unwrap_or("30");
    let dead_letters = match attributes["RedrivePolicy"].as_str() {
        Some(policy) => {
            let policy: Value = serde_json::from_str(policy)?;
            let arn = policy["deadLetterTargetArn"].as_str().unwrap_or_default();
            Some(Queue::named(account, arn).await?)
        }
        None => None,
    };
    queue.set_visibility_timeout(VISIBILITY_TIMEOUT).await?;
    for body in taken.iter().chain(&refused) {
        queue.send(body).await?;
    }
    match &dead_letters {
        Some(dead_letters) => {
            queue.until_it_holds(0).await?;
            dead_letters.until_it_holds(refused.len()).await?;
            let mut given_up = dead_letters.drain(refused.len()).await?;
            given_up.sort();
            let mut expected = refused.clone();
            expected.sort();
            ensure!(
                given_up == expected,
                "in the dead-letter queue of {source}: {given_up:?} instead of {expected:?}"
            );
        }
        None => queue.until_it_holds(refused.len()).await?,
    }
    queue.set_visibility_timeout(visibility_timeout).await?;
    say!(
        "{source} leads to {name}: {} messages taken, {} {}",
        taken.len(),
        refused.len(),
        match dead_letters {
            Some(_) => "given up, into the dead-letter queue",
            None => "kept",
        }
    );
    Ok(())
}

struct Queue<'a> {
    account: &'a Account,
    url: String,
}

impl<'a> Queue<'a> {
    async fn named(account: &'a Account, arn: &str) -> anyhow::Result<Self> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        let found = account
            .json(SQS, "GetQueueUrl", json!({ "QueueName": name }))
            .await?;
        let url = found["QueueUrl"].as_str().unwrap_or_default().to_owned();
        Ok(Self { account, url })
    }

    async fn call(&self, operation: &str, mut input: Value) -> anyhow::Result<Value> {
        input["QueueUrl"] = self.url.as_str().into();
        self.account.json(SQS, operation, input).await
    }

    async fn attributes(&self) -> anyhow::Result<Value> {
        let all = json!({ "AttributeNames": ["All"] });
        let answer = self.call("GetQueueAttributes", all).await?;
        Ok(answer["Attributes"].clone())
    }

    async fn set_visibility_timeout(&self, seconds: &str) -> anyhow::Result<()> {
        let attributes = json!({ "Attributes": { "VisibilityTimeout": seconds } });
        self.call("SetQueueAttributes", attributes).await?;
        Ok(())
    }

    async fn send(&self, body: &str) -> anyhow::Result<()> {
        self.call("SendMessage", json!({ "MessageBody": body }))
            .await?;
        Ok(())
    }

    /// Waits until it holds this many messages, seen or unseen.
    async fn until_it_holds(&self, count: usize) -> anyhow::Result<()> {
        let since = Instant::now();
        loop {
            let attributes = self.attributes().await?;
            let held: usize = [
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ]
            .iter()
            .filter_map(|name| attributes[name].as_str()?.parse::<usize>().ok())
            .sum();
            if held == count {
                return Ok(());
            }
            ensure!(
                since.elapsed() < LIMIT,
                "{} holds {held} messages instead of {count}",
                self.url
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Takes this many messages out: their bodies.
    async fn drain(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let since = Instant::now();
        let mut bodies = Vec::new();
        while bodies.len() < count && since.elapsed() < LIMIT {
            let some = json!({ "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
            let received = self.call("ReceiveMessage", some).await?;
            for message in received["Messages"].as_array().into_iter().flatten() {
                bodies.push(message["Body"].as_str().unwrap_or_default().to_owned());
                let receipt = json!({ "ReceiptHandle": message["ReceiptHandle"] });
                self.call("DeleteMessage", receipt).await?;
            }
        }
        Ok(bodies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_source_that_is_not_covered_is_named() {
        let template = |kind: &str| {
            let events = json!({ "Nightly": { "Type": kind } });
            json!({ "Resources": { "One": { "Properties": { "Events": events } } } })
        };
        every_type_is_covered(&template("SQS")).unwrap();
        assert_eq!(
            every_type_is_covered(&template("Schedule"))
                .unwrap_err()
                .to_string(),
            "event source type Schedule (One, Nightly) is not covered by the deploy test"
        );
    }
}
