//! The functions that read a database: against the bare queries that they can't do without, and with more callers than the
//! database has connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use load::{Connection, Failure, Measurement, Target, Work, closed_loop, on_its_own_thread};
use mariadb::{Administration, MariaDb};
use tokio::{task::JoinSet, time::sleep};
use transcriptions::testing::{limit_account, slow_down};

use crate::{
    backend_loop,
    rows::{Bar, Measured},
    stack::{Served, TIMEOUT, sequential},
};

const POOLED: &str = "rds-pooled";
const DIRECT: &str = "rds-direct";
const PROXY: &str = "rds-proxy";

/// Callers, three times as many as the database has connections.
const CROWD: usize = 500;
const REQUESTS: u64 = 10_000;

/// Time enough for every environment to start.
const WARM_UP: Duration = Duration::from_secs(5);
/// The best counts, as in the published comparison.
const RUNS: usize = 2;

/// The case that serverless-mysql is published with (its repository, benchmark/results.md of 2026-06-27): as many callers as
/// the database has connections, a query that takes 20 ms, for 8 s. There, the Lambda emulator let 157.3 invocations a second
/// through.
const FEW_CONNECTIONS: u32 = 30;
const QUERY_SECONDS: f64 = 0.02;
const PUBLISHED_RATE: f64 = 157.3;
const PUBLISHED_TIME: Duration = Duration::from_secs(8);
/// Its 99th percentile, and the most connections that it used.
const PUBLISHED_P99_MS: f64 = 40.0;
const PUBLISHED_CONNECTIONS: u32 = 27;

/// A query through each function, one after the other, against the same from a bare client.
pub(crate) async fn against_bare_queries(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let pooled = backend_loop::turns(served, POOLED, "bare_query", &path(POOLED)).await?;
    let floor = backend_loop::turns(served, POOLED, "bare_query", "/empty").await?;
    let direct = "bare_connect_query_disconnect";
    let direct = backend_loop::turns(served, DIRECT, direct, &path(DIRECT)).await?;
    Ok(vec![
        Measured::ratio(
            "empty ÷ a bare query on an open connection: warm p50",
            &floor,
            Bar::None,
        ),
        Measured::ratio(
            "rds-pooled ÷ a bare query on an open connection: warm p50",
            &pooled,
            Bar::AtMost(1.2),
        ),
        Measured::ratio(
            "rds-direct ÷ a bare connect, query and disconnect: warm p50",
            &direct,
            Bar::AtMost(1.15),
        ),
    ])
}

/// More callers than the database has connections.
pub(crate) async fn in_a_crowd(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let pooled = crowd(served, POOLED).await?;
    served.stack.host().retire_idle(POOLED).await;

    let proxied = crowd(served, PROXY).await?;
    served.stack.host().retire_idle(PROXY).await;
    let proxy = served
        .stack
        .database()
        .and_then(|database| database.proxy());
    let proxy = proxy.context("there is no proxy")?.metrics();

    let direct = crowd(served, DIRECT).await?;
    let recovered = until_it_answers(served, DIRECT).await?;
    served.stack.host().retire_idle(DIRECT).await;
    let by_cause = direct.failures.by_cause().into_iter();
    let lost = by_cause.filter(|(failure, _)| *failure != Failure::Status(503));
    let lost: u64 = lost.map(|(_, count)| count).sum();

    let of = |function: &str, what: &str| format!("{function}, {CROWD} callers: {what}");
    Ok(vec![
        success(of(POOLED, "success, %"), &pooled),
        Measured::value(of(POOLED, "p99, ms"), p99_ms(&pooled), Bar::AtMost(500.0)),
        success(of(PROXY, "success, %"), &proxied),
        Measured::value(
            of(PROXY, "most database connections"),
            proxy.peak_database_connections as f64,
            Bar::AtMost(proxy.max_database_connections_allowed as f64),
        ),
        Measured::value(
            of(DIRECT, "failures other than 503"),
            lost as f64,
            Bar::AtMost(0.0),
        ),
        Measured::value(
            of(DIRECT, "s from the burst to the next success"),
            recovered.as_secs_f64(),
            Bar::AtMost(1.0),
        ),
    ])
}

/// As many callers as the database has connections, whose queries take their time: at the published rate, and without a
/// pause.
pub(crate) async fn with_few_connections() -> anyhow::Result<Vec<Measured>> {
    let served = Served::start_with(|settings| {
        settings.database.server.max_connections = FEW_CONNECTIONS;
    })
    .await?;
    let measured = slow_queries(&served).await;
    let stopped = served.stop().await;
    let measured = measured?;
    stopped?;
    Ok(measured)
}

async fn slow_queries(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let server = served
        .stack
        .database()
        .and_then(|database| database.server());
    let server: &MariaDb = server.context("few connections take a database of our own")?;
    slow_down(server, QUERY_SECONDS).await?;
    let mut administration = server.administration().await?;
    let paced = Arrivals::Paced.measure(served, &mut administration).await?;
    let crowded = Arrivals::Closed
        .measure(served, &mut administration)
        .await?;
    limit_account(server, PUBLISHED_CONNECTIONS).await?;
    let limited = Arrivals::Limited
        .measure(served, &mut administration)
        .await?;
    Ok([paced, crowded, limited].into_iter().flatten().collect())
}

/// How the callers of slow queries come.
#[derive(Clone, Copy)]
enum Arrivals {
    /// At the published rate.
    Paced,
    /// One after the other without a pause.
    Closed,
    /// The same, and the account may have no more connections than the published run used.
    Limited,
}

impl Arrivals {
    async fn measure(
        self,
        served: &Served,
        administration: &mut Administration,
    ) -> anyhow::Result<Vec<Measured>> {
        served.stack.host().retire_idle(POOLED).await;
        administration.forget_most_connections().await?;
        let target = target(served, POOLED).await?;
        let callers = FEW_CONNECTIONS as usize;
        let how = match self {
            Self::Paced => format!("{PUBLISHED_RATE} a second"),
            Self::Closed => "no pauses".to_owned(),
            Self::Limited => {
                format!("no pauses, MAX_USER_CONNECTIONS {PUBLISHED_CONNECTIONS}")
            }
        };
        eprintln!("calling {POOLED} with slow queries, {how}");
        let measured = on_its_own_thread(move || async move {
            match self {
                Self::Paced => paced(target, callers).await,
                Self::Closed | Self::Limited => {
                    closed_loop(target, callers, Work::For(PUBLISHED_TIME), || {}).await
                }
            }
        })
        .await?;
        let most = administration.most_connections().await?;
        let of = |what: &str| {
            format!(
                "{POOLED}, {callers} callers on {callers} connections, queries of 20 ms, {how}: {what}"
            )
        };
        let mut rows = vec![
            success(of("success, %"), &measured),
            Measured::value(
                of("p99, ms"),
                p99_ms(&measured),
                Bar::AtMost(PUBLISHED_P99_MS),
            ),
        ];
        // Who is refused by the account's limit counts as connected for a moment.
        if !matches!(self, Self::Limited) {
            let bar = Bar::AtMost(PUBLISHED_CONNECTIONS.into());
            rows.push(Measured::value(of("most connections"), most as f64, bar));
        }
        Ok(rows)
    }
}

/// Each caller calls again when its turn comes, which is when all others have had theirs.
async fn paced(target: Arc<Target>, callers: usize) -> Measurement {
    let turn = Duration::from_secs_f64(callers as f64 / PUBLISHED_RATE);
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let mut connection = Connection::new(Arc::clone(&target));
        let mut next = turn.mul_f64(caller as f64 / callers as f64);
        tasks.spawn(async move {
            let mut measured = Measurement::default();
            while next < PUBLISHED_TIME {
                sleep(next.saturating_sub(started.elapsed())).await;
                match connection.request().await {
                    Ok(latency) => measured.latencies.record(latency),
                    Err(failure) => measured
                        .failures
                        .record(started.elapsed().as_secs(), failure),
                }
                next += turn;
            }
            measured
        });
    }
    let mut all = Measurement::default();
    for measured in tasks.join_all().await {
        all.merge(&measured);
    }
    all
}

/// A warm-up, and then the runs, of which the best is given back.
async fn crowd(served: &Served, function: &str) -> anyhow::Result<Measurement> {
    eprintln!("calling {function} on {CROWD} connections");
    let target = target(served, function).await?;
    let mut runs = on_its_own_thread(move || async move {
        closed_loop(Arc::clone(&target), CROWD, Work::For(WARM_UP), || {}).await;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let target = Arc::clone(&target);
            runs.push(closed_loop(target, CROWD, Work::Requests(REQUESTS), || {}).await);
        }
        runs
    })
    .await?;
    runs.sort_by_key(|run| (run.failures.count(), run.elapsed));
    runs.into_iter().next().context("there were runs")
}

async fn until_it_answers(served: &Served, function: &str) -> anyhow::Result<Duration> {
    let url = served.url(&path(function));
    let since = Instant::now();
    while sequential(&url, 1).await.is_err() {
        anyhow::ensure!(since.elapsed() < TIMEOUT, "{url} does not recover");
    }
    Ok(since.elapsed())
}

async fn target(served: &Served, function: &str) -> anyhow::Result<Arc<Target>> {
    let url = served.url(&path(function)).parse()?;
    Ok(Arc::new(Target::resolve(&url, TIMEOUT).await?))
}

/// Where a function answers with one row, the same as that of the bare queries.
fn path(function: &str) -> String {
    format!("/{}/transcriptions/1", function.replace('-', "/"))
}

fn success(what: String, measurement: &Measurement) -> Measured {
    let share = measurement.latencies.count() as f64 / measurement.requests().max(1) as f64;
    Measured::value(what, 100.0 * share, Bar::AtLeast(100.0))
}

fn p99_ms(measurement: &Measurement) -> f64 {
    let p99 = measurement.latencies.percentile(99.0);
    p99.map_or(f64::NAN, |p99| p99.as_secs_f64() * 1e3)
}
