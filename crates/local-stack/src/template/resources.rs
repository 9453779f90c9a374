//! The template's resources: which of them are made in the emulator, which are served, and which are nothing locally.

use std::path::Path;

use serde_json::{Map, json};

use super::{
    globals,
    properties::Properties,
    scope::{Local, Scope},
    value::{Fault, Node, Value},
};

pub(crate) const FUNCTION: &str = "AWS::Serverless::Function";

const HTTP_API: &str = "AWS::Serverless::HttpApi";

/// Types whose resources are databases.
const DATABASES: [&str; 2] = ["AWS::RDS::DBCluster", "AWS::RDS::DBInstance"];

const DATABASE_PROXY: &str = "AWS::RDS::DBProxy";

const CACHE: &str = "AWS::ElastiCache::CacheCluster";

/// Types whose resources hold what functions read and write: made in the emulator.
const STATE: [&str; 3] = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"];

/// Types, or the beginnings of their names, that a local run can do without: routes are read from the functions' events,
/// everybody may do everything, logs are files, there is no network between a function and its database, and no certificate.
/// Servers and their load balancers are started from the template's metadata.
const DISPENSABLE: [&str; 16] = [
    "AWS::ApiGatewayV2::",
    "AWS::AutoScaling::",
    "AWS::CloudWatch::",
    "AWS::EC2::",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::ElasticLoadBalancingV2::",
    "AWS::IAM::",
    "AWS::Lambda::Permission",
    "AWS::Logs::",
    "AWS::RDS::",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::",
    "AWS::Serverless::LayerVersion",
    "AWS::XRay::",
];

/// A resource of the template.
#[derive(Debug)]
pub(crate) struct Resource<'a> {
    /// Its logical id.
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) node: &'a Node,
    /// A function's are merged with the globals.
    pub(crate) properties: Node,
}

/// All resources, in the template's order.
pub(crate) fn read(root: &Node) -> Result<Vec<Resource<'_>>, Fault> {
    let nothing = Node {
        line: root.line,
        value: Value::Map(Vec::new()),
    };
    let globals = root
        .get("Globals")
        .and_then(|globals| globals.get("Function"));
    let mut resources = Vec::new();
    for (id, node) in root.get("Resources").map_or(&[][..], Node::entries) {
        let kind = node
            .get("Type")
            .and_then(Node::as_str)
            .ok_or_else(|| node.fault(format!("resource {id} has no type")))?;
        let own = node.get("Properties").unwrap_or(&nothing);
        let properties = match globals {
            Some(globals) if kind == FUNCTION => globals::merge(globals, own),
            _ => own.clone(),
        };
        resources.push(Resource {
            id,
            kind,
            node,
            properties,
        });
    }
    Ok(resources)
}

impl Resource<'_> {
    /// What it is locally.
    pub(crate) fn local(&self, scope: &Scope) -> Result<Local, Fault> {
        if let Some(condition) = self.node.get("Condition") {
            let name = condition.text().unwrap_or_default();
            if !scope.condition(condition, &name)? {
                return Ok(Local::Off);
            }
        }
        if self.kind == FUNCTION {
            return Ok(Local::Function(self.function_name()?));
        }
        if self.kind == HTTP_API {
            return Ok(Local::HttpApi);
        }
        if DATABASES.contains(&self.kind) {
            return Ok(Local::Database);
        }
        if self.kind == DATABASE_PROXY {
            return Ok(Local::DatabaseProxy);
        }
        if self.kind == CACHE {
            return self.cache(scope);
        }
        if STATE.contains(&self.kind) {
            return Ok(Local::State);
        }
        if !DISPENSABLE.iter().any(|known| self.kind.starts_with(known)) {
            let (line, kind) = (self.node.line, self.kind);
            tracing::warn!(
                line,
                kind,
                "{} is left out: its type is not known locally",
                self.id
            );
        }
        Ok(Local::Nothing(self.kind.to_owned()))
    }

    fn cache(&self, scope: &Scope) -> Result<Local, Fault> {
        let properties = Properties {
            node: &self.properties,
            scope,
        };
        match properties.text("Engine")?.as_deref() {
            Some("memcached") => Ok(Local::Cache),
            _ => Err(self
                .node
                .fault(format!("{} must have Engine: memcached locally", self.id))),
        }
    }

    /// A function's local name, the same as under `cargo lambda`: the last component of its `CodeUri`.
    fn function_name(&self) -> Result<String, Fault> {
        let code_uri = self
            .properties
            .get("CodeUri")
            .ok_or_else(|| self.node.fault(format!("{} has no CodeUri", self.id)))?;
        code_uri
            .as_str()
            .and_then(|path| Path::new(path).file_name()?.to_str())
            .map(str::to_owned)
            .ok_or_else(|| code_uri.fault("CodeUri must be the path of a directory"))
    }

    /// For the emulator's CloudFormation: what is left to it are references among the resources it makes.
    pub(crate) fn to_cloudformation(&self, scope: &Scope) -> Result<serde_json::Value, Fault> {
        let mut resource = Map::from_iter([("Type".to_owned(), json!(self.kind))]);
        if let Some(properties) = scope.evaluate(&self.properties)? {
            resource.insert("Properties".to_owned(), properties.to_json());
        }
        if let Some(needs) = self.node.get("DependsOn") {
            let needs: Vec<&str> = std::iter::once(needs)
                .chain(needs.items())
                .filter_map(Node::as_str)
                .filter(|id| matches!(scope.resources.get(*id), Some(Local::State)))
                .collect();
            resource.insert("DependsOn".to_owned(), json!(needs));
        }
        Ok(resource.into())
    }
}
