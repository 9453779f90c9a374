//! The deployments that differ by more than a name or a number: one for each way in which the template's conditions can
//! turn out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use serde_json::Value;

/// Stands for a text that the template compares with nothing.
const SAMPLE: &str = "sample";

/// Values for parameters, and what the conditions are with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Combination {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) conditions: BTreeMap<String, bool>,
}

impl Combination {
    /// The template with these parameters and its defaults.
    pub(crate) fn with(
        template: &Path,
        parameters: BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            conditions: local_stack::conditions(template, &parameters)?,
            parameters,
        })
    }

    /// One combination for each truth assignment that some values of the parameters lead to; that of the defaults first.
    pub(crate) fn all(template: &Path) -> anyhow::Result<Vec<Self>> {
        let mut combinations: Vec<Self> = Vec::new();
        for parameters in product(&candidates(&local_stack::to_json(template)?)) {
            let combination = Self::with(template, parameters)?;
            if combinations
                .iter()
                .all(|known| known.conditions != combination.conditions)
            {
                combinations.push(combination);
            }
        }
        Ok(combinations)
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let conditions = self
            .conditions
            .iter()
            .map(|(name, holds)| format!("{name}: {holds}"));
        let (parameters, conditions): (Vec<_>, Vec<_>) =
            (parameters.collect(), conditions.collect());
        write!(
            out,
            "{} ({})",
            if parameters.is_empty() {
                "the defaults".to_owned()
            } else {
                parameters.join(" ")
            },
            if conditions.is_empty() {
                "no conditions".to_owned()
            } else {
                conditions.join(", ")
            }
        )
    }
}

/// What each parameter could be that a condition uses, that a rule demands, or that has no default.
fn candidates(template: &Value) -> Vec<(String, Vec<String>)> {
    let empty = serde_json::Map::new();
    let parameters = template["Parameters"].as_object().unwrap_or(&empty);
    let conditions = &template["Conditions"];
    let mut used = BTreeSet::new();
    references(conditions, &mut used);
    let mut demanded = BTreeSet::new();
    references(&template["Rules"], &mut demanded);
    parameters
        .iter()
        .filter(|(name, parameter)| {
            let name = name.as_str();
            used.contains(name) || demanded.contains(name) || parameter.get("Default").is_none()
        })
        .map(|(name, parameter)| {
            if !used.contains(name.as_str()) && demanded.contains(name.as_str()) {
                return (name.clone(), vec![sample(parameter)]);
            }
            let mut values: Vec<String> = parameter
                .get("Default")
                .and_then(text)
                .into_iter()
                .collect();
            match parameter["AllowedValues"].as_array() {
                Some(allowed) => values.extend(allowed.iter().filter_map(text)),
                None => compared(conditions, name, &mut values),
            }
            let mut seen = BTreeSet::new();
            values.retain(|value| seen.insert(value.clone()));
            if values.len() < 2 && parameter.get("AllowedValues").is_none() {
                values.push(sample(parameter));
            }
            (name.clone(), values)
        })
        .collect()
}

fn sample(parameter: &Value) -> String {
    if parameter["Type"] == "Number" {
        // Its least value is allowed, whatever else is.
        return text(&parameter["MinValue"]).unwrap_or_else(|| "1".to_owned());
    }
    SAMPLE.to_owned()
}

/// The names that `Ref` leads to anywhere in `value`.
fn references<'a>(value: &'a Value, names: &mut BTreeSet<&'a str>) {
    if let Some(name) = reference(value) {
        names.insert(name);
    }
    for inner in children(value) {
        references(inner, names);
    }
}

/// The literals that a parameter is compared with.
fn compared(value: &Value, parameter: &str, literals: &mut Vec<String>) {
    if let Some([left, right]) = value["Fn::Equals"].as_array().map(Vec::as_slice) {
        for (one, other) in [(left, right), (right, left)] {
            if reference(one) == Some(parameter) {
                literals.extend(text(other));
            }
        }
    }
    for inner in children(value) {
        compared(inner, parameter, literals);
    }
}

fn reference(value: &Value) -> Option<&str> {
    value.get("Ref")?.as_str()
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(entries) => Box::new(entries.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Every choice of one value for each parameter; the first values first.
fn product(candidates: &[(String, Vec<String>)]) -> Vec<BTreeMap<String, String>> {
    let mut chosen = vec![BTreeMap::new()];
    for (name, values) in candidates {
        chosen = chosen
            .iter()
            .flat_map(|parameters| {
                values.iter().map(move |value| {
                    let mut parameters = parameters.clone();
                    parameters.insert(name.clone(), value.clone());
                    parameters
                })
            })
            .collect();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combinations(template: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("template.yaml");
        std::fs::write(&path, template).unwrap();
        let combinations = Combination::all(&path).unwrap();
        combinations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_way_in_which_the_conditions_can_turn_out_is_there_once() {
        let template = "
Parameters:
  Tracing: {Type: String, Default: 'off', AllowedValues: [active, 'off', passive]}
  Vpc: {Type: String, Default: ''}
  Size: {Type: Number, Default: 128}
Conditions:
  Traced: !Equals [!Ref Tracing, active]
  InVpc: !Not [!Equals ['', !Ref Vpc]]
  Both: !And [!Condition Traced, !Condition InVpc]
";
        assert_eq!(
            combinations(template),
            [
                "Tracing=off Vpc= (Both: false, InVpc: false, Traced: false)",
                "Tracing=off Vpc=sample (Both: false, InVpc: true, Traced: false)",
                "Tracing=active Vpc= (Both: false, InVpc: false, Traced: true)",
                "Tracing=active Vpc=sample (Both: true, InVpc: true, Traced: true)",
            ]
        );
    }

    #[test]
    fn a_literal_that_a_parameter_is_compared_with_is_a_candidate() {
        let template = "
Parameters: {Stage: {Type: String, Default: test}}
Conditions: {Live: !Equals [live, !Ref Stage]}
";
        assert_eq!(
            combinations(template),
            ["Stage=test (Live: false)", "Stage=live (Live: true)"]
        );
    }

    #[test]
    fn what_a_rule_demands_is_given() {
        let template = "
Parameters:
  Database: {Type: String, Default: none}
  Host: {Type: String, Default: ''}
Rules:
  Existing:
    RuleCondition: !Equals [!Ref Database, existing]
    Assertions: [{Assert: !Not [!Equals [!Ref Host, '']]}]
Conditions: {WithDatabase: !Not [!Equals [!Ref Database, none]]}
";
        assert_eq!(
            combinations(template),
            [
                "Database=none Host=sample (WithDatabase: false)",
                "Database=sample Host=sample (WithDatabase: true)"
            ]
        );
    }

    #[test]
    fn a_template_without_conditions_is_deployed_once() {
        let template = "Parameters: {Stage: {Type: String, Default: test}}";
        assert_eq!(combinations(template), ["the defaults (no conditions)"]);
        let needed = "Parameters: {Size: {Type: Number, MinValue: 3}}";
        assert_eq!(combinations(needed), ["Size=3 (no conditions)"]);
    }
}
