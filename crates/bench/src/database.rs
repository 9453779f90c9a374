//! The functions that read a database: against the bare queries that they can't do without, and with more callers than the
//! database has connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use load::{Failure, Measurement, Target, Work, closed_loop, on_its_own_thread};
use mysql_async::prelude::Queryable as _;

use crate::{
    backend_loop,
    rows::{Bar, Measured},
    stack::{Served, TIMEOUT},
};

/// Where a function answers with one row, the same as that of the bare queries.
const DIRECT: &str = "/rds/direct/transcriptions/1";
const POOLED: &str = "/rds/pooled/transcriptions/1";
const PROXY: &str = "/rds/proxy/transcriptions/1";

/// Callers, three times as many as the database has connections.
const CROWD: usize = 500;
const REQUESTS: u64 = 10_000;

/// Time enough for every environment to start.
const WARM_UP: Duration = Duration::from_secs(5);

/// The case that serverless-mysql is published with: a database with few connections, and as many callers whose queries take
/// 20 ms each.
const FEW_CONNECTIONS: u32 = 30;
const SLEEP_SECONDS: f64 = 0.02;

/// A serial query through each function, against the same from a bare client.
pub(crate) async fn against_bare_queries(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let pooled = backend_loop::turns(served, "rds-pooled", "bare_query", POOLED).await?;
    let direct = backend_loop::turns(
        served,
        "rds-direct",
        "bare_connect_query_disconnect",
        DIRECT,
    )
    .await?;
    Ok(vec![
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
    let pooled = crowd(served, POOLED, CROWD).await?;
    served.stack.host().retire_idle("rds-pooled").await;

    let proxy = crowd(served, PROXY, CROWD).await?;
    served.stack.host().retire_idle("rds-proxy").await;
    let metrics = served
        .stack
        .database()
        .and_then(|database| database.proxy())
        .context("there is no proxy")?
        .metrics();
    let (peak, share) = (
        metrics.peak_database_connections as f64,
        metrics.max_database_connections_allowed as f64,
    );

    let direct = crowd(served, DIRECT, CROWD).await?;
    let recovered = until_it_answers(&served.url(DIRECT)).await?;
    served.stack.host().retire_idle("rds-direct").await;
    let lost = direct
        .failures
        .by_cause()
        .into_iter()
        .filter(|(failure, _)| *failure != Failure::Status(503))
        .map(|(_, count)| count)
        .sum::<u64>();

    let of = |function: &str, what: &str| format!("{function}, {CROWD} callers: {what}");
    Ok(vec![
        success(of("rds-pooled", "success, %"), &pooled),
        Measured::value(
            of("rds-pooled", "p99, ms"),
            p99_ms(&pooled),
            Bar::AtMost(500.0),
        ),
        success(of("rds-proxy", "success, %"), &proxy),
        Measured::value(
            of("rds-proxy", "most database connections"),
            peak,
            Bar::AtMost(share),
        ),
        Measured::value(
            of("rds-direct", "failures that are no 503"),
            lost as f64,
            Bar::AtMost(0.0),
        ),
        Measured::value(
            of("rds-direct", "s until the next success"),
            recovered.as_secs_f64(),
            Bar::AtMost(1.0),
        ),
    ])
}

/// As many callers as the database has connections, whose queries take their time.
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
        .and_then(|database| database.server())
        .context("the case of few connections needs a database of its own")?;
    let mut administration = server.administration().await?;
    let connection = administration.connection();
    connection
        .query_drop("RENAME TABLE transcriptions TO fast")
        .await?;
    connection
        .query_drop(format!(
            "CREATE VIEW transcriptions AS SELECT * FROM fast WHERE SLEEP({SLEEP_SECONDS}) = 0"
        ))
        .await?;
    administration.forget_most_connections().await?;
    let callers = FEW_CONNECTIONS as usize;
    warm_up(served, POOLED, callers).await?;
    let most_at_start = administration.most_connections().await?;
    administration.forget_most_connections().await?;
    let measured = requests(served, POOLED, callers).await?;
    let most = administration.most_connections().await?;

    let of = |what: &str| {
        format!("rds-pooled, {callers} callers on {callers} connections, queries of 20 ms: {what}")
    };
    Ok(vec![
        success(of("success, %"), &measured),
        Measured::value(of("p99, ms"), p99_ms(&measured), Bar::AtMost(40.0)),
        Measured::value(of("most connections"), most as f64, Bar::AtMost(27.0)),
        Measured::value(
            of("most connections while the environments start"),
            most_at_start as f64,
            Bar::AtMost(27.0),
        ),
    ])
}

/// A warm-up, and then the requests that count.
async fn crowd(served: &Served, path: &str, callers: usize) -> anyhow::Result<Measurement> {
    warm_up(served, path, callers).await?;
    requests(served, path, callers).await
}

async fn warm_up(served: &Served, path: &str, callers: usize) -> anyhow::Result<()> {
    eprintln!("calling {path} on {callers} connections");
    call(&served.url(path), callers, Work::For(WARM_UP)).await?;
    Ok(())
}

async fn requests(served: &Served, path: &str, callers: usize) -> anyhow::Result<Measurement> {
    call(&served.url(path), callers, Work::Requests(REQUESTS)).await
}

async fn call(url: &str, callers: usize, work: Work) -> anyhow::Result<Measurement> {
    let target = Arc::new(Target::resolve(&url.parse()?, TIMEOUT).await?);
    Ok(on_its_own_thread(move || closed_loop(target, callers, work, || {})).await?)
}

async fn until_it_answers(url: &str) -> anyhow::Result<Duration> {
    let since = Instant::now();
    loop {
        let one = call(url, 1, Work::Requests(1)).await?;
        if one.failures.count() == 0 {
            return Ok(since.elapsed());
        }
        anyhow::ensure!(since.elapsed() < TIMEOUT, "{url} does not recover");
    }
}

fn success(what: String, measurement: &Measurement) -> Measured {
    let share = measurement.latencies.count() as f64 / measurement.requests().max(1) as f64;
    Measured::value(what, 100.0 * share, Bar::AtLeast(100.0))
}

fn p99_ms(measurement: &Measurement) -> f64 {
    measurement
        .latencies
        .percentile(99.0)
        .map_or(f64::NAN, |p99| p99.as_secs_f64() * 1e3)
}
