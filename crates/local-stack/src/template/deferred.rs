//! Values that may hang on what the emulator makes: its CloudFormation evaluates them, as outputs.

use std::collections::BTreeMap;

use super::value::{Fault, Node};

/// A string of the template, evaluated but for what only the emulator knows.
#[derive(Clone, Debug)]
pub(crate) struct Deferred {
    /// The name of its output, alphanumeric and its own.
    output: String,
    node: Node,
}

impl Deferred {
    pub(crate) fn new(output: String, node: Node) -> Self {
        Self { output, node }
    }

    /// What the emulator has to evaluate, and under which name. `None` if the value is known already.
    pub(crate) fn output(&self) -> Option<(&str, serde_json::Value)> {
        match self.node.text() {
            Some(_) => None,
            None => Some((&self.output, self.node.to_json())),
        }
    }

    /// The value, with the emulator's outputs. `name` is what the template calls it.
    pub(crate) fn resolve(
        &self,
        name: &str,
        outputs: &BTreeMap<String, String>,
    ) -> Result<String, Fault> {
        self.node
            .text()
            .or_else(|| outputs.get(&self.output).cloned())
            .ok_or_else(|| {
                self.node
                    .fault(format!("the emulator has no value for {name}"))
            })
    }
}
