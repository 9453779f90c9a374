//! The template's parameters: their defaults, and the values given in their place.

use std::collections::BTreeMap;

use super::value::{Fault, Node, Value};

/// The value of each parameter. `given` holds known names only.
pub(crate) fn values(
    section: Option<&Node>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, Fault> {
    section
        .map_or(&[][..], Node::entries)
        .iter()
        .map(|(name, parameter)| Ok((name.clone(), value(name, parameter, given.get(name))?)))
        .collect()
}

fn value(name: &str, parameter: &Node, given: Option<&String>) -> Result<Value, Fault> {
    let text = match (given, parameter.get("Default")) {
        (Some(given), _) => given.clone(),
        (None, Some(default)) => default.text().ok_or_else(|| {
            default.fault(format!("the default of {name} is no string or number"))
        })?,
        (None, None) => {
            return Err(
                parameter.fault(format!("parameter {name} needs a value: it has no default"))
            );
        }
    };
    if let Some(allowed) = parameter.get("AllowedValues") {
        let allowed: Vec<String> = allowed.items().iter().filter_map(Node::text).collect();
        if !allowed.contains(&text) {
            let allowed = allowed.join(", ");
            return Err(parameter.fault(format!(
                "parameter {name} can't be {text:?}; it is one of {allowed}"
            )));
        }
    }
    let kind = parameter.get("Type");
    match kind.and_then(Node::as_str) {
        Some("Number") => text.parse().map(Value::Number).map_err(|_| {
            parameter.fault(format!(
                "parameter {name} can't be {text:?}: a number is needed"
            ))
        }),
        Some("CommaDelimitedList") => Ok(Value::List(
            text.split(',')
                .map(|item| Node::string(parameter.line, item.trim()))
                .collect(),
        )),
        Some("String") => Ok(Value::String(text)),
        Some(other) => Err(kind.unwrap_or(parameter).fault(format!(
            "parameters of type {other} are not supported locally"
        ))),
        None => Err(parameter.fault(format!("parameter {name} has no type"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    const SECTION: &str = "
Size: {Type: Number, Default: 128}
Zones: {Type: CommaDelimitedList, Default: 'a, b'}
Architecture:
  Type: String
  Default: x86_64
  AllowedValues: [x86_64, arm64]
";

    fn with(section: &str, given: &[(&str, &str)]) -> Result<BTreeMap<String, Value>, Fault> {
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        values(Some(&yaml::parse(section).unwrap()), &given)
    }

    #[test]
    fn a_given_value_takes_the_place_of_the_default() {
        let values = with(SECTION, &[("Architecture", "arm64")]).unwrap();
        assert_eq!(values["Size"], Value::Number(128.into()));
        assert_eq!(values["Architecture"], Value::String("arm64".to_owned()));
        let Value::List(zones) = &values["Zones"] else {
            panic!("no list")
        };
        assert_eq!(zones[1].as_str(), Some("b"));
        assert!(values_of_nothing().is_empty());
    }

    fn values_of_nothing() -> BTreeMap<String, Value> {
        values(None, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_value_that_can_not_be_is_named_with_its_line() {
        for (section, given, expected) in [
            (
                SECTION,
                &[("Architecture", "arm")][..],
                (
                    4,
                    "parameter Architecture can't be \"arm\"; it is one of x86_64, arm64",
                ),
            ),
            (
                SECTION,
                &[("Size", "big")],
                (2, "parameter Size can't be \"big\": a number is needed"),
            ),
            (
                "A: {Type: String}",
                &[],
                (1, "parameter A needs a value: it has no default"),
            ),
            (
                "A:\n  Default: x\n  Type: AWS::SSM::Parameter::Value<String>",
                &[],
                (
                    3,
                    "parameters of type AWS::SSM::Parameter::Value<String> are not supported locally",
                ),
            ),
        ] {
            let fault = with(section, given).unwrap_err();
            assert_eq!((fault.line, fault.message.as_str()), expected);
        }
    }
}
