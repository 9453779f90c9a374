//! The template's outputs.

use super::{
    deferred::Deferred,
    scope::Scope,
    value::{Node, Value},
};

/// Each output that has a value locally. What names a resource that is not made here is left out.
pub(crate) fn values(section: Option<&Node>, scope: &Scope) -> Vec<(String, Deferred)> {
    section
        .map_or(&[][..], Node::entries)
        .iter()
        .filter(|(_, output)| match output.get("Condition") {
            Some(condition) => {
                let name = condition.text().unwrap_or_default();
                scope.condition(condition, &name).unwrap_or_default()
            }
            None => true,
        })
        .filter_map(|(name, output)| {
            let value = scope.evaluate(output.get("Value")?).ok()??;
            let is_text = value.text().is_some() || matches!(value.value, Value::Call(..));
            is_text.then(|| (name.clone(), Deferred::new(format!("Output{name}"), value)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::template::{
        scope::{Endpoints, Local},
        yaml,
    };

    #[test]
    fn outputs_have_their_values_and_what_has_none_locally_is_left_out() {
        let section = "
Url: {Value: !Sub '${Api.ApiEndpoint}/hits'}
QueueUrl: {Description: d, Value: !Ref Queue}
Dashboard: {Value: !Ref Dashboard}
Later: {Condition: Live, Value: x}
";
        let scope = Scope {
            conditions: BTreeMap::from([("Live".to_owned(), false)]),
            resources: BTreeMap::from([
                ("Api".to_owned(), Local::HttpApi),
                ("Queue".to_owned(), Local::State),
                (
                    "Dashboard".to_owned(),
                    Local::Nothing("AWS::CloudWatch::Dashboard".to_owned()),
                ),
            ]),
            endpoints: Endpoints {
                api: "http://127.0.0.1:9000".to_owned(),
                ..Endpoints::default()
            },
            ..Scope::default()
        };
        let outputs = values(Some(&yaml::parse(section).unwrap()), &scope);
        let made = BTreeMap::from([("OutputQueueUrl".to_owned(), "http://queue".to_owned())]);
        let resolved: Vec<_> = outputs
            .iter()
            .map(|(name, value)| (name.as_str(), value.resolve(name, &made).unwrap()))
            .collect();
        assert_eq!(
            resolved,
            [
                ("Url", "http://127.0.0.1:9000/hits".to_owned()),
                ("QueueUrl", "http://queue".to_owned()),
            ]
        );
    }
}
