//! Event source mappings with a real queue and a real program: `function.py`, which does what the messages ask of it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry},
};
use backends::ministack::{Ministack, REGION};
use local_lambda::{
    EventSourceMapping, EventSourceMetrics, Function, Host, HostSettings, SqsEventSource,
    sqs_client,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::common::{function, until};

/// What all tests but those that take it away share. It ends with the test program.
static EMULATOR: OnceCell<Ministack> = OnceCell::const_new();

async fn emulator() -> &'static Ministack {
    EMULATOR
        .get_or_init(async || Ministack::start(&program()).await.unwrap())
        .await
}

fn program() -> PathBuf {
    backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A queue.
struct Queue {
    sqs: Client,
    url: String,
    arn: String,
}

impl Queue {
    /// Its messages are visible again after two seconds.
    async fn new(name: &str) -> Self {
        Self::with(emulator().await, name, &[]).await
    }

    async fn with(
        emulator: &Ministack,
        name: &str,
        attributes: &[(QueueAttributeName, String)],
    ) -> Self {
        let sqs = sqs_client(emulator.endpoint(), REGION);
        let mut create = sqs
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::VisibilityTimeout, "2");
        for (name, value) in attributes {
            create = create.attributes(name.clone(), value);
        }
        let url = create.send().await.unwrap().queue_url.unwrap();
        let arn = format!(
            "arn:aws:sqs:{REGION}:{}:{name}",
            backends::ministack::ACCOUNT_ID
        );
        Self { sqs, url, arn }
    }

    async fn send(&self, bodies: impl IntoIterator<Item = Value>) {
        let bodies: Vec<Value> = bodies.into_iter().collect();
        for bodies in bodies.chunks(10) {
            let mut batch = self.sqs.send_message_batch().queue_url(&self.url);
            for (index, body) in bodies.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body.to_string());
                batch = batch.entries(entry.build().unwrap());
            }
            assert!(batch.send().await.unwrap().failed().is_empty());
        }
    }

    /// Messages, visible or not.
    async fn depth(&self) -> u64 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let attributes = self
            .sqs
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .unwrap()
            .attributes
            .unwrap();
        attributes
            .values()
            .map(|count| count.parse::<u64>().unwrap())
            .sum()
    }

    fn source(&self) -> SqsEventSource {
        SqsEventSource {
            queue_arn: self.arn.clone(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            maximum_concurrency: None,
            report_batch_item_failures: true,
        }
    }
}

/// A function that may take a second, on a host, behind a mapping.
struct Mapped {
    mapping: EventSourceMapping,
    host: Host,
    directory: TempDir,
}

impl Mapped {
    async fn start(queue: &Queue, source: SqsEventSource) -> Self {
        Self::function(queue, source, |function| function).await
    }

    async fn function(
        queue: &Queue,
        source: SqsEventSource,
        change: impl FnOnce(Function) -> Function,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut function = function("f");
        function.timeout = Duration::from_secs(1);
        let events = directory.path().join("events");
        function
            .environment
            .insert("EVENTS".to_owned(), events.display().to_string());
        let host = Host::new(vec![change(function)], HostSettings::default()).unwrap();
        let mapping = EventSourceMapping::start(host.clone(), "f", source, queue.sqs.clone())
            .await
            .unwrap();
        Self {
            mapping,
            host,
            directory,
        }
    }

    /// What the function was invoked with so far.
    fn events(&self) -> Vec<Value> {
        std::fs::read_to_string(self.directory.path().join("events"))
            .unwrap_or_default()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The bodies of the records of each invocation.
    fn bodies(&self) -> Vec<Vec<Value>> {
        let body = |record: &Value| serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        let records = |event: &Value| {
            event["Records"]
                .as_array()
                .unwrap()
                .iter()
                .map(body)
                .collect()
        };
        self.events().iter().map(records).collect()
    }

    /// Waits until so many records are deleted: what was counted by then.
    async fn deleted(&self, count: u64) -> EventSourceMetrics {
        until("the records are deleted", || {
            self.mapping.metrics().deleted >= count
        })
        .await;
        self.mapping.metrics()
    }
}

#[tokio::test]
async fn the_function_gets_records_in_lambdas_shape_and_what_it_has_done_is_deleted() {
    let queue = Queue::new("shape").await;
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("v");
    let sent = queue
        .sqs
        .send_message()
        .queue_url(&queue.url)
        .message_body("{}")
        .message_attributes("a", attribute.build().unwrap())
        .send()
        .await
        .unwrap();
    let mapped = Mapped::start(&queue, queue.source()).await;
    let metrics = mapped.deleted(1).await;
    assert_eq!((metrics.invocations, metrics.records), (1, 1));
    assert_eq!((metrics.redelivered, metrics.failed), (0, 0));
    assert_eq!(queue.depth().await, 0);

    let record = &mapped.events()[0]["Records"][0];
    assert_eq!(record["messageId"], sent.message_id().unwrap());
    assert_eq!(record["body"], "{}");
    assert_eq!(record["md5OfBody"], sent.md5_of_message_body().unwrap());
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], queue.arn);
    assert_eq!(record["awsRegion"], REGION);
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    for attribute in [
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    ] {
        assert!(record["attributes"][attribute].is_string(), "{record}");
    }
    assert_eq!(
        record["messageAttributes"]["a"],
        json!({ "stringValue": "v", "stringListValues": [], "binaryListValues": [], "dataType": "String" })
    );
}

#[tokio::test]
async fn a_batching_window_gathers_more_than_one_receive_gives() {
    let queue = Queue::new("window").await;
    queue.send((0..25).map(|n| json!({ "n": n }))).await;
    let source = SqsEventSource {
        batch_size: 100,
        batching_window: Duration::from_secs(1),
        ..queue.source()
    };
    let mapped = Mapped::start(&queue, source).await;
    let metrics = mapped.deleted(25).await;
    assert_eq!(mapped.bodies().len(), 1);
    assert_eq!(metrics.mean_batch_size(), Some(25.0));
    assert_eq!(metrics.delete_calls, 3);
}

#[tokio::test]
async fn a_full_batch_does_not_wait_for_its_window() {
    let queue = Queue::new("full").await;
    queue.send((0..20).map(|n| json!({ "n": n }))).await;
    let source = SqsEventSource {
        batch_size: 20,
        batching_window: Duration::from_secs(300),
        ..queue.source()
    };
    let mapped = Mapped::start(&queue, source).await;
    assert_eq!(mapped.deleted(20).await.invocations, 1);
}

#[tokio::test]
async fn what_a_partial_batch_response_names_comes_again_and_nothing_else() {
    let queue = Queue::new("partial").await;
    let failing = json!({ "n": 1, "fail": true, "times": 2 });
    queue
        .send([json!({ "n": 0 }), failing.clone(), json!({ "n": 2 })])
        .await;
    let mapped = Mapped::start(&queue, queue.source()).await;
    let metrics = mapped.deleted(3).await;
    assert_eq!((metrics.failed, metrics.redelivered), (2, 2));
    let deliveries = mapped.bodies().concat();
    assert_eq!(deliveries.len(), 5);
    assert_eq!(
        deliveries.iter().filter(|body| **body == failing).count(),
        3
    );
    assert_eq!(queue.depth().await, 0);
}

#[tokio::test]
async fn without_partial_batch_responses_the_answer_is_not_looked_at() {
    let queue = Queue::new("plain").await;
    queue.send([json!({ "fail": true })]).await;
    let source = SqsEventSource {
        report_batch_item_failures: false,
        ..queue.source()
    };
    let mapped = Mapped::start(&queue, source).await;
    assert_eq!(mapped.deleted(1).await.failed, 0);
}

#[tokio::test]
async fn a_whole_batch_comes_again_after_an_error_a_timeout_and_a_crash() {
    for (name, failure) in [
        ("error", json!({ "error": "Oops", "times": 1 })),
        ("timeout", json!({ "sleep": 30, "times": 1 })),
        ("crash", json!({ "exit": 1, "times": 1 })),
        ("response", json!({ "fill": 7_000_000, "times": 1 })),
    ] {
        let queue = Queue::new(name).await;
        queue.send([failure, json!({})]).await;
        let mapped = Mapped::start(&queue, queue.source()).await;
        let metrics = mapped.deleted(2).await;
        let (invocations, failed) = (metrics.invocations, metrics.failed);
        // Two messages make one batch or two, depending on what the first receive finds.
        assert!((2..=3).contains(&invocations), "{name}: {metrics:?}");
        assert!((1..=2).contains(&failed), "{name}: {metrics:?}");
        assert_eq!(metrics.redelivered, failed, "{name}");
        assert_eq!(queue.depth().await, 0, "{name}");
    }
}

#[tokio::test]
async fn a_throttled_batch_is_tried_again_without_going_back_to_the_queue() {
    let queue = Queue::new("throttled").await;
    let mapped = Mapped::function(&queue, queue.source(), |function| Function {
        reserved_concurrency: Some(1),
        timeout: Duration::from_secs(2),
        ..function
    })
    .await;
    let host = mapped.host.clone();
    let busy = tokio::spawn(async move {
        host.invoke("f", json!({ "sleep": 1 }).to_string().into())
            .await
    });
    until("the function is busy", || !mapped.events().is_empty()).await;
    queue.send([json!({})]).await;
    let metrics = mapped.deleted(1).await;
    assert!(metrics.throttles > 0, "{metrics:?}");
    assert_eq!((metrics.invocations, metrics.redelivered), (1, 0));
    busy.await.unwrap().unwrap();
}

/// A queue whose messages go to the other one once they have been received so often.
async fn with_dead_letter_queue(name: &str, max_receive_count: u32) -> (Queue, Queue) {
    let dead_letter_queue = Queue::new(&format!("{name}-dead")).await;
    let redrive = json!({
        "deadLetterTargetArn": dead_letter_queue.arn,
        "maxReceiveCount": max_receive_count,
    });
    let attributes = [(QueueAttributeName::RedrivePolicy, redrive.to_string())];
    let queue = Queue::with(emulator().await, name, &attributes).await;
    (queue, dead_letter_queue)
}

#[tokio::test]
async fn a_poisonous_message_goes_to_the_dead_letter_queue_and_the_others_are_done() {
    let (queue, dead_letter_queue) = with_dead_letter_queue("poison", 2).await;
    let poison = json!({ "n": 3, "fail": true });
    let good = |n| json!({ "n": n });
    queue
        .send((0..10).map(|n| if n == 3 { poison.clone() } else { good(n) }))
        .await;
    let mapped = Mapped::start(&queue, queue.source()).await;
    until("the poison is tried twice", || {
        mapped.mapping.metrics().failed == 2
    })
    .await;
    mapped.deleted(9).await;
    while dead_letter_queue.depth().await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(dead_letter_queue.depth().await, 1);
    assert_eq!(queue.depth().await, 0);
    assert_eq!(mapped.mapping.metrics().failed, 2);
}

#[tokio::test]
async fn a_batch_that_stays_throttled_goes_back_to_the_queue() {
    let (queue, dead_letter_queue) = with_dead_letter_queue("always-throttled", 1).await;
    queue.send([json!({})]).await;
    let mapped = Mapped::function(&queue, queue.source(), |function| Function {
        reserved_concurrency: Some(0),
        ..function
    })
    .await;
    while dead_letter_queue.depth().await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let metrics = mapped.mapping.metrics();
    assert!(metrics.throttles > 1, "{metrics:?}");
    assert_eq!((metrics.invocations, metrics.deleted), (0, 0));
}

#[tokio::test]
async fn the_maximum_concurrency_is_never_exceeded() {
    let queue = Queue::new("maximum").await;
    queue.send((0..12).map(|_| json!({ "sleep": 0.2 }))).await;
    let source = SqsEventSource {
        batch_size: 1,
        maximum_concurrency: Some(2),
        ..queue.source()
    };
    let mapped = Mapped::start(&queue, source).await;
    let metrics = mapped.deleted(12).await;
    assert_eq!(metrics.peak_concurrency, 2);
    assert_eq!(mapped.host.process_ids("f").len(), 2);
    assert_eq!(metrics.throttles, 0);
}

#[tokio::test]
async fn more_batches_are_in_flight_as_long_as_there_is_more_to_do() {
    let queue = Queue::new("scale").await;
    queue.send((0..40).map(|_| json!({ "sleep": 0.5 }))).await;
    let source = SqsEventSource {
        batch_size: 1,
        ..queue.source()
    };
    let mapped = Mapped::start(&queue, source).await;
    let metrics = mapped.deleted(40).await;
    assert!((6..=20).contains(&metrics.peak_concurrency), "{metrics:?}");
}

#[tokio::test]
async fn no_event_is_larger_than_an_invocation_takes() {
    let queue = Queue::new("large").await;
    for n in 0..8 {
        let large = json!({ "n": n, "padding": "x".repeat(1_000_000) });
        queue.send([large]).await;
    }
    let mapped = Mapped::start(&queue, queue.source()).await;
    let metrics = mapped.deleted(8).await;
    assert!(metrics.invocations >= 2, "{metrics:?}");
    assert_eq!((metrics.redelivered, metrics.failed), (0, 0));
}

#[tokio::test]
async fn a_fifo_queue_keeps_the_order_within_each_message_group() {
    let fifo = [
        (QueueAttributeName::FifoQueue, "true".to_owned()),
        (
            QueueAttributeName::ContentBasedDeduplication,
            "true".to_owned(),
        ),
    ];
    let queue = Queue::with(emulator().await, "ordered.fifo", &fifo).await;
    for n in 0..12 {
        queue
            .sqs
            .send_message()
            .queue_url(&queue.url)
            .message_group_id(if n % 2 == 0 { "even" } else { "odd" })
            .message_body(json!({ "n": n, "sleep": 0.05 }).to_string())
            .send()
            .await
            .unwrap();
    }
    let mapped = Mapped::start(&queue, queue.source()).await;
    mapped.deleted(12).await;
    let deliveries = mapped.bodies().concat();
    for parity in [0, 1] {
        let numbers = deliveries.iter().map(|body| body["n"].as_u64().unwrap());
        let of_group: Vec<u64> = numbers.filter(|n| n % 2 == parity).collect();
        assert_eq!(of_group, (0..6).map(|n| 2 * n + parity).collect::<Vec<_>>());
    }
    assert_eq!(
        mapped.events()[0]["Records"][0]["attributes"]["MessageGroupId"],
        "even"
    );
}

#[tokio::test]
async fn a_mapping_that_stops_lets_its_batch_finish_and_takes_nothing_more() {
    let queue = Queue::new("stop").await;
    queue.send([json!({ "sleep": 0.5 })]).await;
    let mapped = Mapped::start(&queue, queue.source()).await;
    until("the batch is in flight", || !mapped.events().is_empty()).await;
    mapped.mapping.stop().await;
    assert_eq!(queue.depth().await, 0);
    assert_eq!(mapped.host.process_ids("f").len(), 1);
}

#[tokio::test]
async fn what_a_stopped_mapping_has_not_done_is_visible_again() {
    let queue = Queue::new("abandoned").await;
    queue.send([json!({})]).await;
    let mapped = Mapped::function(&queue, queue.source(), |function| Function {
        reserved_concurrency: Some(0),
        ..function
    })
    .await;
    until("the batch is throttled", || {
        mapped.mapping.metrics().throttles > 0
    })
    .await;
    mapped.mapping.stop().await;
    let received = queue
        .sqs
        .receive_message()
        .queue_url(&queue.url)
        .wait_time_seconds(20)
        .send()
        .await
        .unwrap();
    assert_eq!(received.messages().len(), 1);
}

#[tokio::test]
async fn a_queue_that_goes_away_and_comes_back_loses_nothing() {
    let mut emulator = Ministack::start_durable(&program()).await.unwrap();
    let queue = Queue::with(&emulator, "away", &[]).await;
    let mapped = Mapped::start(&queue, queue.source()).await;
    queue.send((0..5).map(|n| json!({ "n": n }))).await;
    mapped.deleted(5).await;
    queue
        .send((5..15).map(|n| json!({ "n": n, "sleep": 0.3 })))
        .await;
    until("a batch is in flight", || {
        mapped.bodies().concat().len() > 5
    })
    .await;
    emulator.suspend().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    emulator.resume().await.unwrap();
    queue.send((15..20).map(|n| json!({ "n": n }))).await;
    let all: BTreeSet<u64> = (0..20).collect();
    until("every message was delivered", || {
        let deliveries = mapped.bodies().concat();
        let delivered = deliveries.iter().map(|body| body["n"].as_u64().unwrap());
        delivered.collect::<BTreeSet<_>>() == all
    })
    .await;
    while queue.depth().await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_redirected_mapping_invokes_on_the_other_host_until_it_is_told_not_to() {
    let queue = Queue::new("redirected").await;
    let mapped = Mapped::start(&queue, queue.source()).await;
    let other = Host::new(vec![function("f")], HostSettings::default()).unwrap();
    let redirection = mapped.mapping.redirect(other.clone());
    queue.send([json!({})]).await;
    mapped.deleted(1).await;
    assert_eq!(other.process_ids("f").len(), 1);
    assert_eq!(mapped.host.process_ids("f").len(), 0);
    drop(redirection);
    queue.send([json!({})]).await;
    mapped.deleted(2).await;
    assert_eq!(mapped.host.process_ids("f").len(), 1);
}

#[tokio::test]
async fn what_lambda_would_refuse_is_refused_in_one_line() {
    let queue = Queue::new("refused").await;
    let start = async |function: &str, source: SqsEventSource, timeout: u64| {
        let known = Function {
            timeout: Duration::from_secs(timeout),
            ..crate::common::function("f")
        };
        let host = Host::new(vec![known], HostSettings::default()).unwrap();
        let error = EventSourceMapping::start(host, function, source, queue.sqs.clone()).await;
        let error = error.unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let source = queue.source();
    assert_eq!(
        start("g", source.clone(), 1).await,
        "an event source mapping leads to function g, which does not exist"
    );
    let of_topic = SqsEventSource {
        queue_arn: "arn:aws:sns:eu-west-2:123456789012:topic".to_owned(),
        ..source.clone()
    };
    assert_eq!(
        start("f", of_topic, 1).await,
        "\"arn:aws:sns:eu-west-2:123456789012:topic\" is not the ARN of a queue"
    );
    let missing = SqsEventSource {
        queue_arn: "arn:aws:sqs:eu-west-2:123456789012:missing".to_owned(),
        ..source.clone()
    };
    assert_eq!(
        start("f", missing, 1).await,
        "queue arn:aws:sqs:eu-west-2:123456789012:missing can't be used: \
         QueueDoesNotExist: The specified queue does not exist."
    );
    let error = start("f", source.clone(), 3).await;
    assert!(
        error.ends_with(
            "queue visibility timeout: 2 seconds is less than function timeout: 3 seconds"
        ),
        "{error}"
    );
    for (settings, cause) in [
        (
            SqsEventSource {
                batch_size: 0,
                ..source.clone()
            },
            "a batch has 1 to 10,000 records",
        ),
        (
            SqsEventSource {
                batch_size: 11,
                ..source.clone()
            },
            "batches of more than 10 records need a batching window of at least one second",
        ),
        (
            SqsEventSource {
                batching_window: Duration::from_secs(301),
                ..source.clone()
            },
            "a batching window has at most 300 seconds",
        ),
        (
            SqsEventSource {
                maximum_concurrency: Some(1),
                ..source.clone()
            },
            "a maximum concurrency is 2 to 1000",
        ),
        (
            SqsEventSource {
                queue_arn: format!("{}.fifo", source.queue_arn),
                batching_window: Duration::from_secs(1),
                ..source.clone()
            },
            "from a FIFO queue, a batch has at most 10 records and no batching window",
        ),
    ] {
        let error = start("f", settings, 1).await;
        assert!(error.ends_with(cause), "{error}");
    }
}
