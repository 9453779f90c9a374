//! The properties of a resource, evaluated when they are asked for.

use std::ops::RangeInclusive;

use super::{
    scope::Scope,
    value::{Fault, Node, Value},
};

/// A map of properties.
pub(crate) struct Properties<'a> {
    pub(crate) node: &'a Node,
    pub(crate) scope: &'a Scope,
}

impl<'a> Properties<'a> {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Node>, Fault> {
        match self.node.get(key) {
            Some(node) => self.scope.evaluate(node),
            None => Ok(None),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, Fault> {
        let Some(node) = self.get(key)? else {
            return Ok(None);
        };
        match node.text() {
            Some(text) => Ok(Some(text)),
            None => Err(node.fault(format!("{key} must be a string"))),
        }
    }

    /// A property that `owner`, which begins `at`, must have: as it stands in the template and as text.
    pub(crate) fn required(
        &self,
        key: &str,
        owner: &str,
        at: &Node,
    ) -> Result<(&'a Node, String), Fault> {
        self.node
            .get(key)
            .zip(self.text(key)?)
            .ok_or_else(|| at.fault(format!("{owner} has no {key}")))
    }

    pub(crate) fn whole(
        &self,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, Fault> {
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

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        match self.get(key)? {
            None => Ok(None),
            Some(Node {
                value: Value::Bool(flag),
                ..
            }) => Ok(Some(flag)),
            // What a parameter gives is a string.
            Some(node) => match node.as_str() {
                Some("true") => Ok(Some(true)),
                Some("false") => Ok(Some(false)),
                _ => Err(node.fault(format!("{key} must be true or false"))),
            },
        }
    }

    /// Refuses properties other than these: what has an effect when deployed must have one locally.
    pub(crate) fn only(&self, known: &[&str], owner: &str) -> Result<(), Fault> {
        match self
            .node
            .entries()
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        {
            Some((key, node)) => {
                Err(node.fault(format!("{key} of {owner} is not supported locally")))
            }
            None => Ok(()),
        }
    }
}
