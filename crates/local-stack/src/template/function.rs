//! A function of the template: what is served of it, and what it is run with.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use local_lambda::{Function, Route};

use super::{
    events,
    intrinsics::Scope,
    resources::Resource,
    value::{Fault, Node, Value},
};
use crate::runtime::{self, Command};

/// A function as the template describes it.
#[derive(Clone, Debug)]
pub struct ServedFunction {
    /// Its logical id in the template.
    pub logical_id: String,
    /// Its local name, under which it is invoked: the last component of its `CodeUri`.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The directory of its deployment package.
    pub directory: PathBuf,
    /// The instruction set it is deployed for. Locally it runs on whatever it was built for.
    pub architecture: Architecture,
    /// Memory size in MB.
    pub memory_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// The HTTP API's routes to it.
    pub routes: Vec<Route>,
    /// Whether it has a function URL.
    pub function_url: bool,
}

/// An instruction set of Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `x86_64`
    X86_64,
    /// `arm64`
    Arm64,
}

/// A function with what it takes to run it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) served: ServedFunction,
    command: Command,
    handler: String,
    reserved_concurrency: Option<u32>,
    /// Evaluated, but for what hangs on a resource in the emulator.
    environment: Vec<(String, Node)>,
}

impl Definition {
    /// Reads the function of this local name. `directory` is the template's.
    pub(crate) fn read(
        resource: &Resource<'_>,
        name: &str,
        scope: &Scope,
        directory: &Path,
    ) -> Result<Self, Fault> {
        let properties = Properties {
            node: &resource.properties,
            scope,
        };
        let (code_uri, code_path) = properties.required("CodeUri", resource)?;
        // Components, because a slash at the end would stay otherwise.
        let directory = std::path::absolute(directory.join(&code_path))
            .map_err(|error| code_uri.fault(format!("{code_path}: {error}")))?
            .components()
            .collect::<PathBuf>();
        let (runtime, runtime_name) = properties.required("Runtime", resource)?;
        let command = runtime::command(&runtime_name, &directory, &code_path).map_err(|error| {
            let at = match error {
                runtime::Error::Unsupported(_) => runtime,
                runtime::Error::ProgramMissing(_) => code_uri,
            };
            at.fault(error.to_string())
        })?;
        let environment = properties
            .get("Environment")?
            .and_then(|environment| environment.get("Variables").cloned())
            .map_or_else(Vec::new, |variables| variables.entries().to_vec());
        for (name, node) in &environment {
            if node.text().is_none() && !matches!(node.value, Value::Call(..)) {
                return Err(node.fault(format!("variable {name} is not a string")));
            }
        }
        let routes = match resource.properties.get("Events") {
            Some(node) => events::routes(node, name, scope)?,
            None => Vec::new(),
        };
        Ok(Self {
            served: ServedFunction {
                logical_id: resource.id.to_owned(),
                name: name.to_owned(),
                description: properties.text("Description")?,
                directory,
                architecture: properties.architecture()?,
                // Lambda's defaults and quotas.
                memory_mb: properties.whole("MemorySize", 128..=10_240)?.unwrap_or(128),
                timeout: Duration::from_secs(
                    properties.whole("Timeout", 1..=900)?.unwrap_or(3).into(),
                ),
                routes,
                function_url: properties.get("FunctionUrlConfig")?.is_some(),
            },
            command,
            handler: properties.text("Handler")?.unwrap_or_default(),
            reserved_concurrency: properties.whole("ReservedConcurrentExecutions", 0..=u32::MAX)?,
            environment,
        })
    }

    /// The variables that the emulator's CloudFormation has to evaluate, by the names of their outputs.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (String, &Node)> {
        self.environment
            .iter()
            .enumerate()
            .filter(|(_, (_, node))| node.text().is_none())
            .map(|(index, (_, node))| (self.output(index), node))
    }

    /// An output's name is alphanumeric, which a variable's need not be.
    fn output(&self, index: usize) -> String {
        format!("{}Variable{index}", self.served.logical_id)
    }

    /// As [`Template::functions`](super::Template::functions).
    pub(crate) fn function(
        &self,
        outputs: &BTreeMap<String, String>,
        access: &[(&'static str, String)],
    ) -> Result<Function, Fault> {
        let mut environment = BTreeMap::new();
        for (index, (name, node)) in self.environment.iter().enumerate() {
            let value = node
                .text()
                .or_else(|| outputs.get(&self.output(index)).cloned())
                .ok_or_else(|| node.fault(format!("the emulator has no value for {name}")))?;
            environment.insert(name.clone(), value);
        }
        for (name, value) in access {
            environment.insert((*name).to_owned(), value.clone());
        }
        Ok(Function {
            name: self.served.name.clone(),
            program: self.command.program.clone(),
            arguments: self.command.arguments.clone(),
            directory: self.served.directory.clone(),
            handler: self.handler.clone(),
            environment,
            memory_mb: self.served.memory_mb,
            timeout: self.served.timeout,
            reserved_concurrency: self.reserved_concurrency,
        })
    }
}

/// The properties of a function.
struct Properties<'a> {
    node: &'a Node,
    scope: &'a Scope,
}

impl<'a> Properties<'a> {
    fn get(&self, key: &str) -> Result<Option<Node>, Fault> {
        match self.node.get(key) {
            Some(node) => self.scope.evaluate(node),
            None => Ok(None),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, Fault> {
        let Some(node) = self.get(key)? else {
            return Ok(None);
        };
        match node.text() {
            Some(text) => Ok(Some(text)),
            None => Err(node.fault(format!("{key} must be a string"))),
        }
    }

    /// A property that must be there, as it stands in the template and as text.
    fn required(&self, key: &str, resource: &Resource<'_>) -> Result<(&'a Node, String), Fault> {
        self.node
            .get(key)
            .zip(self.text(key)?)
            .ok_or_else(|| resource.node.fault(format!("{} has no {key}", resource.id)))
    }

    fn whole(&self, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Fault> {
        let Some(node) = self.get(key)? else {
            return Ok(None);
        };
        node.text()
            .and_then(|text| text.parse().ok())
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| {
                node.fault(format!(
                    "{key} must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                ))
            })
    }

    fn architecture(&self) -> Result<Architecture, Fault> {
        let Some(node) = self.get("Architectures")? else {
            return Ok(Architecture::X86_64);
        };
        match node.items() {
            [only] if only.as_str() == Some("x86_64") => Ok(Architecture::X86_64),
            [only] if only.as_str() == Some("arm64") => Ok(Architecture::Arm64),
            _ => Err(node.fault("Architectures must be [x86_64] or [arm64]")),
        }
    }
}
