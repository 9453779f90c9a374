//! An HTTP API's integrations with AWS services are not run.

use anyhow::{Context as _, bail, ensure};
use backends::ministack::{ACCOUNT_ID, REGION};
use http::Method;
use serde_json::json;

use super::Gap;
use crate::{
    account::{APIS, Account},
    checks::roles::Policies,
    deployed::{Deployed, DeployedRoute, Target},
    log::say,
};

pub(super) const GAP: Gap = Gap {
    lacks: "an HTTP API's integrations with AWS services are not run",
    instead: "their roles are looked at, and messages are sent to the queue directly",
};

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let api = json!({ "name": "gap", "protocolType": "HTTP" });
    let api = account.rest(Method::POST, APIS, Some(api)).await?;
    let api = api["apiId"].as_str().context("an API has an id")?;
    let integration = json!({
        "integrationType": "AWS_PROXY",
        "integrationSubtype": "SQS-SendMessage",
        "payloadFormatVersion": "1.0",
        "credentialsArn": format!("arn:aws:iam::{ACCOUNT_ID}:role/gap"),
        "requestParameters": { "QueueUrl": "http://127.0.0.1/", "MessageBody": "$request.body" },
    });
    let path = format!("{APIS}/{api}/integrations");
    let made = account.rest(Method::POST, &path, Some(integration)).await?;
    Ok(made.get("integrationSubtype").is_none())
}

/// Each integration may do what it has to, and API Gateway may use its role.
pub(crate) async fn may_be_used(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for route in deployed.routes()? {
        match &route.target {
            Target::Function(_) | Target::Http => {}
            Target::Service(subtype) if subtype == "SQS-SendMessage" => {
                send_message(account, deployed, &route).await?;
            }
            Target::Service(subtype) => bail!(
                "{}: the integration {subtype} is not covered by the deploy test",
                route.key
            ),
        }
    }
    Ok(())
}

async fn send_message(
    account: &Account,
    deployed: &Deployed,
    DeployedRoute {
        key, integration, ..
    }: &DeployedRoute,
) -> anyhow::Result<()> {
    let queue = integration["requestParameters"]["QueueUrl"]["Ref"]
        .as_str()
        .with_context(|| format!("{key} sends to a queue of the stack"))?;
    let url = deployed.physical_id(queue)?;
    let name = url.rsplit('/').next().unwrap_or_default();
    let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}");
    let role = integration["credentials"]["Fn::GetAtt"][0]
        .as_str()
        .with_context(|| format!("{key} has a role of the stack"))?;
    let trust = &deployed.properties(role)["AssumeRolePolicyDocument"];
    ensure!(
        trust.to_string().contains("\"apigateway.amazonaws.com\""),
        "{key}: API Gateway may not use {role}"
    );
    let policies = Policies::of(account, deployed.physical_id(role)?).await?;
    ensure!(
        policies.allow("sqs:SendMessage", &arn),
        "{key}: {role} does not allow sqs:SendMessage on {arn}"
    );
    say!("{key} may send to {queue}");
    Ok(())
}
