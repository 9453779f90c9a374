//! What invokes a function: the events of its template.

use http::Method;
use local_lambda::{Integration, Route, RouteMethod};

use super::{
    intrinsics::Scope,
    value::{Fault, Node},
};

/// The HTTP API's routes to a function of this local name.
pub(crate) fn routes(events: &Node, function: &str, scope: &Scope) -> Result<Vec<Route>, Fault> {
    let mut routes = Vec::new();
    for (name, event) in events.entries() {
        let kind = event
            .get("Type")
            .ok_or_else(|| event.fault(format!("event {name} has no type")))?;
        match kind.as_str() {
            Some("HttpApi") => routes.push(http_api(event, function, scope)?),
            _ => {
                let kind = kind.text().unwrap_or_default();
                return Err(event.fault(format!("events of type {kind} are not supported locally")));
            }
        }
    }
    Ok(routes)
}

/// Without a path it is the `$default` route, without a method it takes any.
fn http_api(event: &Node, function: &str, scope: &Scope) -> Result<Route, Fault> {
    let property = |key| match event
        .get("Properties")
        .and_then(|properties| properties.get(key))
    {
        Some(node) => {
            let value = scope.evaluate(node)?;
            let text = value.and_then(|value| value.text());
            text.map(Some)
                .ok_or_else(|| node.fault(format!("{key} must be a string")))
        }
        None => Ok(None),
    };
    if property("PayloadFormatVersion")?.is_some_and(|version| version != "2.0") {
        return Err(event.fault("only payload format version 2.0 is supported locally"));
    }
    let method = match property("Method")? {
        Some(method) if !method.eq_ignore_ascii_case("any") => {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                .map_err(|_| event.fault(format!("{method:?} is no method")))?;
            RouteMethod::Only(method)
        }
        _ => RouteMethod::Any,
    };
    Ok(Route {
        method,
        path: property("Path")?.unwrap_or_else(|| "$default".to_owned()),
        integration: Integration::Function(function.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    fn keys(events: &str) -> Result<Vec<String>, Fault> {
        let routes = routes(&yaml::parse(events).unwrap(), "f", &Scope::default())?;
        Ok(routes.iter().map(Route::key).collect())
    }

    #[test]
    fn an_http_api_event_is_a_route() {
        let events = "
A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: ANY, Path: /hits}}
B: {Type: HttpApi, Properties: {Method: get, Path: '/items/{id}'}}
C: {Type: HttpApi}
";
        assert_eq!(
            keys(events).unwrap(),
            ["ANY /hits", "GET /items/{id}", "$default"]
        );
    }

    #[test]
    fn an_event_that_is_not_supported_is_named_with_its_line() {
        for (events, line, message) in [
            (
                "A:\n  Type: HttpApi\nB:\n  Type: MQ",
                3,
                "events of type MQ are not supported locally",
            ),
            ("A: {Properties: {}}", 1, "event A has no type"),
            (
                "A: {Type: HttpApi, Properties: {PayloadFormatVersion: '1.0'}}",
                1,
                "only payload format version 2.0 is supported locally",
            ),
            (
                "A: {Type: HttpApi, Properties: {Path: [a]}}",
                1,
                "Path must be a string",
            ),
        ] {
            assert_eq!(keys(events), Err(Fault::new(line, message)));
        }
    }
}
