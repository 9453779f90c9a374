//! A stack changes with the template and its packages, and with nothing else; and it goes without a trace.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use local_stack::ServedFunction;

use crate::{
    account::{Account, CLOUDFORMATION, Inventory, texts},
    combinations::Combination,
    deployed::{Deployed, STACK},
    log::say,
    project::Project,
    sam::Sam,
};

/// What `sam deploy` makes for an account's packages and keeps: a stack and its bucket.
const SAMS_OWN: &str = "aws-sam-cli-managed-default";

/// Types of what belongs to a resource of another type, and goes with it.
const PARTS: [&str; 9] = [
    "AWS::ApiGatewayV2::Stage",
    "AWS::EC2::Route",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::S3::BucketPolicy",
];

/// A second deployment changes nothing.
pub(crate) async fn second_deployment(
    account: &Account,
    sam: &Sam,
    project: &Project,
    combination: &Combination,
) -> anyhow::Result<()> {
    let before = fingerprint(account, combination).await?;
    let printed = sam
        .deploy(project.directory(), &combination.parameters)
        .await?;
    ensure!(
        printed.contains("No changes to deploy"),
        "a second deployment has changes to deploy:\n{printed}"
    );
    let after = fingerprint(account, combination).await?;
    ensure!(
        before == after,
        "a second deployment changes {before:?} into {after:?}"
    );
    say!("a second deployment changes nothing");
    Ok(())
}

/// A changed package changes its function and no other.
pub(crate) async fn changed_function(
    account: &Account,
    sam: &Sam,
    project: &Project,
    combination: &Combination,
    function: &ServedFunction,
) -> anyhow::Result<()> {
    let before = Deployed::read(account, &combination.conditions).await?;
    project.change(function)?;
    sam.deploy(project.directory(), &combination.parameters)
        .await?;
    let after = Deployed::read(account, &combination.conditions).await?;
    let (before, after) = (packages(&before), packages(&after));
    for (id, package) in &before {
        let changes = after.get(id) != Some(package);
        let must_change = *id == function.logical_id;
        ensure!(
            changes == must_change,
            "with a changed package of {}, {id} {}",
            function.logical_id,
            if changes { "changes too" } else { "stays" }
        );
    }
    ensure!(
        before.len() == after.len(),
        "with a changed package, a function comes or goes"
    );
    say!(
        "a changed package of {} changes it and nothing else",
        function.name
    );
    Ok(())
}

/// `sam delete` leaves what was there before.
pub(crate) async fn deletion(
    account: &Account,
    sam: &Sam,
    project: &Project,
    deployed: &Deployed,
    before: &Inventory,
) -> anyhow::Result<()> {
    for resource in &deployed.resources {
        let kind = resource.kind.as_str();
        ensure!(
            before.contains_key(kind) || PARTS.contains(&kind),
            "nobody looks for resources of type {kind} after sam delete"
        );
    }
    sam.delete(project.directory()).await?;
    let mut after = account.inventory().await?;
    for names in after.values_mut() {
        names.retain(|name| !name.starts_with(SAMS_OWN));
    }
    for (kind, names) in &after {
        let left: Vec<_> = names.difference(&before[kind]).collect();
        ensure!(left.is_empty(), "sam delete leaves {kind} {left:?}");
    }
    ensure!(after == *before, "sam delete takes more than the stack");
    let kinds: Vec<_> = after.keys().copied().collect();
    say!("sam delete leaves nothing of {}", kinds.join(", "));
    Ok(())
}

/// What would be different after an update: the time of the last one, and each function's revision.
async fn fingerprint(
    account: &Account,
    combination: &Combination,
) -> anyhow::Result<(Vec<String>, BTreeMap<String, String>)> {
    let stack = account
        .query(CLOUDFORMATION, "DescribeStacks", &[("StackName", STACK)])
        .await?;
    let deployed = Deployed::read(account, &combination.conditions).await?;
    let revisions = deployed.functions.iter().map(|function| {
        let revision = function.configuration["RevisionId"].as_str();
        let revision = revision.context("a function has a revision")?;
        Ok((function.logical_id.clone(), revision.to_owned()))
    });
    Ok((
        texts(&stack, "LastUpdatedTime")?,
        revisions.collect::<anyhow::Result<_>>()?,
    ))
}

/// The hash of each function's package.
fn packages(deployed: &Deployed) -> BTreeMap<String, String> {
    deployed
        .functions
        .iter()
        .map(|function| {
            let hash = &function.configuration["CodeSha256"];
            (function.logical_id.clone(), hash.to_string())
        })
        .collect()
}
