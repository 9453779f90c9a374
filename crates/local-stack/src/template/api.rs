//! The HTTP API's own definition: routes that lead past all functions. SAM adds the functions' routes to it.

use std::collections::BTreeMap;

use http::Method;
use local_lambda::RouteMethod;

use super::{
    deferred::Deferred,
    properties::Properties,
    resources::Resource,
    scope::Scope,
    value::{Fault, Node, Value},
};

const INTEGRATION: &str = "x-amazon-apigateway-integration";

/// A route that puts its requests' bodies on a queue, whose URL may not be known yet.
#[derive(Debug)]
pub(crate) struct QueueRoute<U = String> {
    pub(crate) method: RouteMethod,
    pub(crate) path: String,
    pub(crate) queue_url: U,
}

impl QueueRoute<Deferred> {
    /// With the emulator's outputs.
    pub(crate) fn resolve(&self, outputs: &BTreeMap<String, String>) -> Result<QueueRoute, Fault> {
        Ok(QueueRoute {
            method: self.method.clone(),
            path: self.path.clone(),
            queue_url: self.queue_url.resolve("QueueUrl", outputs)?,
        })
    }
}

/// The routes of an HTTP API's OpenAPI definition, each with its integration (API Gateway developer guide, "Working with
/// OpenAPI definitions for HTTP APIs").
pub(crate) fn routes(
    api: &Resource<'_>,
    scope: &Scope,
) -> Result<Vec<QueueRoute<Deferred>>, Fault> {
    if let Some(uri) = api.properties.get("DefinitionUri") {
        return Err(uri.fault("DefinitionUri is not supported locally: use DefinitionBody"));
    }
    let paths = api
        .properties
        .get("DefinitionBody")
        .and_then(|definition| definition.get("paths"))
        .map_or(&[][..], Node::entries);
    let mut routes = Vec::new();
    for (path, item) in paths {
        // The rest is looked at part by part: much of it does not exist locally.
        let item = match item.value {
            Value::Call(..) => scope.evaluate(item)?,
            _ => Some(item.clone()),
        };
        for (method, operation) in item.as_ref().map_or(&[][..], Node::entries) {
            if is_http_proxy(operation) {
                tracing::warn!("{path} is left out: locally there is no integration with HTTP");
                continue;
            }
            let output = format!("{}Queue{}", api.id, routes.len());
            routes.push(QueueRoute {
                method: route_method(operation, method)?,
                path: path.clone(),
                queue_url: Deferred::new(output, queue_url(operation, path, scope)?),
            });
        }
    }
    Ok(routes)
}

/// Whether an operation leads to another server. Such a route is left out, as resources are that are not known locally.
fn is_http_proxy(operation: &Node) -> bool {
    let kind = operation
        .get(INTEGRATION)
        .and_then(|integration| integration.get("type"))
        .and_then(Node::as_str);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("HTTP_PROXY"))
}

fn route_method(at: &Node, method: &str) -> Result<RouteMethod, Fault> {
    if method == "x-amazon-apigateway-any-method" {
        return Ok(RouteMethod::Any);
    }
    Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map(RouteMethod::Only)
        .map_err(|_| at.fault(format!("{method:?} is no method")))
}

/// The queue of an operation whose integration is SQS-SendMessage with the request's body.
fn queue_url(operation: &Node, path: &str, scope: &Scope) -> Result<Node, Fault> {
    let integration = operation
        .get(INTEGRATION)
        .ok_or_else(|| operation.fault(format!("{path} has no {INTEGRATION}")))?;
    let properties = Properties {
        node: integration,
        scope,
    };
    properties.only(
        &[
            "type",
            "integrationSubtype",
            "payloadFormatVersion",
            "connectionType",
            // Everybody may do everything locally.
            "credentials",
            "requestParameters",
        ],
        "an integration",
    )?;
    for (key, supported) in [
        ("type", "AWS_PROXY"),
        ("integrationSubtype", "SQS-SendMessage"),
        ("payloadFormatVersion", "1.0"),
    ] {
        let (at, value) = properties.required(key, INTEGRATION, integration)?;
        if !value.eq_ignore_ascii_case(supported) {
            return Err(at.fault(format!(
                "an integration's {key} must be {supported} locally, not {value}"
            )));
        }
    }
    if integration.get("credentials").is_none() {
        return Err(integration.fault("an integration with SQS has credentials: a role's ARN"));
    }
    let parameters = properties
        .get("requestParameters")?
        .ok_or_else(|| integration.fault("SQS-SendMessage has requestParameters"))?;
    let parameters = Properties {
        node: &parameters,
        scope,
    };
    parameters.only(&["QueueUrl", "MessageBody"], "SQS-SendMessage")?;
    let (at, body) = parameters.required("MessageBody", "SQS-SendMessage", parameters.node)?;
    if body != "$request.body" {
        return Err(at.fault("MessageBody must be $request.body locally"));
    }
    parameters
        .get("QueueUrl")?
        .ok_or_else(|| parameters.node.fault("SQS-SendMessage has no QueueUrl"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{resources, scope::Local, yaml};

    const API: &str = "
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: 3.0.1
        info: {title: calc, version: '1'}
        paths:
          /calc:
            post:
              responses: {default: {description: what SQS answers}}
              x-amazon-apigateway-integration:
                type: AWS_PROXY
                integrationSubtype: SQS-SendMessage
                payloadFormatVersion: '1.0'
                connectionType: INTERNET
                credentials: !GetAtt Role.Arn
                requestParameters:
                  QueueUrl: !Ref Queue
                  MessageBody: $request.body
";

    fn read(template: &str) -> Result<Vec<QueueRoute<Deferred>>, Fault> {
        let root = yaml::parse(template).unwrap();
        let scope = Scope {
            resources: BTreeMap::from([("Queue".to_owned(), Local::State)]),
            conditions: BTreeMap::from([("Here".to_owned(), true), ("Gone".to_owned(), false)]),
            ..Scope::default()
        };
        routes(&resources::read(&root)?[0], &scope)
    }

    #[test]
    fn a_definition_leads_to_a_queue() {
        let routes = read(API).unwrap();
        assert_eq!(routes.len(), 1);
        assert_eq!(routes[0].path, "/calc");
        assert_eq!(routes[0].method, RouteMethod::Only(Method::POST));
        let (name, value) = routes[0].queue_url.output().unwrap();
        assert_eq!(
            (name, value.to_string().as_str()),
            ("ApiQueue0", r#"{"Ref":"Queue"}"#)
        );
        let outputs = BTreeMap::from([("ApiQueue0".to_owned(), "http://queue".to_owned())]);
        assert_eq!(
            routes[0].resolve(&outputs).unwrap().queue_url,
            "http://queue"
        );
        let any = API.replace("post:", "x-amazon-apigateway-any-method:");
        assert_eq!(read(&any).unwrap()[0].method, RouteMethod::Any);
    }

    #[test]
    fn a_route_of_a_condition_that_does_not_hold_and_one_to_another_server_are_left_out() {
        let with = |item: &str| {
            API.replace(
                "        paths:\n",
                &format!("        paths:\n          {item}\n"),
            )
        };
        let page = "{get: {x-amazon-apigateway-integration: {type: http_proxy, uri: 'https://a'}}}";
        for item in [
            format!("/: {page}"),
            format!("/: !If [Here, {page}, !Ref AWS::NoValue]"),
            format!("/: !If [Gone, {page}, !Ref AWS::NoValue]"),
        ] {
            let routes = read(&with(&item)).unwrap();
            let paths: Vec<_> = routes.iter().map(|route| &*route.path).collect();
            assert_eq!(paths, ["/calc"], "{item}");
        }
        let unknown = read(&with("/: !If [Missing, {}, {}]")).unwrap_err();
        assert_eq!(unknown.message, "there is no condition Missing");
    }

    #[test]
    fn an_api_without_a_definition_has_no_routes_of_its_own() {
        let plain = "Resources: {Api: {Type: AWS::Serverless::HttpApi}}";
        assert!(read(plain).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_supported_is_named_with_its_line() {
        for (from, to, line, message) in [
            (
                "type: AWS_PROXY",
                "type: MOCK",
                14,
                "an integration's type must be AWS_PROXY locally, not MOCK",
            ),
            (
                "SQS-SendMessage",
                "SQS-PurgeQueue",
                15,
                "an integration's integrationSubtype must be SQS-SendMessage locally, not SQS-PurgeQueue",
            ),
            (
                "payloadFormatVersion: '1.0'",
                "timeoutInMillis: 100",
                16,
                "timeoutInMillis of an integration is not supported locally",
            ),
            (
                "$request.body",
                "$request.body.x",
                21,
                "MessageBody must be $request.body locally",
            ),
            (
                "MessageBody: $request.body",
                "DelaySeconds: 5",
                21,
                "DelaySeconds of SQS-SendMessage is not supported locally",
            ),
            (
                "!Ref Queue",
                "!Ref Queu",
                20,
                "there is no parameter or resource Queu",
            ),
            (
                "              x-amazon-apigateway-integration:",
                "              x-other:",
                11,
                "/calc has no x-amazon-apigateway-integration",
            ),
            (
                "DefinitionBody:",
                "DefinitionUri: api.yaml\n      Body:",
                6,
                "DefinitionUri is not supported locally: use DefinitionBody",
            ),
        ] {
            assert!(API.contains(from), "{from}");
            let fault = read(&API.replace(from, to)).unwrap_err();
            assert_eq!((fault.line, fault.message.as_str()), (line, message));
        }
    }
}
