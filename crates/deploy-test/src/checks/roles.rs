//! Each function has a role of its own, which allows what it needs and nothing else.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, bail, ensure};
use local_stack::ServedFunction;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{
    account::{Account, IAM, texts},
    deployed::Deployed,
    fixtures, say,
};

/// What X-Ray needs of a traced function. "The actions don't support resource-level permissions" (service authorization
/// reference, "Actions, resources, and condition keys for AWS X-Ray"): their resource can only be `*`.
const TRACING: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

/// What Lambda needs of a function in a VPC, on all resources (AWS Lambda Developer Guide, "Giving Lambda functions access to
/// resources in an Amazon VPC: Required IAM permissions").
const IN_VPC: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

/// What lets a function log in to a database by IAM.
pub(crate) const CONNECT: &str = "rds-db:connect";

/// The policies of a role.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// The names of those that are part of it.
    inline: Vec<String>,
    /// The statements of all of them, the attached ones too.
    pub(crate) statements: Vec<Value>,
}

impl Policies {
    /// Reads the policies of a role.
    pub(crate) async fn of(account: &Account, role: &str) -> anyhow::Result<Self> {
        let role = ("RoleName", role);
        let mut documents = Vec::new();
        let listed = account.query(IAM, "ListRolePolicies", &[role]).await?;
        let inline = texts(&listed, "member")?;
        for name in &inline {
            let parameters = [role, ("PolicyName", name.as_str())];
            let policy = account.query(IAM, "GetRolePolicy", &parameters).await?;
            documents.push(document(&policy, "PolicyDocument")?);
        }
        let attached = account
            .query(IAM, "ListAttachedRolePolicies", &[role])
            .await?;
        for arn in texts(&attached, "PolicyArn")? {
            ensure!(
                !arn.contains(":iam::aws:policy/"),
                "{} has {arn}, which is made for every account: its resources are not the stack's",
                role.1
            );
            let arn = ("PolicyArn", arn.as_str());
            let policy = account.query(IAM, "GetPolicy", &[arn]).await?;
            let version = texts(&policy, "DefaultVersionId")?.concat();
            let parameters = [arn, ("VersionId", version.as_str())];
            let version = account.query(IAM, "GetPolicyVersion", &parameters).await?;
            documents.push(document(&version, "Document")?);
        }
        Ok(Self {
            inline,
            statements: documents
                .iter()
                .flat_map(|document| each(&document["Statement"]).cloned())
                .collect(),
        })
    }

    /// On which resources an action is allowed by name.
    pub(crate) fn resources(&self, action: &str) -> Vec<String> {
        self.statements
            .iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .filter(|statement| strings(&statement["Action"]).any(|allowed| allowed == action))
            .flat_map(|statement| strings(&statement["Resource"]).map(str::to_owned))
            .collect()
    }

    /// Whether an action on a resource is allowed by name.
    pub(crate) fn allow(&self, action: &str, resource: &str) -> bool {
        self.resources(action)
            .iter()
            .any(|allowed| allowed == resource)
    }
}

/// Every role of the stack is narrow, and every function has one to itself.
pub(crate) async fn check(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    let own: BTreeSet<&str> = deployed
        .resources
        .iter()
        .map(|resource| resource.physical_id.as_str())
        .collect();
    let mut taken = BTreeSet::new();
    for function in &deployed.functions {
        let role = role_of(&function.configuration)?;
        ensure!(
            own.contains(role),
            "the role of {} is not the stack's: {role}",
            function.logical_id
        );
        ensure!(
            taken.insert(role),
            "{} shares its role {role} with another function",
            function.logical_id
        );
    }
    callers(deployed)?;
    for role in deployed.of_kind("AWS::IAM::Role") {
        let name = role.physical_id.as_str();
        let mut anywhere = Vec::new();
        for function in &deployed.functions {
            if role_of(&function.configuration)? == name {
                let traced = function.configuration["TracingConfig"]["Mode"] == "Active";
                // The emulator's Lambda does not tell.
                let properties = deployed.properties(&function.logical_id);
                anywhere.extend(everywhere(traced, properties.get("VpcConfig").is_some()));
            }
        }
        let found = account.query(IAM, "GetRole", &[("RoleName", name)]).await?;
        let trust = document(&found, "AssumeRolePolicyDocument")?;
        for statement in each(&trust["Statement"]) {
            ensure!(
                !statement["Principal"].to_string().contains('*'),
                "{}: everybody may assume it: {statement}",
                role.logical_id
            );
        }
        let policies = Policies::of(account, name).await?;
        for statement in &policies.statements {
            if let Some(complaint) = complaint(statement, &anywhere, &own) {
                bail!("{}: {complaint}: {statement}", role.logical_id);
            }
        }
        say!(
            "{} allows {}",
            role.logical_id,
            actions(&policies.statements)
        );
    }
    Ok(())
}

/// Only the stack's own API and who signs requests may invoke a function: what is public is behind the API's limits.
fn callers(deployed: &Deployed) -> anyhow::Result<()> {
    for url in deployed.of_kind("AWS::Lambda::Url") {
        ensure!(
            deployed.properties(&url.logical_id)["AuthType"] == "AWS_IAM",
            "{}: everybody may call it",
            url.logical_id
        );
    }
    for permission in deployed.of_kind("AWS::Lambda::Permission") {
        let properties = deployed.properties(&permission.logical_id);
        ensure!(
            properties["Principal"] != "*" && properties.get("SourceArn").is_some(),
            "{}: not only the stack may invoke the function: {properties}",
            permission.logical_id
        );
    }
    Ok(())
}

/// Without the policies that are its role's own, a function does not get through its events: the emulator does hold it to
/// its role, and it has the policies for a reason. For the end of a stack, which can't be used any more.
pub(crate) async fn are_needed(
    account: &Account,
    deployed: &Deployed,
    functions: &[ServedFunction],
    root: &Path,
) -> anyhow::Result<()> {
    for function in functions {
        let deployed = deployed.function(&function.logical_id)?;
        let role = role_of(&deployed.configuration)?;
        let policies = Policies::of(account, role).await?;
        if policies.inline.is_empty() {
            continue;
        }
        if !policies.resources(CONNECT).is_empty() {
            say!(
                "whether {} needs its policies, no database can tell",
                function.name
            );
            continue;
        }
        let fixtures = fixtures::of(root, &function.name)?;
        let mut allowed = 0;
        for fixture in &fixtures {
            let answer = account
                .invoke(&deployed.physical_id, &fixture.event)
                .await?;
            allowed += answer.failed_records().len();
        }
        for name in &policies.inline {
            let parameters = [("RoleName", role), ("PolicyName", name.as_str())];
            account.query(IAM, "DeleteRolePolicy", &parameters).await?;
        }
        let mut complaints = 0;
        let mut denied = 0;
        for fixture in &fixtures {
            let answer = account
                .invoke(&deployed.physical_id, &fixture.event)
                .await?;
            complaints += usize::from(answer.complaint().is_some());
            denied += answer.failed_records().len();
        }
        ensure!(
            complaints > 0 || denied > allowed,
            "{} answers all its events without the policies {}",
            function.name,
            policies.inline.join(", ")
        );
        say!("{} fails without its policies", function.name);
    }
    Ok(())
}

/// The name of a function's role.
pub(crate) fn role_of(configuration: &Value) -> anyhow::Result<&str> {
    configuration["Role"]
        .as_str()
        .and_then(|arn| arn.rsplit('/').next())
        .context("a function has a role")
}

/// The actions that a function's role has to allow on all resources.
fn everywhere(traced: bool, in_vpc: bool) -> impl Iterator<Item = &'static str> {
    let tracing = traced.then_some(TRACING).into_iter().flatten();
    tracing.chain(in_vpc.then_some(IN_VPC).into_iter().flatten())
}

/// What is wrong with a statement of a policy. `everywhere` are the actions that may be allowed on all resources, `own` the
/// physical ids of the stack's resources.
fn complaint(statement: &Value, everywhere: &[&str], own: &BTreeSet<&str>) -> Option<String> {
    if statement["Effect"] != "Allow" {
        return None;
    }
    if statement.get("NotAction").is_some() || statement.get("NotResource").is_some() {
        return Some("all but some is too much".to_owned());
    }
    if let Some(action) = strings(&statement["Action"]).find(|action| is_wildcard(action)) {
        return Some(format!("{action} is more than one action"));
    }
    if strings(&statement["Action"]).all(|action| everywhere.contains(&action)) {
        return None;
    }
    strings(&statement["Resource"])
        .find(|resource| is_wildcard(resource) && !is_below_own(resource, own))
        .map(|resource| format!("{resource} is more than the stack's"))
}

fn is_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether it is all below one of the stack's resources, as a log group's streams are.
fn is_below_own(resource: &str, own: &BTreeSet<&str>) -> bool {
    let Some(parent) = resource.strip_suffix(":*") else {
        return false;
    };
    !is_wildcard(parent) && parent.rsplit(':').next().is_some_and(|id| own.contains(id))
}

fn actions(statements: &[Value]) -> String {
    let actions: BTreeSet<&str> = statements
        .iter()
        .flat_map(|statement| strings(&statement["Action"]))
        .collect();
    Vec::from_iter(actions).join(", ")
}

/// A policy document, which IAM encodes as part of a URL.
fn document(answer: &str, name: &str) -> anyhow::Result<Value> {
    let text = texts(answer, name)?.concat();
    let decoded = match text.starts_with('{') {
        true => text,
        false => percent_decode_str(&text).decode_utf8()?.into_owned(),
    };
    serde_json::from_str(&decoded).with_context(|| format!("{name} is no JSON: {decoded}"))
}

/// The items of a list, or the one that stands in its place.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    each(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaint_of(action: Value, resource: &str, everywhere: &[&str]) -> Option<String> {
        let statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
        complaint(&statement, everywhere, &BTreeSet::from(["/logs", "table"]))
    }

    #[test]
    fn a_wildcard_is_complained_of() {
        let table = "arn:aws:dynamodb:eu-west-2:123456789012:table/table";
        assert_eq!(
            complaint_of(json!("dynamodb:GetItem"), table, &TRACING),
            None
        );
        for (action, resource) in [
            (json!("*"), table),
            (json!(["dynamodb:GetItem", "dynamodb:*"]), table),
            (json!("dynamodb:Get????"), table),
            (json!("dynamodb:GetItem"), "*"),
            (
                json!("dynamodb:GetItem"),
                "arn:aws:dynamodb:*:123456789012:table/table",
            ),
            (json!("s3:GetObject"), "arn:aws:s3:::bucket/*"),
        ] {
            assert!(
                complaint_of(action, resource, &TRACING).is_some(),
                "{resource}"
            );
        }
        for negated in ["NotAction", "NotResource"] {
            let statement = json!({ "Effect": "Allow", negated: "a:b" });
            assert!(complaint(&statement, &TRACING, &BTreeSet::new()).is_some());
        }
        let denied = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
        assert_eq!(complaint(&denied, &[], &BTreeSet::new()), None);
    }

    #[test]
    fn what_is_below_one_of_the_stacks_resources_is_not() {
        let put = || json!("logs:PutLogEvents");
        let group = "arn:aws:logs:eu-west-2:123456789012:log-group";
        assert_eq!(complaint_of(put(), &format!("{group}:/logs:*"), &[]), None);
        for other in [format!("{group}:/other:*"), format!("{group}:/lo*:*")] {
            assert!(complaint_of(put(), &other, &[]).is_some(), "{other}");
        }
    }

    #[test]
    fn a_traced_function_may_send_traces_and_one_in_a_vpc_may_join_it() {
        let traces = || json!(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]);
        let traced = Vec::from_iter(everywhere(true, false));
        let in_vpc = Vec::from_iter(everywhere(false, true));
        assert_eq!(complaint_of(traces(), "*", &traced), None);
        assert!(complaint_of(traces(), "*", &in_vpc).is_some());
        let more = json!(["xray:PutTraceSegments", "xray:GetTraceSummaries"]);
        assert!(complaint_of(more, "*", &traced).is_some());
        let join = || json!(["ec2:CreateNetworkInterface", "ec2:DescribeSubnets"]);
        assert_eq!(complaint_of(join(), "*", &in_vpc), None);
        assert!(complaint_of(join(), "*", &traced).is_some());
    }

    #[test]
    fn an_action_is_allowed_by_its_name_on_the_resource_itself() {
        let policies = Policies {
            inline: Vec::new(),
            statements: vec![
                json!({ "Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": "x" }),
            ],
        };
        assert!(policies.allow("a:C", "x"));
        assert!(!policies.allow("a:D", "x") && !policies.allow("a:C", "y"));
    }
}
