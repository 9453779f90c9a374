//! A value of the template, which knows its line.

use serde_json::{Map, Number, json};

use super::intrinsics::Intrinsic;

/// What is wrong with the template, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) message: String,
    /// Whether the template is right, and the function just can't run on this machine: the message says why.
    pub(crate) skips: bool,
}

impl Fault {
    pub(crate) fn new(line: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
            skips: false,
        }
    }

    pub(crate) fn skip(line: usize, reason: impl Into<String>) -> Self {
        Self {
            skips: true,
            ..Self::new(line, reason)
        }
    }
}

/// A value and the line on which it begins, or on which the key stands that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    /// In the template's order.
    Map(Vec<(String, Node)>),
    /// An intrinsic function and its argument, in whichever form it was written.
    Call(Intrinsic, Box<Node>),
}

impl Node {
    pub(crate) fn string(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            value: Value::String(text.into()),
        }
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.line, message)
    }

    /// The value of a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The entries of a map; of anything else, none.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; of anything else, none.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as CloudFormation writes it into a string.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Call(..) => None,
        }
    }

    /// As JSON, intrinsic functions in their long form.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.clone().into(),
            Value::String(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect::<Map<_, _>>()
                .into(),
            Value::Call(intrinsic, argument) => {
                // JSON has no short form: the resource and its attribute stand in a list.
                let argument = match argument.as_str().and_then(|text| text.split_once('.')) {
                    Some((resource, attribute)) if *intrinsic == Intrinsic::GetAtt => {
                        json!([resource, attribute])
                    }
                    _ => argument.to_json(),
                };
                Map::from_iter([(intrinsic.name().to_owned(), argument)]).into()
            }
        }
    }
}
