//! Every route of the HTTP API leads to its function, and the function to the answer that it gives directly.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use http::{Method, Request};
use local_stack::ServedFunction;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    account::Account,
    deployed::{Deployed, DeployedRoute, Target, entries},
    fixtures::{self, Fixture},
    log::say,
};

/// Headers of a recorded request that belong to its connection.
const OF_THE_CONNECTION: [&str; 3] = ["content-length", "host", "connection"];

pub(crate) async fn check(
    account: &Account,
    deployed: &Deployed,
    functions: &[ServedFunction],
    root: &Path,
) -> anyhow::Result<()> {
    for route in deployed.routes()? {
        let Target::Function(logical_id) = &route.target else {
            continue;
        };
        let function = functions
            .iter()
            .find(|function| function.logical_id == *logical_id)
            .with_context(|| format!("{logical_id} is no function of the template"))?;
        let fixtures = fixtures::of(root, &function.name)?;
        let through_it: Vec<&Fixture> = fixtures
            .iter()
            .filter(|fixture| fits(&fixture.event, &route.key))
            .filter(|fixture| has_segments(&fixture.event))
            .collect();
        ensure!(
            !through_it.is_empty(),
            "no event of {} came through the route {}",
            function.name,
            route.key
        );
        for fixture in &through_it {
            compare(account, deployed, &route, logical_id, fixture).await?;
        }
        say!(
            "{} leads to {}: {} requests",
            route.key,
            function.name,
            through_it.len()
        );
    }
    Ok(())
}

/// Asks through the route what was recorded, and directly: the status must be the same.
async fn compare(
    account: &Account,
    deployed: &Deployed,
    route: &DeployedRoute,
    function: &str,
    fixture: &Fixture,
) -> anyhow::Result<()> {
    let direct = account
        .invoke(&deployed.function(function)?.physical_id, &fixture.event)
        .await?
        .status();
    let (request, body) = recorded(&fixture.event, &route.key)?;
    let api = deployed.physical_id(&route.api)?;
    let (status, answer) = account.call_api(api, request, body).await?;
    if direct != Some(status.as_u16().into()) {
        bail!(
            "{}: {} is answered {status} ({answer}) through the API, and {direct:?} directly",
            route.key,
            fixture.case
        );
    }
    Ok(())
}

/// Whether an event could have come through this route: functions that share their events differ in the rest of the path.
fn fits(event: &Value, route: &str) -> bool {
    let shape = |key: &str| {
        let (method, path) = key.split_once(' ')?;
        let parameters = path.split('/').filter(|part| part.starts_with('{'));
        Some((
            method.to_owned(),
            parameters.map(str::to_owned).collect::<Vec<_>>(),
        ))
    };
    event["routeKey"]
        .as_str()
        .is_some_and(|key| shape(key).is_some() && shape(key) == shape(route))
}

/// Whether each parameter of the path is a segment. Where one is empty or has a slash, the emulator says that there is no such
/// route; no source was found for what API Gateway says.
fn has_segments(event: &Value) -> bool {
    let parameters = event["pathParameters"].as_object();
    let mut values = parameters.into_iter().flatten();
    values.all(|(_, value)| {
        value
            .as_str()
            .is_some_and(|value| !value.is_empty() && !value.contains('/'))
    })
}

/// The path of a request through this route, with the event's parameters in it.
fn path(event: &Value, route: &str) -> Option<String> {
    let mut path = route.split_once(' ')?.1.to_owned();
    for (name, value) in entries(&event["pathParameters"]) {
        let value = utf8_percent_encode(value.as_str()?, NON_ALPHANUMERIC);
        path = path.replace(&format!("{{{name}}}"), &value.to_string());
    }
    Some(path)
}

/// The HTTP request through this route that becomes this event (payload format version 2.0).
fn recorded(event: &Value, route: &str) -> anyhow::Result<(http::request::Builder, String)> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let method = text("/requestContext/http/method").context("an event has a method")?;
    let mut uri = path(event, route).context("a route has a path")?;
    if let Some(query) = text("/rawQueryString").filter(|query| !query.is_empty()) {
        uri = format!("{uri}?{query}");
    }
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes())?)
        .uri(uri);
    for (name, value) in entries(&event["headers"]) {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
    }
    ensure!(
        event["isBase64Encoded"] != true,
        "an event with a binary body can't be sent as a request yet"
    );
    Ok((request, text("/body").unwrap_or_default().to_owned()))
}
