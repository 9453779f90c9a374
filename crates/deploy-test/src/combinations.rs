//! The deployments that differ by more than a name or a number: few, in which each of the template's conditions is true once
//! and false once, and two conditions that touch each other are so in every way there is.

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

    /// The defaults first, then whichever shows most that is not yet shown.
    pub(crate) fn all(template: &Path) -> anyhow::Result<Vec<Self>> {
        let json = local_stack::to_json(template)?;
        let touching = touching(&json);
        let mut possible: Vec<Self> = Vec::new();
        for parameters in product(&candidates(&json)) {
            let combination = Self::with(template, parameters)?;
            if possible
                .iter()
                .all(|known| known.conditions != combination.conditions)
            {
                possible.push(combination);
            }
        }
        let mut missing: BTreeSet<Shown> = possible
            .iter()
            .flat_map(|combination| combination.shows(&touching))
            .collect();
        let mut chosen: Vec<Self> = Vec::new();
        while !possible.is_empty() && (chosen.is_empty() || !missing.is_empty()) {
            let new =
                |combination: &Self| combination.shows(&touching).intersection(&missing).count();
            // The first of those that show most: the defaults, to begin with.
            let best = match chosen.is_empty() {
                true => 0,
                false => (0..possible.len())
                    .rev()
                    .max_by_key(|&at| new(&possible[at]))
                    .unwrap_or(0),
            };
            let best = possible.remove(best);
            for shown in best.shows(&touching) {
                missing.remove(&shown);
            }
            chosen.push(best);
        }
        Ok(chosen)
    }

    /// What a deployment of it shows: each condition, and each pair that touches.
    fn shows(&self, touching: &BTreeSet<[String; 2]>) -> BTreeSet<Shown> {
        let one = |name: &String| (name.clone(), self.conditions[name]);
        let single = self.conditions.keys().map(|name| vec![one(name)]);
        let pairs = touching.iter().map(|pair| pair.iter().map(one).collect());
        single.chain(pairs).collect()
    }
}

/// Conditions and what they are.
type Shown = Vec<(String, bool)>;

/// The pairs of conditions that one resource or output depends on.
fn touching(template: &Value) -> BTreeSet<[String; 2]> {
    let empty = serde_json::Map::new();
    let known = template["Conditions"].as_object().unwrap_or(&empty);
    let mut pairs = BTreeSet::new();
    for section in ["Resources", "Outputs"] {
        for part in template[section].as_object().unwrap_or(&empty).values() {
            let mut names = BTreeSet::new();
            conditions_in(part, &mut names);
            names.retain(|name| known.contains_key(*name));
            for one in &names {
                let others = names.iter().filter(|other| *other > one);
                pairs.extend(others.map(|other| [(*one).to_owned(), (*other).to_owned()]));
            }
        }
    }
    pairs
}

/// The conditions that `Condition` and `Fn::If` name anywhere in `value`.
fn conditions_in<'a>(value: &'a Value, names: &mut BTreeSet<&'a str>) {
    names.extend(value.get("Condition").and_then(Value::as_str));
    names.extend(
        value
            .get("Fn::If")
            .and_then(|branches| branches[0].as_str()),
    );
    for inner in children(value) {
        conditions_in(inner, names);
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

    const TWO: &str = "
Parameters:
  Tracing: {Type: String, Default: 'off', AllowedValues: [active, 'off', passive]}
  Vpc: {Type: String, Default: ''}
  Size: {Type: Number, Default: 128}
Conditions:
  Traced: !Equals [!Ref Tracing, active]
  InVpc: !Not [!Equals ['', !Ref Vpc]]
";

    #[test]
    fn conditions_that_do_not_touch_are_true_once_and_false_once() {
        let template =
            format!("{TWO}Resources: {{A: {{Condition: Traced}}, B: {{Condition: InVpc}}}}");
        assert_eq!(
            combinations(&template),
            [
                "Tracing=off Vpc= (InVpc: false, Traced: false)",
                "Tracing=active Vpc=sample (InVpc: true, Traced: true)",
            ]
        );
    }

    #[test]
    fn conditions_of_one_resource_meet_in_every_way() {
        let template =
            format!("{TWO}Resources: {{A: {{Condition: Traced, Properties: !If [InVpc, 1, 2]}}}}");
        assert_eq!(
            combinations(&template),
            [
                "Tracing=off Vpc= (InVpc: false, Traced: false)",
                "Tracing=active Vpc=sample (InVpc: true, Traced: true)",
                "Tracing=off Vpc=sample (InVpc: true, Traced: false)",
                "Tracing=active Vpc= (InVpc: false, Traced: true)",
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
