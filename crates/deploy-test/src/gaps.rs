//! What the emulator lacks of what AWS has and the template needs, each with what is done instead. When one is closed, its
//! workaround has to go: [`still_there`] fails.

use anyhow::{Context as _, bail, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::{
    account::{APIS, Account, CLOUDFORMATION},
    checks::roles::Policies,
    deployed::{Deployed, DeployedRoute, Target},
    say,
};

#[derive(Clone, Copy, Debug)]
enum Gap {
    /// The OpenAPI definition of an HTTP API (`Body`), where SAM writes the routes, is ignored.
    Definition,
    /// An HTTP API's integrations with AWS services are not run.
    ServiceIntegrations,
    /// A stage's route settings are kept as CloudFormation got them, instead of with the API's names and types.
    RouteSettings,
    /// A bucket goes with its stack even if there is something in it.
    FullBuckets,
}

impl Gap {
    const ALL: [Self; 4] = [
        Self::Definition,
        Self::ServiceIntegrations,
        Self::RouteSettings,
        Self::FullBuckets,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Definition => {
                "an HTTP API's definition is ignored: its routes are added through the API"
            }
            Self::ServiceIntegrations => {
                "an HTTP API's integrations with AWS services are not run: their roles are looked at, and messages sent directly"
            }
            Self::RouteSettings => {
                "a stage's route settings have the template's names and are texts: they are read as such"
            }
            Self::FullBuckets => {
                "a full bucket goes with its stack: it is emptied before, as AWS demands"
            }
        }
    }

    /// Whether the emulator still lacks it, tried on resources of its own.
    async fn is_there(self, account: &Account) -> anyhow::Result<bool> {
        match self {
            Self::Definition => {
                let api = made(
                    account,
                    "gap-definition",
                    "AWS::ApiGatewayV2::Api",
                    json!({
                        "Body": {
                            "openapi": "3.0.1",
                            "info": { "title": "gap", "version": "1" },
                            "paths": { "/gap": { "get": { "x-amazon-apigateway-integration": {
                                "type": "http_proxy",
                                "httpMethod": "GET",
                                "uri": "http://127.0.0.1/",
                                "payloadFormatVersion": "1.0",
                            } } } },
                        },
                    }),
                )
                .await?;
                Ok(items(&account.get(&format!("{APIS}/{api}/routes")).await?) == 0)
            }
            Self::ServiceIntegrations => {
                let api = json!({ "name": "gap", "protocolType": "HTTP" });
                let api = account.rest(Method::POST, APIS, Some(api)).await?;
                let api = api["apiId"].as_str().context("an API has an id")?;
                let integration = json!({
                    "integrationType": "AWS_PROXY",
                    "integrationSubtype": "SQS-SendMessage",
                    "payloadFormatVersion": "1.0",
                    "credentialsArn": format!("arn:aws:iam::{}:role/gap", ministack::ACCOUNT_ID),
                    "requestParameters": { "QueueUrl": "http://127.0.0.1/", "MessageBody": "$request.body" },
                });
                let path = format!("{APIS}/{api}/integrations");
                let made = account.rest(Method::POST, &path, Some(integration)).await?;
                Ok(made.get("integrationSubtype").is_none())
            }
            Self::RouteSettings => {
                let api = made(
                    account,
                    "gap-api",
                    "AWS::ApiGatewayV2::Api",
                    json!({
                        "Name": "gap",
                        "ProtocolType": "HTTP",
                    }),
                )
                .await?;
                let stage = made(
                    account,
                    "gap-stage",
                    "AWS::ApiGatewayV2::Stage",
                    json!({
                        "ApiId": api,
                        "StageName": "gap",
                        "DefaultRouteSettings": { "ThrottlingRateLimit": 7 },
                    }),
                )
                .await?;
                let stage = account.get(&format!("{APIS}/{api}/stages/{stage}")).await?;
                Ok(stage["defaultRouteSettings"]["throttlingRateLimit"] != 7)
            }
            Self::FullBuckets => {
                let stack = "gap-bucket";
                let bucket = made(account, stack, "AWS::S3::Bucket", json!({})).await?;
                account
                    .s3(Method::PUT, &format!("/{bucket}/object"))
                    .await?;
                account
                    .query(CLOUDFORMATION, "DeleteStack", &[("StackName", stack)])
                    .await?;
                deleted(account, stack).await
            }
        }
    }
}

/// Fails if the emulator has learnt something that is still worked around.
pub(crate) async fn still_there(account: &Account) -> anyhow::Result<()> {
    for gap in Gap::ALL {
        ensure!(
            gap.is_there(account).await?,
            "the emulator has no gap {gap:?} any more: take its workaround out of gaps.rs ({})",
            gap.what()
        );
        say!("{}", gap.what());
    }
    Ok(())
}

/// [`Gap::Definition`]: gives the APIs the routes of their definitions that lead to functions.
pub(crate) async fn add_routes(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for route in deployed.routes()? {
        let Target::Function(function) = &route.target else {
            continue;
        };
        let api = format!("{APIS}/{}", deployed.physical_id(&route.api)?);
        let function = &deployed.function(function)?.configuration["FunctionArn"];
        let integration = json!({
            "integrationType": "AWS_PROXY",
            "integrationUri": function,
            "payloadFormatVersion": "2.0",
        });
        let path = format!("{api}/integrations");
        let integration = account.rest(Method::POST, &path, Some(integration)).await?;
        let id = integration["integrationId"]
            .as_str()
            .context("an integration has an id")?;
        let added = json!({ "routeKey": route.key, "target": format!("integrations/{id}") });
        account
            .rest(Method::POST, &format!("{api}/routes"), Some(added))
            .await?;
    }
    Ok(())
}

/// [`Gap::ServiceIntegrations`]: such an integration may do what it has to, and API Gateway may use its role.
pub(crate) async fn service_integrations(
    account: &Account,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    for route in deployed.routes()? {
        let Target::Service(service) = &route.target else {
            continue;
        };
        let DeployedRoute {
            key, integration, ..
        } = &route;
        match service.as_str() {
            "SQS-SendMessage" => {
                let queue = integration["requestParameters"]["QueueUrl"]["Ref"]
                    .as_str()
                    .with_context(|| format!("{key} sends to a queue of the stack"))?;
                let url = deployed.physical_id(queue)?;
                let name = url.rsplit('/').next().unwrap_or_default();
                let arn = format!(
                    "arn:aws:sqs:{}:{}:{name}",
                    ministack::REGION,
                    ministack::ACCOUNT_ID
                );
                let role = integration["credentials"]["Fn::GetAtt"][0]
                    .as_str()
                    .with_context(|| format!("{key} has a role of the stack"))?;
                let principal =
                    &deployed.template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"];
                ensure!(
                    principal
                        .to_string()
                        .contains("\"apigateway.amazonaws.com\""),
                    "{key}: API Gateway may not use {role}"
                );
                let policies = Policies::of(account, deployed.physical_id(role)?).await?;
                ensure!(
                    policies.allow("sqs:SendMessage", &arn),
                    "{key}: {role} does not allow sqs:SendMessage on {arn}"
                );
                say!("{key} may send to {queue}");
            }
            _ => bail!("{key}: the integration {service} is not covered by the deploy test"),
        }
    }
    Ok(())
}

/// [`Gap::RouteSettings`]: a limit that is a number, by the name that API Gateway gives it.
pub(crate) fn limit(route_settings: &Value, name: &str) -> Option<f64> {
    let (first, rest) = name.split_at_checked(1)?;
    let name = format!("{}{rest}", first.to_ascii_uppercase());
    route_settings[name].as_str()?.parse().ok()
}

/// Makes a stack of one resource: the resource's physical id.
async fn made(
    account: &Account,
    stack: &str,
    kind: &str,
    properties: Value,
) -> anyhow::Result<String> {
    let template = json!({
        "Resources": { "Gap": { "Type": kind, "Properties": properties } },
        "Outputs": { "Id": { "Value": { "Ref": "Gap" } } },
    });
    let mut outputs = account.ministack().deploy(stack, &template).await?;
    outputs.remove("Id").context("the stack has an output")
}

/// Waits until a stack that is being deleted is gone, or is not: AWS gives up on a bucket that is not empty.
async fn deleted(account: &Account, stack: &str) -> anyhow::Result<bool> {
    loop {
        // A stack that is gone is not found under its name.
        let Ok(answer) = account
            .query(CLOUDFORMATION, "DescribeStacks", &[("StackName", stack)])
            .await
        else {
            return Ok(true);
        };
        if answer.contains("DELETE_FAILED") {
            return Ok(false);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn items(answer: &Value) -> usize {
    answer["items"].as_array().map_or(0, Vec::len)
}
