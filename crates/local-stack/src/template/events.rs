//! What invokes a function: the events of its template.

use std::{collections::BTreeMap, time::Duration};

use http::Method;
use local_lambda::{Integration, Route, RouteMethod, SqsEventSource};

use super::{
    deferred::Deferred,
    properties::Properties,
    scope::Scope,
    value::{Fault, Node, Value},
};

/// The events of one function.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The HTTP API's routes to it.
    pub(crate) routes: Vec<Route>,
    /// The queues that are polled for it.
    pub(crate) queues: Vec<QueueEvent>,
}

/// A queue as an event source.
#[derive(Debug)]
pub(crate) struct QueueEvent {
    queue_arn: Deferred,
    /// But for the ARN.
    settings: SqsEventSource,
}

impl QueueEvent {
    /// What the emulator has to evaluate.
    pub(crate) fn deferred(&self) -> &Deferred {
        &self.queue_arn
    }

    pub(crate) fn source(
        &self,
        outputs: &BTreeMap<String, String>,
    ) -> Result<SqsEventSource, Fault> {
        Ok(SqsEventSource {
            queue_arn: self.queue_arn.resolve("Queue", outputs)?,
            ..self.settings.clone()
        })
    }
}

/// Reads the events of the function of this logical id and local name.
pub(crate) fn read(
    events: &Node,
    logical_id: &str,
    function: &str,
    scope: &Scope,
) -> Result<Events, Fault> {
    let nothing = Node {
        line: events.line,
        value: Value::Map(Vec::new()),
    };
    let mut read = Events::default();
    for (name, event) in events.entries() {
        let kind = event
            .get("Type")
            .ok_or_else(|| event.fault(format!("event {name} has no type")))?;
        let properties = Properties {
            node: event.get("Properties").unwrap_or(&nothing),
            scope,
        };
        match kind.as_str() {
            Some("HttpApi") => read.routes.push(http_api(event, &properties, function)?),
            Some("SQS") => {
                let output = format!("{logical_id}Queue{}", read.queues.len());
                read.queues.extend(queue(event, name, &properties, output)?);
            }
            _ => {
                let kind = kind.text().unwrap_or_default();
                return Err(event.fault(format!("events of type {kind} are not supported locally")));
            }
        }
    }
    Ok(read)
}

/// Without a path it is the `$default` route, without a method it takes any.
fn http_api(event: &Node, properties: &Properties<'_>, function: &str) -> Result<Route, Fault> {
    let version = properties.text("PayloadFormatVersion")?;
    if version.is_some_and(|version| version != "2.0") {
        return Err(event.fault("only payload format version 2.0 is supported locally"));
    }
    let method = match properties.text("Method")? {
        Some(method) if !method.eq_ignore_ascii_case("any") => {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                .map_err(|_| event.fault(format!("{method:?} is no method")))?;
            RouteMethod::Only(method)
        }
        _ => RouteMethod::Any,
    };
    Ok(Route {
        method,
        path: properties
            .text("Path")?
            .unwrap_or_else(|| "$default".to_owned()),
        integration: Integration::Function(function.to_owned()),
    })
}

/// A queue's event source mapping, unless it is disabled. Defaults are those of the Lambda API reference,
/// `CreateEventSourceMapping`.
fn queue(
    event: &Node,
    name: &str,
    properties: &Properties<'_>,
    output: String,
) -> Result<Option<QueueEvent>, Fault> {
    properties.only(
        &[
            "Queue",
            "BatchSize",
            "Enabled",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
            "ScalingConfig",
        ],
        "an SQS event",
    )?;
    let queue = properties
        .get("Queue")?
        .ok_or_else(|| event.fault(format!("event {name} has no Queue")))?;
    let scaling = properties.get("ScalingConfig")?;
    let maximum_concurrency = match &scaling {
        Some(node) => {
            let scope = properties.scope;
            Properties { node, scope }.whole("MaximumConcurrency", 2..=1000)?
        }
        None => None,
    };
    let response_types = properties.get("FunctionResponseTypes")?;
    let response_types = response_types.as_ref().map_or(&[][..], Node::items);
    if let Some(unknown) = response_types
        .iter()
        .find(|kind| kind.as_str() != Some("ReportBatchItemFailures"))
    {
        return Err(unknown.fault("FunctionResponseTypes can be [ReportBatchItemFailures] only"));
    }
    let batch_size = properties.whole("BatchSize", 1..=10_000)?.unwrap_or(10);
    let window = properties.whole("MaximumBatchingWindowInSeconds", 0..=300)?;
    let settings = SqsEventSource {
        queue_arn: String::new(),
        batch_size: batch_size as usize,
        batching_window: Duration::from_secs(window.unwrap_or(0).into()),
        maximum_concurrency: maximum_concurrency.map(|maximum| maximum as usize),
        report_batch_item_failures: !response_types.is_empty(),
    };
    let enabled = properties.flag("Enabled")?.unwrap_or(true);
    Ok(enabled.then(|| QueueEvent {
        queue_arn: Deferred::new(output, queue),
        settings,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{scope::Local, yaml};

    fn read_all(events: &str) -> Result<Events, Fault> {
        let scope = Scope {
            parameters: BTreeMap::from([
                ("Most".to_owned(), Value::Number(20.into())),
                ("Live".to_owned(), Value::String("false".to_owned())),
            ]),
            resources: BTreeMap::from([("Queue".to_owned(), Local::State)]),
            ..Scope::default()
        };
        read(&yaml::parse(events).unwrap(), "F", "f", &scope)
    }

    #[test]
    fn an_http_api_event_is_a_route() {
        let events = "
A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: ANY, Path: /hits}}
B: {Type: HttpApi, Properties: {Method: get, Path: '/items/{id}'}}
C: {Type: HttpApi}
";
        let events = read_all(events).unwrap();
        let keys: Vec<_> = events.routes.iter().map(Route::key).collect();
        assert_eq!(keys, ["ANY /hits", "GET /items/{id}", "$default"]);
    }

    #[test]
    fn an_sqs_event_is_a_queue_with_lambdas_defaults() {
        let events = read_all("A: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}").unwrap();
        let outputs = BTreeMap::from([("FQueue0".to_owned(), "arn".to_owned())]);
        assert_eq!(
            events.queues[0].source(&outputs),
            Ok(SqsEventSource {
                queue_arn: "arn".to_owned(),
                batch_size: 10,
                batching_window: Duration::ZERO,
                maximum_concurrency: None,
                report_batch_item_failures: false,
            })
        );
    }

    #[test]
    fn an_sqs_event_has_its_own_settings() {
        let events = "
A:
  Type: SQS
  Properties:
    Queue: arn:aws:sqs:eu-west-2:123456789012:calc
    BatchSize: 100
    MaximumBatchingWindowInSeconds: 5
    FunctionResponseTypes: [ReportBatchItemFailures]
    ScalingConfig: {MaximumConcurrency: !Ref Most}
B: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, Enabled: !Ref Live}}
";
        let events = read_all(events).unwrap();
        assert_eq!(events.queues.len(), 1, "the second is disabled");
        assert_eq!(
            events.queues[0].source(&BTreeMap::new()),
            Ok(SqsEventSource {
                queue_arn: "arn:aws:sqs:eu-west-2:123456789012:calc".to_owned(),
                batch_size: 100,
                batching_window: Duration::from_secs(5),
                maximum_concurrency: Some(20),
                report_batch_item_failures: true,
            })
        );
    }

    #[test]
    fn an_event_that_is_not_supported_is_named_with_its_line() {
        for (events, line, message) in [
            (
                "A:\n  Type: HttpApi\nB:\n  Type: MQ",
                3,
                "events of type MQ are not supported locally",
            ),
            ("A: {Properties: {}}", 1, "event A has no type"),
            (
                "A: {Type: HttpApi, Properties: {PayloadFormatVersion: '1.0'}}",
                1,
                "only payload format version 2.0 is supported locally",
            ),
            (
                "A: {Type: HttpApi, Properties: {Path: [a]}}",
                1,
                "Path must be a string",
            ),
            ("A: {Type: SQS}", 1, "event A has no Queue"),
            (
                "A: {Type: SQS, Properties: {Queue: a,\n FilterCriteria: {}}}",
                2,
                "FilterCriteria of an SQS event is not supported locally",
            ),
            (
                "A: {Type: SQS, Properties: {Queue: a, BatchSize: 10001}}",
                1,
                "BatchSize must be a whole number from 1 to 10000",
            ),
            (
                "A: {Type: SQS, Properties: {Queue: a, ScalingConfig: {MaximumConcurrency: 1}}}",
                1,
                "MaximumConcurrency must be a whole number from 2 to 1000",
            ),
            (
                "A: {Type: SQS, Properties: {Queue: a, FunctionResponseTypes: [All]}}",
                1,
                "FunctionResponseTypes can be [ReportBatchItemFailures] only",
            ),
            (
                "A: {Type: SQS, Properties: {Queue: a, Enabled: maybe}}",
                1,
                "Enabled must be true or false",
            ),
        ] {
            assert_eq!(read_all(events).unwrap_err(), Fault::new(line, message));
        }
    }
}
