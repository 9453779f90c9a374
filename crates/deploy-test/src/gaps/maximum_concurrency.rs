//! The maximum concurrency of an event source mapping stays the text that a parameter is, and then no queue is polled.

use anyhow::Context as _;
use backends::ministack::{ACCOUNT_ID, REGION};
use http::Method;
use serde_json::json;

use super::{Gap, made};
use crate::account::{Account, EVENT_SOURCE_MAPPINGS};

pub(super) const GAP: Gap = Gap {
    lacks: "with a parameter for its maximum concurrency, an event source mapping does not work",
    instead: "the number is set through Lambda's own API",
};

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let properties = json!({
        "EventSourceArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:gap"),
        "FunctionName": "gap",
        "ScalingConfig": { "MaximumConcurrency": "7" },
    });
    let kind = "AWS::Lambda::EventSourceMapping";
    let id = made(account, "gap-mapping", kind, properties).await?;
    let mapping = account
        .get(&format!("{EVENT_SOURCE_MAPPINGS}/{id}"))
        .await?;
    Ok(mapping["ScalingConfig"]["MaximumConcurrency"] != 7)
}

/// Sets it once more, as the number that the text is.
pub(crate) async fn set(account: &Account) -> anyhow::Result<()> {
    for mapping in account.event_source_mappings().await? {
        let Some(text) = mapping["ScalingConfig"]["MaximumConcurrency"].as_str() else {
            continue;
        };
        let number: u32 = text.parse().context("a maximum concurrency is a number")?;
        let id = mapping["UUID"].as_str().context("a mapping has an id")?;
        let scaling = json!({ "ScalingConfig": { "MaximumConcurrency": number } });
        let path = format!("{EVENT_SOURCE_MAPPINGS}/{id}");
        account.rest(Method::PUT, &path, Some(scaling)).await?;
    }
    Ok(())
}
