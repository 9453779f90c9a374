//! The `Globals` section, merged into a function's properties as SAM does it.

use super::value::{Node, Value};

/// SAM developer guide, "Globals section": maps are merged, lists are put one after the other, and of anything else the
/// function's own value counts.
pub(crate) fn merge(global: &Node, own: &Node) -> Node {
    let value = match (&global.value, &own.value) {
        (Value::Map(global), Value::Map(entries)) => {
            let mut merged = global.clone();
            for (key, value) in entries {
                match merged.iter_mut().find(|(name, _)| name == key) {
                    Some((_, inherited)) => *inherited = merge(inherited, value),
                    None => merged.push((key.clone(), value.clone())),
                }
            }
            Value::Map(merged)
        }
        (Value::List(global), Value::List(items)) => {
            Value::List(global.iter().chain(items).cloned().collect())
        }
        (_, own) => own.clone(),
    };
    Node {
        line: own.line,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    #[test]
    fn maps_are_merged_lists_appended_and_other_values_replaced() {
        let global = "{Timeout: 5, Layers: [a], Environment: {Variables: {A: 1, B: 2}}}";
        let own = "{Timeout: 9, Layers: [b], Environment: {Variables: {B: 3, C: 4}}, Handler: h}";
        let merged = merge(&yaml::parse(global).unwrap(), &yaml::parse(own).unwrap());
        let expected = "{Timeout: 9, Layers: [a, b], Environment: {Variables: {A: 1, B: 3, C: 4}}, Handler: h}";
        assert_eq!(merged.to_json(), yaml::parse(expected).unwrap().to_json());
    }
}
