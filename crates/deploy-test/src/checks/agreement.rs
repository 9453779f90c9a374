//! What a local run understood of the template is what CloudFormation made of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use local_lambda::Integration;
use local_stack::{Architecture, ServedFunction, Stack};
use serde_json::{Value, json};

use crate::{
    account::{APIS, Account},
    deployed::{self, Deployed, DeployedFunction, Resource, Target, entries},
    gaps::{cache_server, database_proxy, database_server},
    log::say,
};

/// What a local run understood.
pub(crate) struct Understood {
    pub(crate) functions: Vec<ServedFunction>,
    /// For comparison: the routes, and what each function is by its logical id.
    routes: Value,
    descriptions: BTreeMap<String, Value>,
    /// The variables that have other values in a local run, whatever the template says.
    overridden: BTreeSet<String>,
}

impl Understood {
    pub(crate) async fn of(stack: &Stack) -> anyhow::Result<Self> {
        let functions = stack.functions().to_vec();
        let mut names = Names::new(&deployed::resources(stack.ministack(), "local").await?);
        names.add(&stack.url(), API_ENDPOINT);
        let mut overridden: BTreeSet<String> = backends::ministack::variables("")
            .map(|(name, _)| name.to_owned())
            .into();
        if let Some(database) = stack.database() {
            overridden.extend(database.variables().map(|(name, _)| name.to_owned()));
            names.add(database.address(), DATABASE_ENDPOINT);
            if let Some(proxy) = database.proxy() {
                names.add(&proxy.address().to_string(), DATABASE_PROXY_ENDPOINT);
            }
        }
        if let Some(cache) = stack.cache() {
            names.add(&cache.address(), CACHE_ENDPOINT);
        }
        for function in &functions {
            let name = format!(":function:{}", function.name);
            names.add(&name, &format!(":function:{{{}}}", function.logical_id));
        }
        let logical_id = |name: &str| {
            let mut functions = functions.iter();
            let found = functions.find(|function| function.name == name);
            found.map(|function| &function.logical_id)
        };
        let routes = stack.routes().into_iter().map(|route| {
            let target = match &route.integration {
                Integration::Function(name) => json!(logical_id(name)),
                Integration::SendMessage(to) => json!(names.logical(&to.queue_url)),
            };
            (route.key(), target)
        });
        let routes = routes.collect();
        let descriptions = functions
            .iter()
            .map(|function| {
                let description = local(stack, function, &names, &overridden);
                (function.logical_id.clone(), description)
            })
            .collect();
        Ok(Self {
            functions,
            routes,
            descriptions,
            overridden,
        })
    }
}

/// What stands for the HTTP API's URL.
const API_ENDPOINT: &str = "{ApiEndpoint}";
/// The same for the database's and the proxy's.
const DATABASE_ENDPOINT: &str = "{DatabaseEndpoint}";
const DATABASE_PROXY_ENDPOINT: &str = "{DatabaseProxyEndpoint}";
/// The same for the cache's, with its port.
const CACHE_ENDPOINT: &str = "{CacheEndpoint}";

pub(crate) async fn check(
    account: &Account,
    deployed: &Deployed,
    understood: &Understood,
) -> anyhow::Result<()> {
    made(deployed)?;
    let mut names = Names::new(&deployed.resources);
    for api in deployed.of_kind("AWS::ApiGatewayV2::Api") {
        let api = account.get(&format!("{APIS}/{}", api.physical_id)).await?;
        let endpoint = api["apiEndpoint"].as_str().unwrap_or_default();
        names.add(endpoint, API_ENDPOINT);
    }
    for endpoint in database_server::endpoints(account).await? {
        names.add(&endpoint, DATABASE_ENDPOINT);
    }
    for endpoint in cache_server::endpoints(account).await? {
        names.add(&endpoint, CACHE_ENDPOINT);
    }
    names.add(database_proxy::ENDPOINT, DATABASE_PROXY_ENDPOINT);
    let mappings = account.event_source_mappings().await?;
    let mut descriptions = BTreeMap::new();
    for function in &deployed.functions {
        let overridden = &understood.overridden;
        let description = remote(deployed, function, &mappings, &names, overridden);
        descriptions.insert(function.logical_id.clone(), description);
    }
    same(
        "the functions",
        &json!(understood.descriptions),
        &json!(descriptions),
    )?;

    let mut routes = serde_json::Map::new();
    for route in deployed.routes()? {
        let target = match route.target {
            Target::Function(logical_id) => logical_id,
            // SQS-SendMessage, the only one that is known locally.
            Target::Service(_) => {
                match &route.integration["requestParameters"]["QueueUrl"]["Ref"] {
                    Value::String(queue) => format!("{{{queue}}}"),
                    other => other.to_string(),
                }
            }
            // Left out locally: see the check `page`.
            Target::Http => continue,
        };
        routes.insert(route.key, target.into());
    }
    same("the routes", &understood.routes, &routes.into())
}

/// What the conditions leave in was made, and nothing else.
fn made(deployed: &Deployed) -> anyhow::Result<()> {
    let wanted: BTreeSet<&str> = entries(&deployed.template["Resources"])
        .map(|(id, _)| id.as_str())
        .collect();
    let made: BTreeSet<&str> = deployed
        .resources
        .iter()
        .map(|resource| resource.logical_id.as_str())
        .collect();
    ensure!(
        wanted == made,
        "not made: {:?}; made, though a condition leaves it out: {:?}",
        wanted.difference(&made),
        made.difference(&wanted)
    );
    Ok(())
}

fn same(what: &str, here: &Value, there: &Value) -> anyhow::Result<()> {
    ensure!(
        here == there,
        "{what} are not the same: a local run has {here:#}, the stack {there:#}"
    );
    for (name, value) in entries(here) {
        say!("here and there: {name}: {value}");
    }
    Ok(())
}

fn local(
    stack: &Stack,
    function: &ServedFunction,
    names: &Names,
    overridden: &BTreeSet<String>,
) -> Value {
    let environment: BTreeMap<&String, String> = stack
        .environment(&function.name)
        .into_iter()
        .flatten()
        .filter(|(name, _)| !overridden.contains(*name))
        .map(|(name, value)| (name, names.logical(value)))
        .collect();
    let event_sources: Vec<Value> = stack
        .event_source_mappings()
        .iter()
        .filter(|mapping| mapping.function() == function.name)
        .map(|mapping| {
            let source = mapping.source();
            json!({
                "source": names.logical(&source.queue_arn),
                "batch size": source.batch_size,
                "batching window, s": source.batching_window.as_secs(),
                "maximum concurrency": source.maximum_concurrency,
                "reports failed items": source.report_batch_item_failures,
            })
        })
        .collect();
    json!({
        "architecture": match function.architecture {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        },
        "environment": environment,
        "event sources": event_sources,
        "function URL": function.function_url,
        "memory, MB": function.memory_mb,
        "timeout, s": function.timeout.as_secs(),
    })
}

fn remote(
    deployed: &Deployed,
    function: &DeployedFunction,
    mappings: &[Value],
    names: &Names,
    overridden: &BTreeSet<String>,
) -> Value {
    let configuration = &function.configuration;
    let variables = configuration["Environment"]["Variables"].as_object();
    let environment: BTreeMap<&String, String> = variables
        .into_iter()
        .flatten()
        .filter(|(name, _)| !overridden.contains(*name))
        .map(|(name, value)| (name, names.logical(value.as_str().unwrap_or_default())))
        .collect();
    let event_sources: Vec<Value> = mappings
        .iter()
        .filter(|mapping| mapping["FunctionArn"] == configuration["FunctionArn"])
        .map(|mapping| {
            let responses = mapping["FunctionResponseTypes"].as_array();
            json!({
                "source": names.logical(mapping["EventSourceArn"].as_str().unwrap_or_default()),
                "batch size": mapping["BatchSize"],
                "batching window, s": mapping["MaximumBatchingWindowInSeconds"],
                "maximum concurrency": mapping["ScalingConfig"]["MaximumConcurrency"],
                "reports failed items": responses.is_some_and(|types| {
                    types.iter().any(|kind| kind == "ReportBatchItemFailures")
                }),
            })
        })
        .collect();
    let has_url = deployed.of_kind("AWS::Lambda::Url").any(|url| {
        let target = &deployed.properties(&url.logical_id)["TargetFunctionArn"];
        target["Ref"] == function.logical_id.as_str()
    });
    json!({
        "architecture": configuration["Architectures"][0],
        "environment": environment,
        "event sources": event_sources,
        "function URL": has_url,
        "memory, MB": configuration["MemorySize"],
        "timeout, s": configuration["Timeout"],
    })
}

/// What stands for what in the values of a stack: two stacks give the same resource different names.
struct Names {
    /// The longest first: a name may be a part of another.
    logical: Vec<(String, String)>,
}

impl Names {
    fn new(resources: &[Resource]) -> Self {
        let mut names = Self {
            logical: Vec::new(),
        };
        for Resource {
            logical_id,
            physical_id,
            ..
        } in resources
        {
            let logical = format!("{{{logical_id}}}");
            names.add(physical_id, &logical);
            // A queue's id is its URL, whose end is the name that stands in its ARN.
            if physical_id.contains("://")
                && let Some((_, name)) = physical_id.rsplit_once('/')
            {
                names.add(name, &logical);
            }
        }
        names
    }

    fn add(&mut self, physical: &str, logical: &str) {
        self.logical.push((physical.to_owned(), logical.to_owned()));
        self.logical
            .sort_by_key(|(physical, _)| std::cmp::Reverse(physical.len()));
    }

    fn logical(&self, value: &str) -> String {
        self.logical
            .iter()
            .fold(value.to_owned(), |value, (physical, logical)| {
                value.replace(physical, logical)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_two_stacks_become_the_same() {
        let names = |stack: &str, port: u16| {
            let resource = |logical_id: &str, physical_id: String| Resource {
                logical_id: logical_id.to_owned(),
                kind: String::new(),
                physical_id,
            };
            Names::new(&[
                resource("Table", format!("{stack}-Table-1")),
                resource("Table2", format!("{stack}-Table-12")),
                resource(
                    "Queue",
                    format!("http://localhost:{port}/1/{stack}-Queue-1"),
                ),
            ])
        };
        let (here, there) = (names("local", 1), names("latency", 2));
        assert_eq!(here.logical("local-Table-12/a"), "{Table2}/a");
        assert_eq!(
            here.logical("http://localhost:1/1/local-Queue-1"),
            "{Queue}"
        );
        assert_eq!(there.logical("arn:x:latency-Queue-1,y"), "arn:x:{Queue},y");
        assert_eq!(there.logical("as it stands"), "as it stands");
    }
}
