//! A function of the template: what is served of it, and what it is run with.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use local_lambda::{Function, Route};
use region::Architecture;

use super::{
    deferred::Deferred,
    events::{self, Events, QueueEvent},
    properties::Properties,
    resources::Resource,
    scope::Scope,
    value::{Fault, Value},
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

/// A function with what it takes to run it.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) served: ServedFunction,
    command: Command,
    handler: String,
    reserved_concurrency: Option<u32>,
    environment: Vec<(String, Deferred)>,
    /// The queues that are polled for it.
    pub(crate) queues: Vec<QueueEvent>,
}

impl Definition {
    /// Reads the function of this local name. `directory` is the template's, `tools` where managed runtimes are installed.
    pub(crate) fn read(
        resource: &Resource<'_>,
        name: &str,
        scope: &Scope,
        directory: &Path,
        tools: &Path,
    ) -> Result<Self, Fault> {
        let properties = Properties {
            node: &resource.properties,
            scope,
        };
        let (code_uri, code_path) = properties.required("CodeUri", resource.id, resource.node)?;
        // Components, because a slash at the end would stay otherwise.
        let directory = std::path::absolute(directory.join(&code_path))
            .map_err(|error| code_uri.fault(format!("{code_path}: {error}")))?
            .components()
            .collect::<PathBuf>();
        let (runtime, runtime_name) = properties.required("Runtime", resource.id, resource.node)?;
        let handler = properties.text("Handler")?.unwrap_or_default();
        let command = runtime::command(&runtime_name, &handler, &directory, &code_path, tools);
        let command = command.map_err(|error| match error {
            runtime::Error::Unsupported(_) => runtime.fault(error.to_string()),
            runtime::Error::ProgramMissing(_) => code_uri.fault(error.to_string()),
            runtime::Error::NotHere(reason) => Fault::skip(runtime.line, reason),
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
        // An output's name is alphanumeric, which a variable's need not be.
        let output = |index| format!("{}Variable{index}", resource.id);
        let environment = environment
            .into_iter()
            .enumerate()
            .map(|(index, (name, node))| (name, Deferred::new(output(index), node)));
        let Events { routes, queues } = match resource.properties.get("Events") {
            Some(node) => events::read(node, resource.id, name, scope)?,
            None => Events::default(),
        };
        Ok(Self {
            served: ServedFunction {
                logical_id: resource.id.to_owned(),
                name: name.to_owned(),
                description: properties.text("Description")?,
                directory,
                architecture: architecture(&properties)?,
                // Lambda's defaults and quotas.
                memory_mb: properties.whole("MemorySize", 128..=10_240)?.unwrap_or(128),
                timeout: Duration::from_secs(
                    properties.whole("Timeout", 1..=900)?.unwrap_or(3).into(),
                ),
                routes,
                function_url: properties.get("FunctionUrlConfig")?.is_some(),
            },
            command,
            handler,
            reserved_concurrency: properties.whole("ReservedConcurrentExecutions", 0..=u32::MAX)?,
            environment: environment.collect(),
            queues,
        })
    }

    /// What the emulator has to evaluate.
    pub(crate) fn deferred(&self) -> impl Iterator<Item = &Deferred> {
        let variables = self.environment.iter().map(|(_, value)| value);
        variables.chain(self.queues.iter().map(QueueEvent::deferred))
    }

    /// The function as a host takes it, as in [`Template::resolve`](super::Template::resolve).
    pub(crate) fn function(
        &self,
        outputs: &BTreeMap<String, String>,
        access: &[(&'static str, String)],
    ) -> Result<Function, Fault> {
        let mut environment = BTreeMap::new();
        for (name, value) in &self.environment {
            environment.insert(name.clone(), value.resolve(name, outputs)?);
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
            runtime_variables: self.command.variables.iter().cloned().collect(),
            memory_mb: self.served.memory_mb,
            timeout: self.served.timeout,
            reserved_concurrency: self.reserved_concurrency,
        })
    }
}

fn architecture(properties: &Properties<'_>) -> Result<Architecture, Fault> {
    let Some(node) = properties.get("Architectures")? else {
        return Ok(Architecture::X86_64);
    };
    match node.items() {
        [only] if only.as_str() == Some("x86_64") => Ok(Architecture::X86_64),
        [only] if only.as_str() == Some("arm64") => Ok(Architecture::Arm64),
        _ => Err(node.fault("Architectures must be [x86_64] or [arm64]")),
    }
}
