//! An Application Load Balancer as the template describes it: the listener that leads to a target group, its rules in the
//! order of their priorities, and how the group sees whether a target is healthy.
//!
//! What has an effect on AWS and none here is refused, but for the network around it.

use std::time::Duration;

use super::{
    intrinsics::Intrinsic,
    properties::Properties,
    resources::{self, Resource},
    scope::{Local, Scope},
    value::{Fault, Node, Value},
};

const LISTENER: &str = "AWS::ElasticLoadBalancingV2::Listener";
const RULE: &str = "AWS::ElasticLoadBalancingV2::ListenerRule";
const TARGET_GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

/// A listener, seen from the one target group that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadBalancer {
    /// The first that matches counts.
    pub(crate) rules: Vec<Rule>,
    /// What is done where none matches.
    pub(crate) default: Action,
    pub(crate) health: HealthCheck,
}

/// What is done with some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Patterns with `*` and `?`, one of which has to match.
    pub(crate) paths: Vec<String>,
    pub(crate) action: Action,
}

/// What is done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A target gets it.
    Forward,
    /// The load balancer answers itself.
    FixedResponse {
        status: u32,
        content_type: String,
        body: String,
    },
}

/// How a target group sees whether a target is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    /// From one check to the next.
    pub(crate) interval: Duration,
    /// So many failures in a row make a target unhealthy.
    pub(crate) unhealthy_threshold: u32,
}

/// The listener that leads to the target group of this logical id, which `at` names.
pub(crate) fn read(
    root: &Node,
    scope: &Scope,
    at: &Node,
    group: &str,
) -> Result<LoadBalancer, Fault> {
    let made = |kind: &str, resource: &Resource<'_>| {
        resource.kind == kind && matches!(scope.resources.get(resource.id), Some(Local::Nothing(_)))
    };
    let resources = resources::read(root)?;
    let health = resources
        .iter()
        .find(|resource| resource.id == group && made(TARGET_GROUP, resource))
        .ok_or_else(|| at.fault(format!("there is no target group {group}")))?;
    let health = health_check(health, scope)?;
    for listener in resources.iter().filter(|it| made(LISTENER, it)) {
        let mut rules = Vec::new();
        let of_listener = |it: &&Resource<'_>| {
            let of = it.properties.get("ListenerArn").and_then(reference);
            made(RULE, it) && of == Some(listener.id)
        };
        for resource in resources.iter().filter(of_listener) {
            rules.push((priority(resource, scope)?, resource));
        }
        rules.sort_by_key(|(priority, _)| *priority);
        let actions = |resource: &Resource<'_>, key| {
            let actions = resource.properties.get(key).map_or(&[][..], Node::items);
            actions.iter().any(|it| leads_to(it, group))
        };
        if !actions(listener, "DefaultActions")
            && !rules.iter().any(|(_, rule)| actions(rule, "Actions"))
        {
            continue;
        }
        only(
            listener,
            scope,
            &["DefaultActions", "LoadBalancerArn", "Port", "Protocol"],
        )?;
        let properties = of(listener, scope);
        if properties.text("Protocol")?.as_deref() != Some("HTTP") {
            return Err(listener
                .node
                .fault(format!("{} must have Protocol: HTTP locally", listener.id)));
        }
        return Ok(LoadBalancer {
            rules: rules
                .iter()
                .map(|(_, rule)| read_rule(rule, scope, group))
                .collect::<Result<_, _>>()?,
            default: action(listener, "DefaultActions", scope, group)?,
            health,
        });
    }
    Err(at.fault(format!("no listener leads to {group}")))
}

fn read_rule(resource: &Resource<'_>, scope: &Scope, group: &str) -> Result<Rule, Fault> {
    only(
        resource,
        scope,
        &["Actions", "Conditions", "ListenerArn", "Priority"],
    )?;
    let conditions = resource
        .properties
        .get("Conditions")
        .map_or(&[][..], Node::items);
    let [condition] = conditions else {
        return Err(resource
            .node
            .fault(format!("{} must have one condition locally", resource.id)));
    };
    let properties = Properties {
        node: condition,
        scope,
    };
    properties.only(
        &["Field", "PathPatternConfig", "Values"],
        &format!("a condition of {}", resource.id),
    )?;
    if properties.text("Field")?.as_deref() != Some("path-pattern") {
        return Err(condition.fault("only conditions on path-pattern are supported locally"));
    }
    let nested = properties.get("PathPatternConfig")?;
    let values = match nested {
        Some(nested) => nested.get("Values").cloned(),
        None => properties.get("Values")?,
    };
    let values = values.iter().flat_map(Node::items);
    let paths: Vec<String> = values.filter_map(Node::text).collect();
    if paths.is_empty() {
        return Err(condition.fault("a path-pattern has no values"));
    }
    Ok(Rule {
        paths,
        action: action(resource, "Actions", scope, group)?,
    })
}

fn priority(resource: &Resource<'_>, scope: &Scope) -> Result<u32, Fault> {
    let priority = of(resource, scope).whole("Priority", 1..=50_000)?;
    priority.ok_or_else(|| {
        resource
            .node
            .fault(format!("{} has no Priority", resource.id))
    })
}

/// The one action of a rule or a listener.
fn action(resource: &Resource<'_>, key: &str, scope: &Scope, group: &str) -> Result<Action, Fault> {
    let actions = resource.properties.get(key).map_or(&[][..], Node::items);
    let [node] = actions else {
        let fault = format!("{} must have one action in {key} locally", resource.id);
        return Err(resource.node.fault(fault));
    };
    let properties = Properties { node, scope };
    let owner = format!("an action of {}", resource.id);
    match properties.text("Type")?.as_deref() {
        Some("forward") => {
            properties.only(&["TargetGroupArn", "Type"], &owner)?;
            match leads_to(node, group) {
                true => Ok(Action::Forward),
                false => Err(node.fault(format!(
                    "{} must forward to {group}, the only target group with servers locally",
                    resource.id
                ))),
            }
        }
        Some("fixed-response") => {
            properties.only(&["FixedResponseConfig", "Type"], &owner)?;
            let response = properties.get("FixedResponseConfig")?;
            let response = response.as_ref().unwrap_or(node);
            let properties = Properties {
                node: response,
                scope,
            };
            let body = properties.text("MessageBody")?.unwrap_or_default();
            // nginx would put a page of its own in the place of nothing, and a variable in that of a name.
            if body.is_empty() || body.contains('$') {
                return Err(
                    response.fault("locally a fixed response needs a MessageBody without $")
                );
            }
            Ok(Action::FixedResponse {
                status: properties
                    .whole("StatusCode", 200..=599)?
                    .ok_or_else(|| response.fault("a fixed response has no StatusCode"))?,
                content_type: properties
                    .text("ContentType")?
                    .unwrap_or_else(|| "text/plain".to_owned()),
                body,
            })
        }
        _ => Err(node.fault("only the actions forward and fixed-response are supported locally")),
    }
}

fn health_check(group: &Resource<'_>, scope: &Scope) -> Result<HealthCheck, Fault> {
    only(
        group,
        scope,
        &[
            "HealthCheckIntervalSeconds",
            "HealthCheckPath",
            "HealthCheckTimeoutSeconds",
            "HealthyThresholdCount",
            "Matcher",
            "Port",
            "Protocol",
            "TargetGroupAttributes",
            "TargetType",
            "UnhealthyThresholdCount",
            "VpcId",
        ],
    )?;
    let properties = of(group, scope);
    // Elastic Load Balancing API reference, "CreateTargetGroup", for targets that are instances.
    let interval = properties
        .whole("HealthCheckIntervalSeconds", 5..=300)?
        .unwrap_or(30);
    Ok(HealthCheck {
        interval: Duration::from_secs(interval.into()),
        unhealthy_threshold: properties
            .whole("UnhealthyThresholdCount", 2..=10)?
            .unwrap_or(2),
    })
}

fn of<'a>(resource: &'a Resource<'_>, scope: &'a Scope) -> Properties<'a> {
    Properties {
        node: &resource.properties,
        scope,
    }
}

fn only(resource: &Resource<'_>, scope: &Scope, known: &[&str]) -> Result<(), Fault> {
    of(resource, scope).only(known, resource.id)
}

/// Whether an action forwards to this target group.
fn leads_to(action: &Node, group: &str) -> bool {
    action.get("TargetGroupArn").and_then(reference) == Some(group)
}

/// The name in a `Ref`, which is not followed: nothing of a load balancer has an ARN here.
fn reference(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Call(Intrinsic::Ref, argument) => argument.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{sketched, yaml};

    const TEMPLATE: &str = "
Resources:
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 80
      Protocol: HTTP
      DefaultActions:
        - Type: fixed-response
          FixedResponseConfig: {StatusCode: '404', ContentType: text/plain, MessageBody: nothing here}
  Second:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 20
      Conditions: [{Field: path-pattern, Values: [/a/*, /b?]}]
      Actions: [{Type: forward, TargetGroupArn: !Ref Group}]
  First:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 10
      Conditions: [{Field: path-pattern, PathPatternConfig: {Values: [/a/secret]}}]
      Actions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: 403, MessageBody: secret}}]
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {HealthCheckIntervalSeconds: 5, UnhealthyThresholdCount: 3, Port: 80, Protocol: HTTP}
";

    fn read_of(template: &str) -> Result<LoadBalancer, Fault> {
        let root = yaml::parse(template)?;
        let scope = sketched(&root, &[].into())?;
        read(&root, &scope, &root, "Group")
    }

    #[test]
    fn rules_come_in_the_order_of_their_priorities() {
        let balancer = read_of(TEMPLATE).unwrap();
        let fixed = |status, body: &str| Action::FixedResponse {
            status,
            content_type: "text/plain".to_owned(),
            body: body.to_owned(),
        };
        assert_eq!(
            balancer.rules,
            [
                Rule {
                    paths: vec!["/a/secret".to_owned()],
                    action: fixed(403, "secret"),
                },
                Rule {
                    paths: vec!["/a/*".to_owned(), "/b?".to_owned()],
                    action: Action::Forward,
                },
            ]
        );
        assert_eq!(balancer.default, fixed(404, "nothing here"));
        assert_eq!(balancer.health.interval, Duration::from_secs(5));
        assert_eq!(balancer.health.unhealthy_threshold, 3);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (from, to, expected) in [
            (
                "TargetGroupArn: !Ref Group",
                "TargetGroupArn: !Ref Other",
                "2: no listener leads to Group",
            ),
            (
                "Group:\n    Type: AWS::ElasticLoadBalancingV2::TargetGroup",
                "Other:\n    Type: AWS::ElasticLoadBalancingV2::TargetGroup",
                "2: there is no target group Group",
            ),
            (
                "Protocol: HTTP\n      Default",
                "Protocol: HTTPS\n      Default",
                "4: Listener must have Protocol: HTTP locally",
            ),
            (
                "Port: 80\n",
                "Port: 80\n      Certificates: []\n",
                "9: Certificates of Listener is not supported locally",
            ),
            (
                "Field: path-pattern, Values",
                "Field: host-header, Values",
                "18: only conditions on path-pattern are supported locally",
            ),
            ("      Priority: 20\n", "", "13: Second has no Priority"),
            (
                "Priority: 20",
                "Priority: 0",
                "17: Priority must be a whole number from 1 to 50000",
            ),
            (
                "{Type: fixed-response, FixedResponseConfig: {StatusCode: 403, MessageBody: secret}}",
                "{Type: redirect, RedirectConfig: {StatusCode: HTTP_301}}",
                "26: only the actions forward and fixed-response are supported locally",
            ),
            (
                "{Type: fixed-response, FixedResponseConfig: {StatusCode: 403, MessageBody: secret}}",
                "{Type: forward, TargetGroupArn: !Ref Other}",
                "26: First must forward to Group, the only target group with servers locally",
            ),
            (
                "MessageBody: nothing here",
                "MessageBody: $host",
                "12: locally a fixed response needs a MessageBody without $",
            ),
        ] {
            assert!(TEMPLATE.contains(from), "{from}");
            let fault = read_of(&TEMPLATE.replacen(from, to, 1)).unwrap_err();
            assert_eq!(format!("{}: {}", fault.line, fault.message), expected);
        }
    }
}
