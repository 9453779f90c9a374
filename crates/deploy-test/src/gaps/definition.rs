//! The OpenAPI definition of an HTTP API (`Body`), where SAM writes the routes, is ignored.

use anyhow::Context as _;
use http::Method;
use serde_json::json;

use super::{Gap, made};
use crate::{
    account::{APIS, Account},
    deployed::{Deployed, Target},
};

pub(super) const GAP: Gap = Gap {
    lacks: "the definition of an HTTP API is ignored",
    instead: "the routes to functions are added through API Gateway's own API",
};

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let operation = json!({ "x-amazon-apigateway-integration": {
        "type": "http_proxy",
        "httpMethod": "GET",
        "uri": "http://127.0.0.1/",
        "payloadFormatVersion": "1.0",
    } });
    let definition = json!({
        "openapi": "3.0.1",
        "info": { "title": "gap", "version": "1" },
        "paths": { "/gap": { "get": operation } },
    });
    let properties = json!({ "Body": definition });
    let api = made(
        account,
        "gap-definition",
        "AWS::ApiGatewayV2::Api",
        properties,
    )
    .await?;
    let routes = account.get(&format!("{APIS}/{api}/routes")).await?;
    Ok(routes["items"].as_array().is_none_or(Vec::is_empty))
}

/// Gives the APIs the routes of their definitions that lead to functions.
pub(crate) async fn add_routes(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for route in deployed.routes()? {
        let Target::Function(function) = &route.target else {
            continue;
        };
        let api = format!("{APIS}/{}", deployed.physical_id(&route.api)?);
        let integration = json!({
            "integrationType": "AWS_PROXY",
            "integrationUri": deployed.function(function)?.configuration["FunctionArn"],
            "payloadFormatVersion": route.integration["payloadFormatVersion"],
        });
        let path = format!("{api}/integrations");
        let integration = account.rest(Method::POST, &path, Some(integration)).await?;
        let id = integration["integrationId"]
            .as_str()
            .context("an integration has an id")?;
        let added = json!({ "routeKey": route.key, "target": format!("integrations/{id}") });
        let path = format!("{api}/routes");
        account.rest(Method::POST, &path, Some(added)).await?;
    }
    Ok(())
}
