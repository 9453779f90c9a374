//! An RDS Proxy can't be made.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Gap, made};
use crate::account::Account;

pub(super) const GAP: Gap = Gap {
    lacks: "an RDS Proxy can't be made",
    instead: "it is taken out of the copy of the template, and texts stand for its name, ARN and endpoint",
};

const PROXY: &str = "AWS::RDS::DBProxy";
const REFUSED: [&str; 2] = [PROXY, "AWS::RDS::DBProxyTargetGroup"];

const NAME: &str = "proxy";
const ARN: &str = "arn:aws:rds:eu-west-2:123456789012:db-proxy:prx-0123456789abcdef0";
pub(crate) const ENDPOINT: &str = "proxy.example";

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let Err(refusal) = made(account, "gap-proxy", PROXY, json!({})).await else {
        return Ok(false);
    };
    let refusal = refusal.to_string();
    ensure!(
        refusal.contains("Unrecognized resource types"),
        "{PROXY} is refused for another reason: {refusal}"
    );
    Ok(true)
}

/// The template without proxies, if it has one under these conditions.
pub(crate) fn taken_out(mut template: Value, conditions: &BTreeMap<String, bool>) -> Option<Value> {
    let resources = template["Resources"].as_object_mut()?;
    let is_made = |resource: &Value| {
        let condition = resource["Condition"].as_str();
        condition.is_none_or(|name| conditions.get(name).copied().unwrap_or_default())
    };
    let mut proxies = Vec::new();
    resources.retain(|id, resource| {
        let is_refused = REFUSED.iter().any(|kind| resource["Type"] == *kind) && is_made(resource);
        if is_refused {
            proxies.push(id.clone());
        }
        !is_refused
    });
    if proxies.is_empty() {
        return None;
    }
    for proxy in &proxies {
        replace(&mut template, proxy);
    }
    Some(template)
}

/// Puts texts in the place of what leads to the proxy.
fn replace(value: &mut Value, proxy: &str) {
    match value {
        Value::Object(entries) => {
            if let Some(text) = stand_in(entries, proxy) {
                *value = text.into();
                return;
            }
            entries.values_mut().for_each(|inner| replace(inner, proxy));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| replace(inner, proxy)),
        Value::String(text) => *text = text.replace(&format!("${{{proxy}}}"), NAME),
        _ => {}
    }
}

fn stand_in(call: &serde_json::Map<String, Value>, proxy: &str) -> Option<&'static str> {
    if call.get("Ref").is_some_and(|name| name == proxy) {
        return Some(NAME);
    }
    match call.get("Fn::GetAtt")?.as_array()?.as_slice() {
        [resource, attribute] if resource == proxy => match attribute.as_str()? {
            "DBProxyArn" => Some(ARN),
            "Endpoint" => Some(ENDPOINT),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_is_made_is_taken_out_with_what_leads_to_it() {
        let template = json!({ "Resources": {
            "Proxy": { "Type": "AWS::RDS::DBProxy", "Condition": "Live" },
            "Targets": { "Type": "AWS::RDS::DBProxyTargetGroup", "Condition": "Live",
                "Properties": { "DBProxyName": { "Ref": "Proxy" } } },
            "Function": { "Type": "F", "Properties": {
                "Host": { "Fn::GetAtt": ["Proxy", "Endpoint"] },
                "Other": { "Fn::GetAtt": ["ProxyRole", "Arn"] },
                "Widgets": { "Fn::Sub": "[${Proxy}, ${ProxySecret}]" },
                "Id": { "Fn::Select": [6, { "Fn::Split": [":", { "Fn::GetAtt": ["Proxy", "DBProxyArn"] }] }] },
            } },
        } });
        let conditions = |live| BTreeMap::from([("Live".to_owned(), live)]);
        assert_eq!(taken_out(template.clone(), &conditions(false)), None);
        assert_eq!(
            taken_out(template, &conditions(true)).unwrap(),
            json!({ "Resources": { "Function": { "Type": "F", "Properties": {
                "Host": ENDPOINT,
                "Other": { "Fn::GetAtt": ["ProxyRole", "Arn"] },
                "Widgets": { "Fn::Sub": "[proxy, ${ProxySecret}]" },
                "Id": { "Fn::Select": [6, { "Fn::Split": [":", ARN] }] },
            } } } })
        );
    }
}
