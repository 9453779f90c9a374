//! The servers of ours that are run beside the functions: `Metadata`, `Servers`.
//!
//! CloudFormation takes what it likes as metadata and makes nothing of it. An entry has
//! - `Program`, a file, seen from the template, and `Arguments`, in which `{port}`, `{directory}` (one of its own, made
//!   for it) and `{template}` (the template's) are filled in;
//! - `Path`, where a GET is answered, and `HealthPath`, answered with a 2xx when it is healthy;
//! - `BuiltBy`, the command that makes the program, and `Optional: true` if it can't be had everywhere;
//! - `Needs`, backends that it is led to by its environment, `database` (`DATABASE_HOST` and so on, as the functions are) and
//!   `cache` (`CACHE_ADDRESS`);
//! - `TargetGroup`, the logical id of the load balancer's target group that it stands in, and `Processes`, how many of it;
//! - `PaidByTheHour`, items of the price list and how many of each it has when deployed, and `EachPaidByTheHour`, the same of
//!   each process;
//! - `Description` and, as everything, `Condition`.

use std::{collections::BTreeMap, path::Path};

use backends::program;

use super::{
    load_balancer::{self, LoadBalancer},
    properties::Properties,
    scope::Scope,
    value::{Fault, Node},
};

const KNOWN: [&str; 13] = [
    "Arguments",
    "BuiltBy",
    "Condition",
    "Description",
    "EachPaidByTheHour",
    "HealthPath",
    "Needs",
    "Optional",
    "PaidByTheHour",
    "Path",
    "Processes",
    "Program",
    "TargetGroup",
];

/// More than that are no load for this machine but a mistake.
const MOST_PROCESSES: u32 = 100;

/// A server as the template describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) settings: program::Settings,
    pub(crate) description: Option<String>,
    pub(crate) path: String,
    pub(crate) paid_by_the_hour: BTreeMap<String, f64>,
    pub(crate) needs: Vec<Need>,
    /// How many of it run.
    pub(crate) processes: u32,
    /// What stands in front of them.
    pub(crate) load_balancer: Option<LoadBalancer>,
    pub(crate) built_by: String,
    pub(crate) is_optional: bool,
    /// The line where its program is named.
    pub(crate) line: usize,
}

/// A backend that a server is led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Database,
    Cache,
}

/// Those whose condition holds, in the template's order.
pub(crate) fn read(root: &Node, scope: &Scope, template: &Path) -> Result<Vec<Server>, Fault> {
    let servers = root
        .get("Metadata")
        .and_then(|metadata| metadata.get("Servers"));
    let mut read = Vec::new();
    for (name, node) in servers.map_or(&[][..], Node::entries) {
        if let Some(condition) = node.get("Condition") {
            let named = condition.text().unwrap_or_default();
            if !scope.condition(condition, &named)? {
                continue;
            }
        }
        let mut server = server(name, node, scope, template)?;
        if let Some(group) = node.get("TargetGroup") {
            let named = group.text().unwrap_or_default();
            server.load_balancer = Some(load_balancer::read(root, scope, group, &named)?);
        } else if server.processes > 1 {
            let fault = format!("{name} has several Processes and no TargetGroup");
            return Err(node.fault(fault));
        }
        read.push(server);
    }
    Ok(read)
}

fn server(name: &str, node: &Node, scope: &Scope, template: &Path) -> Result<Server, Fault> {
    let properties = Properties { node, scope };
    properties.only(&KNOWN, name)?;
    let (program, program_path) = properties.required("Program", name, node)?;
    let directory = template.parent().unwrap_or(Path::new(""));
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| program.fault(format!("{program_path}: {error}")))
    };
    let mut arguments = Vec::new();
    // An empty path is no path.
    let beside = absolute(&Path::new(".").join(directory))?;
    let beside = beside.display().to_string();
    for argument in node.get("Arguments").map_or(&[][..], Node::items) {
        let text = argument.text();
        let text = text.ok_or_else(|| argument.fault("an argument must be a string"))?;
        arguments.push(text.replace("{template}", &beside));
    }
    let processes = properties.whole("Processes", 1..=MOST_PROCESSES)?;
    let processes = processes.unwrap_or(1);
    let mut paid_by_the_hour = BTreeMap::new();
    for (key, times) in [("PaidByTheHour", 1), ("EachPaidByTheHour", processes)] {
        for (item, units) in node.get(key).map_or(&[][..], Node::entries) {
            let number: Option<f64> = units.text().and_then(|text| text.parse().ok());
            let number =
                number.ok_or_else(|| units.fault(format!("{item} must be a number of units")))?;
            *paid_by_the_hour.entry(item.clone()).or_default() += number * f64::from(times);
        }
    }
    let mut needs = Vec::new();
    for need in node.get("Needs").map_or(&[][..], Node::items) {
        needs.push(match need.as_str() {
            Some("database") => Need::Database,
            Some("cache") => Need::Cache,
            _ => return Err(need.fault("a server needs a database or a cache")),
        });
    }
    Ok(Server {
        settings: program::Settings {
            name: name.to_owned(),
            program: absolute(&directory.join(&program_path))?,
            variables: Vec::new(),
            arguments,
            health_path: properties.required("HealthPath", name, node)?.1,
        },
        description: properties.text("Description")?,
        path: properties.required("Path", name, node)?.1,
        paid_by_the_hour,
        needs,
        processes,
        load_balancer: None,
        built_by: properties.required("BuiltBy", name, node)?.1,
        is_optional: properties.flag("Optional")?.unwrap_or_default(),
        line: program.line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{sketched, yaml};

    const TEMPLATE: &str = "
Parameters:
  Baselines: {Type: String, Default: none}
Conditions:
  WithBaselines: !Equals [!Ref Baselines, all]
Metadata:
  Servers:
    one:
      Program: bin/one
      BuiltBy: make one
      Arguments: [--port, '{port}', '{template}/one.py']
      HealthPath: /healthz
      Path: /hits
      Needs: [database, cache]
      PaidByTheHour: {vcpu: 0.25}
    two:
      Condition: WithBaselines
      Program: bin/two
      BuiltBy: make two
      Optional: true
      HealthPath: /healthz
      Path: /hits
Resources: {}
";

    fn servers(template: &str, baselines: &str) -> Result<Vec<Server>, Fault> {
        let given = [("Baselines".to_owned(), baselines.to_owned())];
        let root = yaml::parse(template)?;
        let scope = sketched(&root, &given.into())?;
        read(&root, &scope, Path::new("/project/template.yaml"))
    }

    #[test]
    fn a_server_is_read_with_its_program_beside_the_template() {
        let one = servers(TEMPLATE, "none").unwrap().remove(0);
        assert_eq!(one.settings.program, Path::new("/project/bin/one"));
        assert_eq!(
            one.settings.arguments,
            ["--port", "{port}", "/project/one.py"]
        );
        assert_eq!(one.paid_by_the_hour["vcpu"], 0.25);
        assert_eq!(one.needs, [Need::Database, Need::Cache]);
        assert_eq!(one.processes, 1);
        assert!(!one.is_optional);
    }

    #[test]
    fn a_server_whose_condition_is_false_is_left_out() {
        let names = |baselines| -> Vec<_> {
            let servers = servers(TEMPLATE, baselines).unwrap();
            servers.into_iter().map(|it| it.settings.name).collect()
        };
        assert_eq!(names("none"), ["one"]);
        assert_eq!(names("all"), ["one", "two"]);
    }

    #[test]
    fn what_each_process_has_is_paid_for_each() {
        let balanced = TEMPLATE
            .replace(
                "PaidByTheHour: {vcpu: 0.25}",
                "PaidByTheHour: {vcpu: 1}\n      EachPaidByTheHour: {vcpu: 0.25}\n      Processes: 4\n      TargetGroup: Targets",
            )
            .replace(
                "Resources: {}",
                "Resources:
  Targets: {Type: AWS::ElasticLoadBalancingV2::TargetGroup}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties: {Protocol: HTTP, DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]}",
            );
        let one = servers(&balanced, "none").unwrap().remove(0);
        assert_eq!(one.processes, 4);
        assert!(one.load_balancer.is_some());
        assert_eq!(one.paid_by_the_hour["vcpu"], 2.0);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (from, to, expected) in [
            (
                "      Path: /hits\n      Needs",
                "      Needs",
                "8: one has no Path",
            ),
            (
                "vcpu: 0.25",
                "vcpu: few",
                "15: vcpu must be a number of units",
            ),
            (
                "BuiltBy: make one",
                "BuiltOn: today",
                "10: BuiltOn of one is not supported locally",
            ),
            (
                "Condition: With",
                "Condition: Without",
                "17: there is no condition WithoutBaselines",
            ),
            (
                "[database, cache]",
                "[coffee]",
                "14: a server needs a database or a cache",
            ),
            (
                "Needs: [database, cache]",
                "Processes: 2",
                "8: one has several Processes and no TargetGroup",
            ),
            (
                "Needs: [database, cache]",
                "TargetGroup: Group",
                "14: there is no target group Group",
            ),
        ] {
            assert!(TEMPLATE.contains(from), "{from}");
            let fault = servers(&TEMPLATE.replace(from, to), "all").unwrap_err();
            assert_eq!(format!("{}: {}", fault.line, fault.message), expected);
        }
    }
}
