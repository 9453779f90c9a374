//! The case that serverless-mysql is published with (its repository, benchmark/results.md of 2026-06-27): as many callers as
//! the database has connections, and a query that takes 20 ms, for 8 s. There, the Lambda emulator let 157.3 invocations a
//! second through; here they come at that rate, and without a pause.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use backends::mariadb::Administration;
use load::{
    Measurement, Schedule, Spacing, Target, Work, closed_loop, on_its_own_thread, open_loop,
};
use local_stack::Database;
use rds_access::testing::{limit_account, slow_down};

use crate::{
    database::{DIRECT, POOLED, PROXY, p99_ms, target},
    rows::{Bar, Measured},
    stack::Served,
};

const CONNECTIONS: u32 = 30;
const CALLERS: usize = 30;
const QUERY_SECONDS: f64 = 0.02;
const TIME: Duration = Duration::from_secs(8);

/// Invocations a second, the 99th percentile, and the most connections of the published run.
const PUBLISHED_RATE: f64 = 157.3;
const PUBLISHED_P99_MS: f64 = 40.0;
const PUBLISHED_CONNECTIONS: u32 = 27;

/// How callers come.
#[derive(Clone, Copy)]
enum Arrivals {
    Paced,
    Closed,
}

/// The published case, by each function, and then with a limit on the account of `rds-pooled`.
pub(crate) async fn measure() -> anyhow::Result<Vec<Measured>> {
    let served = Served::start_with(|settings| {
        settings.database.server.max_connections = CONNECTIONS;
    })
    .await?;
    let measured = slow_queries(&served).await;
    let stopped = served.stop().await;
    let measured = measured?;
    stopped?;
    Ok(measured)
}

async fn slow_queries(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let server = served.stack.database().and_then(Database::server);
    let server = server.context("few connections take a database of our own")?;
    slow_down(server, QUERY_SECONDS).await?;
    let mut administration = server.administration().await?;
    let mut rows = Vec::new();
    for arrivals in [Arrivals::Paced, Arrivals::Closed] {
        for function in [POOLED, DIRECT, PROXY] {
            let measured = call(served, function, arrivals, &mut administration).await?;
            rows.extend(measured.rows(function, &arrivals.to_string()));
        }
    }
    limit_account(server, PUBLISHED_CONNECTIONS).await?;
    let limited = call(served, POOLED, Arrivals::Closed, &mut administration).await?;
    let how = format!(
        "{}, MAX_USER_CONNECTIONS {PUBLISHED_CONNECTIONS}",
        Arrivals::Closed
    );
    let limited = limited.rows(POOLED, &how).into_iter();
    // Who is refused by the account's limit counts as connected for a moment.
    rows.extend(limited.take(2));
    Ok(rows)
}

struct Found {
    measurement: Measurement,
    most_connections: u64,
}

async fn call(
    served: &Served,
    function: &str,
    arrivals: Arrivals,
    administration: &mut Administration,
) -> anyhow::Result<Found> {
    eprintln!("calling {function} with slow queries, {arrivals}");
    for function in [POOLED, DIRECT, PROXY] {
        served.stack.host().retire_idle(function).await;
    }
    // Those of the proxy, which would stay open.
    administration.begin_afresh().await?;
    let target = target(served, function).await?;
    let schedule = Schedule::new(PUBLISHED_RATE, PUBLISHED_RATE, TIME, Spacing::Constant);
    let schedule = schedule.context("the published rate is one")?;
    let measurement = on_its_own_thread(move || async move {
        match arrivals {
            Arrivals::Paced => paced(target, schedule).await,
            Arrivals::Closed => closed_loop(target, CALLERS, Work::For(TIME), || {}).await,
        }
    })
    .await?;
    Ok(Found {
        measurement,
        most_connections: administration.most_connections().await?,
    })
}

/// At the published rate, on as many connections as there are callers. Latencies are from when a request is sent, as there.
async fn paced(target: Arc<Target>, schedule: Schedule) -> Measurement {
    let load = open_loop(target, schedule, CALLERS, || {}).await;
    Measurement {
        latencies: load.from_start,
        ..load.measurement
    }
}

impl Found {
    /// Success first, then speed, then what it took. The bars are those of `rds-pooled`: the others stand beside it.
    fn rows(&self, function: &str, how: &str) -> [Measured; 3] {
        let of = |what: &str| {
            format!(
                "{function}, {CALLERS} callers on {CONNECTIONS} connections, queries of 20 ms, {how}: {what}"
            )
        };
        let bar = |bar| match function {
            POOLED => bar,
            _ => Bar::None,
        };
        let success = self.measurement.success_percent();
        let p99 = p99_ms(&self.measurement);
        let most = self.most_connections as f64;
        [
            Measured::value(of("success, %"), success, bar(Bar::AtLeast(100.0))),
            Measured::value(of("p99, ms"), p99, bar(Bar::AtMost(PUBLISHED_P99_MS))),
            Measured::value(
                of("most connections"),
                most,
                bar(Bar::AtMost(PUBLISHED_CONNECTIONS.into())),
            ),
        ]
    }
}

impl std::fmt::Display for Arrivals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Paced => write!(out, "{PUBLISHED_RATE} a second"),
            Self::Closed => out.write_str("no pauses"),
        }
    }
}
