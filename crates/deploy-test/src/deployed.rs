//! A deployed stack: what CloudFormation made of the template.

use std::collections::BTreeMap;

use anyhow::Context as _;
use backends::ministack::Ministack;
use serde_json::Value;

use crate::account::{Account, CLOUDFORMATION, FUNCTIONS, members, query, texts};

/// The stack's name in `samconfig.toml`.
pub(crate) const STACK: &str = "latency";

/// A resource that was made.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) logical_id: String,
    pub(crate) kind: String,
    pub(crate) physical_id: String,
}

/// A function as Lambda describes it.
#[derive(Debug)]
pub(crate) struct DeployedFunction {
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    /// As in Lambda's `FunctionConfiguration`.
    pub(crate) configuration: Value,
}

/// A route of an HTTP API, as SAM wrote it into the API's definition.
#[derive(Clone, Debug)]
pub(crate) struct DeployedRoute {
    /// The logical id of the API.
    pub(crate) api: String,
    /// As in API Gateway: `GET /hits`, `$default`.
    pub(crate) key: String,
    pub(crate) target: Target,
    /// The integration as it is defined.
    pub(crate) integration: Value,
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The function of this logical id.
    Function(String),
    /// An AWS service, by the integration's subtype: `SQS-SendMessage`.
    Service(String),
    /// Another server: the integration has its URL.
    Http,
}

/// What API Gateway's extension of OpenAPI calls an operation's integration.
const INTEGRATION: &str = "x-amazon-apigateway-integration";

/// A deployed stack.
pub(crate) struct Deployed {
    pub(crate) resources: Vec<Resource>,
    pub(crate) functions: Vec<DeployedFunction>,
    /// What SAM made of the template, without what the conditions leave out.
    pub(crate) template: Value,
}

impl Deployed {
    /// Reads the stack back. `conditions` are those that it was deployed with.
    pub(crate) async fn read(
        account: &Account,
        conditions: &BTreeMap<String, bool>,
    ) -> anyhow::Result<Self> {
        let resources = resources(account.ministack(), STACK).await?;
        let mut functions = Vec::new();
        for resource in &resources {
            if resource.kind == "AWS::Lambda::Function" {
                let path = format!("{FUNCTIONS}/{}/configuration", resource.physical_id);
                functions.push(DeployedFunction {
                    logical_id: resource.logical_id.clone(),
                    physical_id: resource.physical_id.clone(),
                    configuration: account.get(&path).await?,
                });
            }
        }
        let parameters = [("StackName", STACK), ("TemplateStage", "Processed")];
        let answer = account
            .query(CLOUDFORMATION, "GetTemplate", &parameters)
            .await?;
        let template = texts(&answer, "TemplateBody")?.pop().unwrap_or_default();
        let template = serde_json::from_str(&template).context("the processed template")?;
        Ok(Self {
            resources,
            functions,
            template: chosen(template, conditions)?,
        })
    }

    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources
            .iter()
            .filter(move |resource| resource.kind == kind)
    }

    /// The properties that a resource has in the template.
    pub(crate) fn properties(&self, logical_id: &str) -> &Value {
        &self.template["Resources"][logical_id]["Properties"]
    }

    pub(crate) fn physical_id(&self, logical_id: &str) -> anyhow::Result<&str> {
        self.resources
            .iter()
            .find(|resource| resource.logical_id == logical_id)
            .map(|resource| resource.physical_id.as_str())
            .with_context(|| format!("{logical_id} was not deployed"))
    }

    pub(crate) fn function(&self, logical_id: &str) -> anyhow::Result<&DeployedFunction> {
        self.functions
            .iter()
            .find(|function| function.logical_id == logical_id)
            .with_context(|| format!("function {logical_id} was not deployed"))
    }

    /// The routes that the definitions of the HTTP APIs have.
    pub(crate) fn routes(&self) -> anyhow::Result<Vec<DeployedRoute>> {
        let mut routes = Vec::new();
        for api in self.of_kind("AWS::ApiGatewayV2::Api") {
            let definition = &self.properties(&api.logical_id)["Body"];
            for (path, operations) in entries(&definition["paths"]) {
                for (method, operation) in entries(operations) {
                    let Some(key) = route_key(path, method) else {
                        continue;
                    };
                    let integration = &operation[INTEGRATION];
                    let target = target(integration)
                        .with_context(|| format!("route {key} leads to {integration}"))?;
                    routes.push(DeployedRoute {
                        api: api.logical_id.clone(),
                        key,
                        target,
                        integration: integration.clone(),
                    });
                }
            }
        }
        Ok(routes)
    }
}

/// The resources of a stack.
pub(crate) async fn resources(ministack: &Ministack, stack: &str) -> anyhow::Result<Vec<Resource>> {
    let parameters = [("StackName", stack)];
    let answer = query(
        ministack,
        CLOUDFORMATION,
        "DescribeStackResources",
        &parameters,
    )
    .await?;
    let names = ["LogicalResourceId", "ResourceType", "PhysicalResourceId"];
    Ok(members(&answer, names)?
        .into_iter()
        .map(|[logical_id, kind, physical_id]| Resource {
            logical_id,
            kind,
            physical_id,
        })
        .collect())
}

/// The entries of an object; of anything else, none.
pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// OpenAPI's method and path as a route's key; `None` for what stands beside the methods, as `parameters` does.
fn route_key(path: &str, method: &str) -> Option<String> {
    let method = match method {
        "x-amazon-apigateway-any-method" => "ANY".to_owned(),
        "get" | "put" | "post" | "delete" | "options" | "head" | "patch" => {
            method.to_ascii_uppercase()
        }
        _ => return None,
    };
    Some(match path {
        "/$default" => "$default".to_owned(),
        path => format!("{method} {path}"),
    })
}

fn target(integration: &Value) -> Option<Target> {
    if let Some(subtype) = integration["integrationSubtype"].as_str() {
        return Some(Target::Service(subtype.to_owned()));
    }
    if integration["type"] == "http_proxy" {
        return Some(Target::Http);
    }
    let uri = integration["uri"]["Fn::Sub"].as_str()?;
    let (_, rest) = uri.split_once("/functions/${")?;
    let (function, _) = rest.split_once(".Arn}/invocations")?;
    Some(Target::Function(function.to_owned()))
}

/// The template with each `Fn::If` decided and the resources left out whose condition does not hold.
fn chosen(template: Value, conditions: &BTreeMap<String, bool>) -> anyhow::Result<Value> {
    let holds = |name: &Value| {
        let name = name.as_str().context("a condition has a name")?;
        let held = conditions.get(name).copied();
        held.with_context(|| format!("condition {name} is not in the template"))
    };
    Ok(match template {
        Value::Array(items) => items
            .into_iter()
            .map(|item| chosen(item, conditions))
            .collect::<anyhow::Result<_>>()?,
        Value::Object(entries) => {
            if let Some([condition, yes, no]) = entries
                .get("Fn::If")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
            {
                let value = if holds(condition)? { yes } else { no };
                return chosen(value.clone(), conditions);
            }
            let mut kept = serde_json::Map::new();
            for (name, value) in entries {
                let is_resource = value.get("Type").is_some();
                if is_resource
                    && let Some(condition) = value.get("Condition").filter(|name| name.is_string())
                    && !holds(condition)?
                {
                    continue;
                }
                let value = chosen(value, conditions)?;
                if value != serde_json::json!({ "Ref": "AWS::NoValue" }) {
                    kept.insert(name, value);
                }
            }
            Value::Object(kept)
        }
        plain => plain,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_conditions_leave_out_is_left_out() {
        let template = json!({ "Resources": {
            "Extra": { "Type": "A", "Condition": "Live" },
            "Table": { "Type": "B", "Condition": "Test", "Properties": {
                "Name": { "Fn::If": ["Live", "live", { "Fn::If": ["Test", "test", "none"] }] },
                "Size": { "Fn::If": ["Live", 1, { "Ref": "AWS::NoValue" }] },
            } },
        } });
        let conditions = BTreeMap::from([("Live".to_owned(), false), ("Test".to_owned(), true)]);
        assert_eq!(
            chosen(template.clone(), &conditions).unwrap(),
            json!({ "Resources": {
                "Table": { "Type": "B", "Condition": "Test", "Properties": { "Name": "test" } },
            } })
        );
        let error = chosen(template, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "condition Live is not in the template");
    }

    #[test]
    fn an_operation_of_the_definition_is_a_route() {
        assert_eq!(
            route_key("/hits", "x-amazon-apigateway-any-method").as_deref(),
            Some("ANY /hits")
        );
        assert_eq!(route_key("/a", "post").as_deref(), Some("POST /a"));
        assert_eq!(
            route_key("/$default", "x-amazon-apigateway-any-method").as_deref(),
            Some("$default")
        );
        assert_eq!(route_key("/a", "parameters"), None);
        let function = json!({ "uri": { "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Empty.Arn}/invocations" } });
        assert_eq!(
            target(&function),
            Some(Target::Function("Empty".to_owned()))
        );
        let service = json!({ "integrationSubtype": "SQS-SendMessage" });
        assert_eq!(
            target(&service),
            Some(Target::Service("SQS-SendMessage".to_owned()))
        );
        let server = json!({ "type": "http_proxy", "uri": "http://example.com" });
        assert_eq!(target(&server), Some(Target::Http));
        assert_eq!(target(&json!({ "uri": "http://example.com" })), None);
    }
}
