//! The map of names that `Fn::Sub` may take: CloudFormation passes over a name that the text does not use, and with it whatever
//! was meant to be there.

use super::{
    intrinsics::Intrinsic,
    value::{Fault, Node, Value},
};

/// Fails on a name, anywhere below this node, that its `Fn::Sub` gives and does not use.
pub(crate) fn check(node: &Node) -> Result<(), Fault> {
    match &node.value {
        Value::List(items) => items.iter().try_for_each(check),
        Value::Map(entries) => entries.iter().try_for_each(|(_, value)| check(value)),
        Value::Call(Intrinsic::Sub, argument) => {
            if let [text, names] = argument.items() {
                let text = text.as_str().unwrap_or_default();
                for (name, value) in names.entries() {
                    if !uses(text, name) {
                        return Err(value.fault(format!(
                            "Fn::Sub is given {name}, but its text has no ${{{name}}}"
                        )));
                    }
                }
            }
            check(argument)
        }
        Value::Call(_, argument) => check(argument),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn uses(text: &str, name: &str) -> bool {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .any(|(used, _)| used.trim() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    fn checked(text: &str) -> Result<(), Fault> {
        check(&yaml::parse(text).unwrap())
    }

    #[test]
    fn a_name_that_a_text_does_not_use_is_refused_with_its_line() {
        let unused = "
Dashboard:
  Body: !If
    - Live
    - Fn::Sub:
        - '${Functions} ${!Widget} Widget'
        - Functions: a
          Widget: b
    - ''
";
        assert_eq!(
            checked(unused),
            Err(Fault::new(
                8,
                "Fn::Sub is given Widget, but its text has no ${Widget}"
            ))
        );
    }

    #[test]
    fn names_that_are_used_pass() {
        assert_eq!(checked("A: !Sub ['${A}-${ B }', {A: 1, B: 2}]"), Ok(()));
        assert_eq!(checked("A: !Sub '${B}'"), Ok(()));
    }
}
