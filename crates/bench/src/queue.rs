//! The queue: against the calls that it can't do without, made by a bare SDK client in a loop, and until a run is done.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use backends::ministack::REGION;
use latency::columns;
use local_lambda::{EventSourceMapping, SqsEventSource, sqs_client};

use crate::{
    bare::BareCalls,
    command,
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
};

const WORKER: &str = "calc-worker";

const TURNS: u64 = 31;
const MESSAGES: u64 = 1000;
const MESSAGES_PER_CALL: u64 = 10;
/// A turn that takes longer will never end.
const TURN_WITHIN: Duration = Duration::from_secs(120);

/// The longest of the calculations in the timed run, in seconds.
const LONGEST: f64 = 2.0;
/// What the run may take: one and a half times the longest single wait, and three seconds.
const WALL: f64 = 1.5 * LONGEST + 3.0;
const RUNS: usize = 5;

/// How fast a mapping and the worker drain a queue of calculations that take no time, against the loop.
pub(crate) async fn against_bare_loop(served: &Served) -> anyhow::Result<Measured> {
    eprintln!("draining queues by {WORKER} and by bare calls");
    let theirs = Queue::create(served, "bench-loop").await?;
    let bare = [("QUEUE_URL", &*theirs.url)];
    let mut bare = BareCalls::start(
        served.environment(WORKER)?,
        "receive-transact-delete",
        &bare,
    )?;
    let mut ratios = Ratios::default();
    for turn in 0..=TURNS {
        // A mapping that stops leaves a long poll behind, which would take the next turn's first messages with it.
        let ours = Queue::create(served, &format!("bench-mapping-{turn}")).await?;
        ours.fill(served).await?;
        let mapping = ours.drained_by_mapping(served).await?;
        theirs.fill(served).await?;
        let bare = bare.answer(MESSAGES, Duration::ZERO).await?;
        let bare: Duration = bare.iter().sum();
        // The first turn has the cold starts in it.
        if turn > 0 {
            // Rates: the less time the more.
            ratios.add(bare.div_duration_f64(mapping));
        }
    }
    bare.stop().await?;
    Ok(Measured::ratio(
        "queue to calc-worker ÷ a bare loop that receives, transacts and deletes: messages/s",
        &ratios,
        Bar::AtLeast(0.7),
    ))
}

/// How long a run of the command takes, with as many batches at a time as Lambda lets a mapping have.
pub(crate) async fn run_until_done() -> anyhow::Result<Measured> {
    let (messages, longest) = (MESSAGES.to_string(), LONGEST.to_string());
    let mut arguments = vec!["calc", &messages, &longest];
    arguments.extend(["--parameter", "CalcConcurrency=1000"]);
    eprintln!("running latency {}", arguments.join(" "));
    let mut walls = Ratios::default();
    for _ in 0..RUNS {
        walls.add(command::number(&arguments, columns::WALL_S).await?);
    }
    Ok(Measured::ratio(
        format!("latency calc {messages} {longest}: wall time, s (1.5 × the longest wait + 3 s)"),
        &walls,
        Bar::AtMost(WALL),
    ))
}

/// A queue beside the template's.
struct Queue {
    url: String,
    arn: String,
}

impl Queue {
    async fn create(served: &Served, name: &str) -> anyhow::Result<Self> {
        let sqs = sqs_client(served.stack.ministack().endpoint(), REGION);
        let created = sqs.create_queue().queue_name(name).send().await?;
        Ok(Self {
            url: created.queue_url.context("a queue without a URL")?,
            arn: format!(
                "arn:aws:sqs:{REGION}:{}:{name}",
                backends::ministack::ACCOUNT_ID
            ),
        })
    }

    /// Puts calculations that take no time on it.
    async fn fill(&self, served: &Served) -> anyhow::Result<()> {
        let sqs = sqs_client(served.stack.ministack().endpoint(), REGION);
        let entry = |id: u64| {
            let entry = SendMessageBatchRequestEntry::builder().id(id.to_string());
            entry.message_body(r#"{"x": 0}"#).build()
        };
        let entries: Vec<_> = (0..MESSAGES_PER_CALL)
            .map(entry)
            .collect::<Result<_, _>>()?;
        for _ in 0..MESSAGES / MESSAGES_PER_CALL {
            let send = sqs.send_message_batch().queue_url(&self.url);
            let sent = send.set_entries(Some(entries.clone())).send().await?;
            anyhow::ensure!(sent.failed.is_empty(), "messages could not be enqueued");
        }
        Ok(())
    }

    /// From the start of a mapping, with batches like the loop's, until it has deleted all.
    async fn drained_by_mapping(&self, served: &Served) -> anyhow::Result<Duration> {
        let source = SqsEventSource {
            queue_arn: self.arn.clone(),
            batch_size: MESSAGES_PER_CALL as usize,
            batching_window: Duration::ZERO,
            maximum_concurrency: None,
            report_batch_item_failures: true,
        };
        let sqs = sqs_client(served.stack.ministack().endpoint(), REGION);
        let host = served.stack.host().clone();
        let since = Instant::now();
        let mapping = EventSourceMapping::start(host, WORKER, source, sqs).await?;
        while mapping.metrics().deleted < MESSAGES {
            anyhow::ensure!(
                since.elapsed() < TURN_WITHIN,
                "the queue is not drained: {:?}",
                mapping.metrics()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let drained = since.elapsed();
        mapping.stop().await;
        Ok(drained)
    }
}
