//! Everybody can read the bucket that the HTTP API fetches the page from, as it does without credentials, and no other bucket.
//!
//! The routes themselves are only looked at: the emulator puts the request's path behind the URL, which API Gateway does not.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use http::Method;
use serde_json::Value;

use crate::{
    account::Account,
    deployed::{Deployed, Target},
    log::say,
};

pub(crate) async fn check(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    let mut fetched_from = BTreeSet::new();
    for route in deployed.routes()? {
        if route.target == Target::Http {
            let bucket = bucket(&route.integration)
                .with_context(|| format!("{} leads to no bucket of the stack", route.key))?;
            fetched_from.insert(bucket.to_owned());
            say!("{} leads to {bucket}", route.key);
        }
    }
    for bucket in deployed.of_kind("AWS::S3::Bucket") {
        let id = &bucket.logical_id;
        let wanted = fetched_from.contains(id);
        let blocked = &deployed.properties(id)["PublicAccessBlockConfiguration"];
        let blocked = ["BlockPublicPolicy", "RestrictPublicBuckets"].map(|name| &blocked[name]);
        ensure!(
            blocked
                .iter()
                .all(|blocks| blocks.as_bool() == Some(!wanted)),
            "{id}: the block of public policies is not what it should be: {blocked:?}"
        );
        // Without a policy it is an error.
        let path = format!("/{}?policy", bucket.physical_id);
        let policy = account.s3(Method::GET, &path).await;
        let readable = policy.is_ok_and(|policy| lets_all_read(&policy));
        ensure!(
            readable == wanted,
            "{id}: readable by everybody is {readable}, not {wanted}"
        );
    }
    Ok(())
}

/// The bucket of the stack that an integration gets its answers from.
fn bucket(integration: &Value) -> Option<&str> {
    let uri = integration["uri"]["Fn::Sub"].as_str()?;
    let rest = uri.strip_prefix("https://${")?;
    Some(rest.split_once(".RegionalDomainName}/")?.0)
}

fn lets_all_read(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let mut statements = policy["Statement"].as_array().into_iter().flatten();
    statements.any(|it| {
        it["Effect"] == "Allow" && it["Principal"] == "*" && it["Action"] == "s3:GetObject"
    })
}
