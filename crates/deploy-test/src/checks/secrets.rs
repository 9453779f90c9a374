//! No environment variable holds a secret: whoever may read a function's configuration would have it.

use std::collections::BTreeSet;

use anyhow::bail;
use serde_json::Value;

use crate::{
    deployed::{Deployed, entries},
    log::say,
};

/// Parts of the names that secrets bear.
const NAMES: [&str; 8] = [
    "ACCESS_KEY",
    "APIKEY",
    "API_KEY",
    "CREDENTIAL",
    "PASSWD",
    "PASSWORD",
    "SECRET",
    "TOKEN",
];

/// Beginnings of access key ids (IAM user guide, "IAM identifiers: Unique identifiers") and of PEM.
const BEGINNINGS: [&str; 3] = ["AKIA", "ASIA", "-----BEGIN"];

pub(crate) fn check(deployed: &Deployed) -> anyhow::Result<()> {
    let unspoken: BTreeSet<&str> = deployed.template["Parameters"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, parameter)| {
            matches!(&parameter["NoEcho"], Value::Bool(true)) || parameter["NoEcho"] == "true"
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let mut count = 0;
    for function in &deployed.functions {
        let written = &deployed.properties(&function.logical_id)["Environment"]["Variables"];
        let variables = &function.configuration["Environment"]["Variables"];
        for (name, value) in entries(variables) {
            count += 1;
            let value = value.as_str().unwrap_or_default();
            if let Some(reason) = secret(name, value, &written[name], &unspoken) {
                bail!("{}: variable {name} {reason}", function.logical_id);
            }
        }
    }
    say!("no secret in {count} environment variables");
    Ok(())
}

/// Why a variable is taken for a secret. `written` is what the template has for it.
fn secret(
    name: &str,
    value: &str,
    written: &Value,
    unspoken: &BTreeSet<&str>,
) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let written = written.to_string();
    if written.contains("{{resolve:") {
        return Some("is resolved from a secret or a parameter store when it is deployed");
    }
    let refers_to = |parameter: &&&str| {
        written.contains(&format!("{{\"Ref\":\"{parameter}\"}}"))
            || written.contains(&format!("${{{parameter}}}"))
    };
    if unspoken.iter().any(|parameter| refers_to(&parameter)) {
        return Some("comes from a parameter that must not be shown");
    }
    // Where a secret is kept is none.
    let is_reference = value.starts_with("arn:");
    if !is_reference && NAMES.iter().any(|part| name.contains(part)) {
        return Some("is called like a secret");
    }
    if BEGINNINGS
        .iter()
        .any(|beginning| value.starts_with(beginning))
    {
        return Some("begins like a secret");
    }
    let authority = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next());
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Some("is a URL with credentials");
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(name: &str, value: &str, written: Value) -> Option<&'static str> {
        secret(name, value, &written, &BTreeSet::from(["Password"]))
    }

    #[test]
    fn what_looks_like_a_secret_is_one() {
        let text = Value::from("");
        for (name, value) in [
            ("DB_PASSWORD", "hunter2"),
            ("stripe_api_key", "x"),
            ("KEY", "AKIAIOSFODNN7EXAMPLE"),
            ("PEM", "-----BEGIN PRIVATE KEY-----"),
            ("DB", "mysql://user:pass@host/db"),
        ] {
            assert!(reason(name, value, text.clone()).is_some(), "{name}");
        }
        for written in [
            json!({ "Ref": "Password" }),
            json!({ "Fn::Sub": "x-${Password}" }),
            json!("{{resolve:secretsmanager:db:SecretString:password}}"),
        ] {
            assert!(reason("A", "x", written.clone()).is_some(), "{written}");
        }
    }

    #[test]
    fn what_leads_to_a_secret_is_none() {
        let arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:db";
        for (name, value) in [
            ("DB_SECRET_ARN", arn),
            ("TABLE_NAME", "latency-Table-1"),
            ("QUEUE_URL", "http://localhost:4566/123456789012/queue"),
        ] {
            assert_eq!(
                reason(name, value, json!({ "Ref": "Table" })),
                None,
                "{name}"
            );
        }
    }
}
