//! The template's conditions: which of them hold.

use std::collections::BTreeMap;

use super::{
    intrinsics::Intrinsic,
    scope::Scope,
    value::{Fault, Node, Value},
};

/// Evaluates every condition. `scope` has the parameters.
pub(crate) fn values(
    section: Option<&Node>,
    scope: &Scope,
) -> Result<BTreeMap<String, bool>, Fault> {
    let Some(section) = section else {
        return Ok(BTreeMap::new());
    };
    section
        .entries()
        .iter()
        .map(|(name, node)| {
            Ok((
                name.clone(),
                Conditions { section, scope }.named(node, name, &[])?,
            ))
        })
        .collect()
}

struct Conditions<'a> {
    section: &'a Node,
    scope: &'a Scope,
}

impl Conditions<'_> {
    /// `path` holds the conditions that lead here: a condition among them would never come to an end.
    fn named(&self, at: &Node, name: &str, path: &[&str]) -> Result<bool, Fault> {
        let node = self
            .section
            .get(name)
            .ok_or_else(|| at.fault(format!("there is no condition {name}")))?;
        if path.contains(&name) {
            return Err(at.fault(format!("condition {name} refers to itself")));
        }
        self.holds(node, &[path, &[name]].concat())
    }

    fn holds(&self, node: &Node, path: &[&str]) -> Result<bool, Fault> {
        if let [(key, name)] = node.entries()
            && key == "Condition"
        {
            return self.condition(name, path);
        }
        let Value::Call(intrinsic, argument) = &node.value else {
            return Err(
                node.fault("a condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition")
            );
        };
        let operands = argument.items();
        match (intrinsic, operands) {
            (Intrinsic::Condition, _) => self.condition(argument, path),
            (Intrinsic::Equals, [left, right]) => Ok(self.text(left)? == self.text(right)?),
            (Intrinsic::Not, [operand]) => Ok(!self.holds(operand, path)?),
            (Intrinsic::And, [_, ..]) => self
                .each(operands, path)
                .map(|held| held.into_iter().all(|held| held)),
            (Intrinsic::Or, [_, ..]) => self
                .each(operands, path)
                .map(|held| held.into_iter().any(|held| held)),
            _ => Err(argument.fault(format!(
                "{} can't be used so in a condition",
                intrinsic.name()
            ))),
        }
    }

    fn each(&self, operands: &[Node], path: &[&str]) -> Result<Vec<bool>, Fault> {
        operands
            .iter()
            .map(|operand| self.holds(operand, path))
            .collect()
    }

    fn condition(&self, name: &Node, path: &[&str]) -> Result<bool, Fault> {
        let text = name
            .as_str()
            .ok_or_else(|| name.fault("Condition takes a name"))?;
        self.named(name, text, path)
    }

    fn text(&self, operand: &Node) -> Result<String, Fault> {
        self.scope
            .evaluate(operand)?
            .and_then(|value| value.text())
            .ok_or_else(|| operand.fault("Fn::Equals compares strings"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    fn evaluated(section: &str) -> Result<BTreeMap<String, bool>, Fault> {
        let scope = Scope {
            parameters: BTreeMap::from([("Stage".to_owned(), Value::String("test".to_owned()))]),
            ..Scope::default()
        };
        values(Some(&yaml::parse(section).unwrap()), &scope)
    }

    #[test]
    fn conditions_are_built_from_each_other_in_any_order() {
        let conditions = evaluated(
            "
Both: !And [!Condition Test, !Not [!Condition Live]]
Either: !Or [Condition: Live, !Equals [a, b]]
Live: !Equals [!Ref Stage, live]
Test: !Equals [!Ref Stage, test]
",
        )
        .unwrap();
        let names = |held| {
            let held = conditions.iter().filter(|(_, value)| **value == held);
            held.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(names(true), ["Both", "Test"]);
        assert_eq!(names(false), ["Either", "Live"]);
    }

    #[test]
    fn what_is_no_condition_is_named_with_its_line() {
        for (section, line, message) in [
            (
                "A: !Condition B\nB: !Condition A",
                2,
                "condition A refers to itself",
            ),
            ("A: !Not [!Condition B]", 1, "there is no condition B"),
            (
                "A: !Equals [a]",
                1,
                "Fn::Equals can't be used so in a condition",
            ),
            ("A: !Equals [a, [b]]", 1, "Fn::Equals compares strings"),
            (
                "\nA: true",
                2,
                "a condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition",
            ),
        ] {
            assert_eq!(evaluated(section), Err(Fault::new(line, message)));
        }
    }
}
