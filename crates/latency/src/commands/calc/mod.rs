//! `latency calc`: calculations go through the HTTP API onto the queue, and the worker does them.

mod backends;
mod findings;

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use humantime::format_duration;
use load::{Measurement, Target, Work, closed_loop, on_its_own_thread};
use local_lambda::{EventSourceMapping, EventSourceMetrics, Report};
use local_stack::{ServedFunction, Stack};
use tokio::time::sleep;

use self::backends::{Backends, Count, Messages};
use super::{stack::with_reports, url};
use crate::{
    BadInput, circumstances::Circumstances, cli::Calc, interrupt::Interrupts, output::Progress,
    reports::Reports, results::Results,
};

/// The function that calculates, the variable that names its table, and the output that says where calculations are posted
/// to.
const WORKER: &str = "calc-worker";
const TABLE: &str = "DONE_TABLE_NAME";
const URL: &str = "CalcUrl";

/// What the worker keeps back of its timeout, to count a calculation and to answer, and some.
const KEPT_BACK: Duration = Duration::from_secs(2);

/// How often the table is asked how many are done: seldom enough to take nothing from the run, and no time measured depends
/// on it.
const LOOK: Duration = Duration::from_millis(250);

/// How long the last invocations may take to end once everything is counted.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// What a run left behind.
struct Run {
    posts: Measurement,
    count: Count,
    messages: Messages,
    /// From the first request to the last calculation done, when all are.
    elapsed: Option<Duration>,
    mapping: EventSourceMetrics,
    reports: Vec<Report>,
    /// Messages that are still in the queue, and those that came into its dead-letter queue.
    left: u64,
    dead: u64,
}

pub(super) async fn run(arguments: &Calc, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    with_reports(&arguments.template, interrupts, async |stack, reports| {
        let worker = worker(stack, arguments)?;
        let circumstances = Circumstances::now();
        let run = measure(arguments, stack, reports).await?;
        run.results(arguments, circumstances, worker)
    })
    .await
}

/// The function that calculates, if it may take as long as the longest calculation.
fn worker<'a>(stack: &'a Stack, arguments: &Calc) -> Result<&'a ServedFunction, BadInput> {
    let functions = stack.functions();
    let worker = functions.iter().find(|function| function.name == WORKER);
    let worker =
        worker.ok_or_else(|| BadInput(format!("the template has no function '{WORKER}'")))?;
    if arguments.longest + KEPT_BACK > worker.timeout {
        return Err(BadInput(format!(
            "calculations of up to {} do not fit the timeout of {WORKER}, {}, less {} to count them",
            format_duration(arguments.longest),
            format_duration(worker.timeout),
            format_duration(KEPT_BACK)
        )));
    }
    Ok(worker)
}

async fn measure(arguments: &Calc, stack: &Stack, mut reports: Reports) -> anyhow::Result<Run> {
    let missing = |what| BadInput(format!("the template has no {what}"));
    let url = stack.outputs().get(URL);
    let url = url.ok_or_else(|| missing(format!("output {URL}")))?;
    let table = stack
        .environment(WORKER)
        .and_then(|variables| variables.get(TABLE))
        .ok_or_else(|| missing(format!("{TABLE} in the environment of {WORKER}")))?;
    let mapping = stack
        .event_source_mappings()
        .iter()
        .find(|mapping| mapping.function() == WORKER)
        .ok_or_else(|| missing(format!("queue that leads to {WORKER}")))?;
    let backends = Backends {
        ministack: stack.ministack(),
        table,
        queue_url: mapping.queue_url(),
    };

    let target = target(arguments, url).await?;
    let started_at = milliseconds_since_1970();
    let (posts, count) = post_and_wait(arguments, target, &backends).await?;
    let left = ended(&backends, mapping).await?;
    let messages = backends.messages().await?;
    let elapsed = messages.last_done_at.saturating_sub(started_at);
    let mut reports = reports.take(stack.host()).await;
    reports.retain(|report| report.function == WORKER);
    let mapping = mapping.metrics();
    Ok(Run {
        elapsed: (count.done >= posts.latencies.count()).then(|| Duration::from_millis(elapsed)),
        posts,
        count,
        messages,
        reports,
        mapping,
        left,
        dead: backends.dead().await?,
    })
}

/// Where calculations are posted to, each with a length of its own.
async fn target(arguments: &Calc, endpoint: &str) -> Result<Target, BadInput> {
    let target = Target::resolve(&url(endpoint)?, arguments.common.timeout).await;
    let target = target.map_err(|error| BadInput(error.to_string()))?;
    let longest = arguments.longest.as_secs_f64();
    Ok(target.posting("application/json", move || {
        format!(r#"{{"x": {}}}"#, fastrand::f64() * longest).into()
    }))
}

/// Posts the calculations, and waits until what was taken is done or the time for it is over.
async fn post_and_wait(
    arguments: &Calc,
    target: Target,
    backends: &Backends<'_>,
) -> anyhow::Result<(Measurement, Count)> {
    let calculations = arguments.calculations.get();
    let connections = usize::try_from(arguments.connections.get()).unwrap_or(usize::MAX);
    let progress = Progress::bar("calculating", calculations);
    let mut shown = 0;
    let mut posting = pin!(on_its_own_thread(move || {
        closed_loop(
            Arc::new(target),
            connections,
            Work::Requests(calculations),
            || {},
        )
    }));
    let mut posted: Option<(Measurement, Instant)> = None;
    loop {
        match &posted {
            Some(_) => sleep(LOOK).await,
            None => tokio::select! {
                posts = &mut posting => posted = Some((posts?, Instant::now())),
                () = sleep(LOOK) => {}
            },
        }
        let count = backends.count().await?;
        progress.advance(count.done.saturating_sub(shown));
        shown = count.done;
        let over = |(posts, at): &mut (Measurement, Instant)| {
            count.done >= posts.latencies.count() || at.elapsed() >= arguments.within
        };
        if let Some((posts, _)) = posted.take_if(over) {
            progress.finish();
            return Ok((posts, count));
        }
    }
}

/// Waits a little until the last invocations have ended and their messages are deleted. Returns how many are left.
async fn ended(backends: &Backends<'_>, mapping: &EventSourceMapping) -> anyhow::Result<u64> {
    let since = Instant::now();
    loop {
        let left = backends.left().await?;
        let metrics = mapping.metrics();
        let answered = metrics.deleted + metrics.failed >= metrics.records;
        if left == 0 && answered || since.elapsed() >= ENDED_WITHIN {
            return Ok(left);
        }
        sleep(LOOK).await;
    }
}

fn milliseconds_since_1970() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
