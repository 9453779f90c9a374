//! A bucket goes with its stack even if there is something in it. On AWS the deletion fails.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{Gap, made};
use crate::{
    account::{Account, CLOUDFORMATION},
    deployed::Deployed,
};

pub(super) const GAP: Gap = Gap {
    lacks: "a bucket goes with its stack, full or empty",
    instead: "buckets are emptied before, as AWS demands, and nothing shows that they must be",
};

const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let stack = [("StackName", "gap-bucket")];
    let bucket = made(account, "gap-bucket", "AWS::S3::Bucket", json!({})).await?;
    account
        .s3(Method::PUT, &format!("/{bucket}/object"))
        .await?;
    account.query(CLOUDFORMATION, "DeleteStack", &stack).await?;
    loop {
        // A stack that is gone is not found by its name.
        let described = account.query(CLOUDFORMATION, "DescribeStacks", &stack);
        match described.await {
            Err(_) => return Ok(true),
            Ok(stack) if stack.contains("DELETE_FAILED") => return Ok(false),
            Ok(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Empties the stack's buckets.
pub(crate) async fn empty(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for bucket in deployed.of_kind("AWS::S3::Bucket") {
        let bucket = &bucket.physical_id;
        for object in account.objects(bucket).await? {
            let path = format!("/{bucket}/{object}");
            account.s3(Method::DELETE, &path).await?;
        }
    }
    Ok(())
}
