//! What a local run understood of the template is what CloudFormation made of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use local_stack::{Architecture, ServedFunction, Stack};
use serde_json::{Value, json};

use crate::{
    account::{APIS, Account},
    deployed::{self, Deployed, Resource, Target},
    say,
};

/// What the comparison needs of a local run.
pub(crate) struct Understood {
    pub(crate) functions: Vec<ServedFunction>,
    /// By local name, without what leads to the emulator.
    environments: BTreeMap<String, BTreeMap<String, String>>,
    names: Names,
}

impl Understood {
    pub(crate) async fn of(stack: &mut Stack) -> anyhow::Result<Self> {
        let functions = stack.functions().to_vec();
        let access = ministack::variables("").map(|(name, _)| name);
        let mut environments = BTreeMap::new();
        for function in &functions {
            let mut environment = stack
                .environment(&function.name)
                .cloned()
                .unwrap_or_default();
            environment.retain(|name, _| !access.contains(&name.as_str()));
            environments.insert(function.name.clone(), environment);
        }
        let url = stack.url();
        let ministack = stack.ministack();
        let mut names = Names::new(&deployed::resources(ministack, "local").await?);
        names.add(&url, "{ApiEndpoint}");
        for function in &functions {
            let name = format!(":function:{}", function.name);
            names.add(&name, &format!(":function:{}", function.logical_id));
        }
        Ok(Self {
            functions,
            environments,
            names,
        })
    }
}

pub(crate) async fn check(
    account: &Account,
    deployed: &Deployed,
    understood: &Understood,
) -> anyhow::Result<()> {
    let mut names = Names::new(&deployed.resources);
    for api in deployed.of_kind("AWS::ApiGatewayV2::Api") {
        let api = account.get(&format!("{APIS}/{}", api.physical_id)).await?;
        let endpoint = api["apiEndpoint"].as_str().unwrap_or_default();
        names.add(endpoint, "{ApiEndpoint}");
    }
    let ids = |ids: &mut dyn Iterator<Item = &String>| ids.cloned().collect::<BTreeSet<_>>();
    let here = ids(&mut understood
        .functions
        .iter()
        .map(|function| &function.logical_id));
    let there = ids(&mut deployed
        .functions
        .iter()
        .map(|function| &function.logical_id));
    ensure!(
        here == there,
        "a local run has the functions {here:?}, the stack has {there:?}"
    );
    for function in &understood.functions {
        let environment = understood
            .environments
            .get(&function.name)
            .context("a function has variables")?;
        let here = local(function, environment, &understood.names);
        let there = remote(deployed, function, &names)?;
        ensure!(
            here == there,
            "{}: a local run has {here}, the stack has {there}",
            function.logical_id
        );
        say!("{} is the same here and there: {here}", function.name);
    }
    Ok(())
}

fn local(
    function: &ServedFunction,
    environment: &BTreeMap<String, String>,
    names: &Names,
) -> Value {
    let routes: BTreeSet<String> = function.routes.iter().map(|route| route.key()).collect();
    let environment: BTreeMap<&String, String> = environment
        .iter()
        .map(|(name, value)| (name, names.logical(value)))
        .collect();
    json!({
        "architecture": match function.architecture {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        },
        "environment": environment,
        "function URL": function.function_url,
        "memory, MB": function.memory_mb,
        "routes": routes,
        "timeout, s": function.timeout.as_secs(),
    })
}

fn remote(deployed: &Deployed, function: &ServedFunction, names: &Names) -> anyhow::Result<Value> {
    let id = &function.logical_id;
    let configuration = &deployed.function(id)?.configuration;
    let routes: BTreeSet<String> = deployed
        .routes()?
        .into_iter()
        .filter(|route| route.target == Target::Function(id.clone()))
        .map(|route| route.key)
        .collect();
    let variables = configuration["Environment"]["Variables"].as_object();
    let environment: BTreeMap<&String, String> = variables
        .into_iter()
        .flatten()
        .map(|(name, value)| (name, names.logical(value.as_str().unwrap_or_default())))
        .collect();
    let resources = &deployed.template["Resources"];
    let has_url = deployed.of_kind("AWS::Lambda::Url").any(|url| {
        let target = &resources[&url.logical_id]["Properties"]["TargetFunctionArn"];
        target["Ref"] == id.as_str()
    });
    Ok(json!({
        "architecture": configuration["Architectures"][0],
        "environment": environment,
        "function URL": has_url,
        "memory, MB": configuration["MemorySize"],
        "routes": routes,
        "timeout, s": configuration["Timeout"],
    }))
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
