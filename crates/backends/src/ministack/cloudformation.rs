//! The emulator's CloudFormation: makes the resources of a template, with the template's own properties.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use roxmltree::{Document, Node};

use super::Ministack;
use crate::Error;

/// How long a stack may take. Tables and buckets take milliseconds here.
const LIMIT: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl Ministack {
    /// Creates a stack of this CloudFormation template and waits until it is complete: its outputs.
    ///
    /// Fails with the status reason of the resource that could not be made.
    pub async fn deploy(
        &self,
        stack: &str,
        template: &serde_json::Value,
    ) -> Result<BTreeMap<String, String>, Error> {
        self.create(stack, &template.to_string())
            .await
            .map_err(|reason| Error::Deploy {
                stack: stack.to_owned(),
                reason,
            })
    }

    async fn create(
        &self,
        stack: &str,
        template: &str,
    ) -> Result<BTreeMap<String, String>, String> {
        let parameters = [
            ("StackName", stack),
            ("TemplateBody", template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        self.call("CreateStack", &parameters).await?;
        let since = Instant::now();
        loop {
            let answer = self.call("DescribeStacks", &[("StackName", stack)]).await?;
            let document = parse(&answer)?;
            let status = text(document.root(), "StackStatus");
            match status {
                "CREATE_COMPLETE" => return Ok(outputs(&document)),
                "CREATE_IN_PROGRESS" | "ROLLBACK_IN_PROGRESS" if since.elapsed() < LIMIT => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                _ => {
                    return Err(self
                        .reason(stack)
                        .await?
                        .unwrap_or_else(|| status.to_owned()));
                }
            }
        }
    }

    /// Why the first resource that failed did so.
    async fn reason(&self, stack: &str) -> Result<Option<String>, String> {
        let answer = self
            .call("DescribeStackEvents", &[("StackName", stack)])
            .await?;
        let document = parse(&answer)?;
        // The newest event comes first.
        let failed = document
            .descendants()
            .filter(|node| node.has_tag_name("member"))
            .rfind(|event| text(*event, "ResourceStatus") == "CREATE_FAILED");
        Ok(failed.map(|event| {
            format!(
                "{}: {}",
                text(event, "LogicalResourceId"),
                text(event, "ResourceStatusReason")
            )
        }))
    }

    async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let head = [("Action", action), ("Version", "2010-05-15")];
        let parameters = [&head, parameters].concat();
        let answer = self
            .query("cloudformation", &parameters)
            .await
            .map_err(|error| error.to_string())?;
        let success = answer.status().is_success();
        let body = answer.into_body();
        if success {
            return Ok(body);
        }
        let message = parse(&body)
            .map(|document| text(document.root(), "Message").to_owned())
            .unwrap_or_default();
        Err(match message.is_empty() {
            true => body,
            false => message,
        })
    }
}

fn parse(xml: &str) -> Result<Document<'_>, String> {
    Document::parse(xml).map_err(|error| format!("ministack's answer is not XML: {error}"))
}

fn outputs(document: &Document<'_>) -> BTreeMap<String, String> {
    document
        .descendants()
        .filter(|node| node.has_tag_name("OutputKey"))
        .filter_map(|key| {
            let output = key.parent()?;
            Some((
                key.text()?.to_owned(),
                text(output, "OutputValue").to_owned(),
            ))
        })
        .collect()
}

/// The text of the first element of this name below `node`, or nothing.
fn text<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.descendants()
        .find(|node| node.has_tag_name(name))
        .and_then(|node| node.text())
        .unwrap_or_default()
}
