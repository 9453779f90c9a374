//! A function against the calls to its backend that it can't do without.
//!
//! A backend and the cores sleep in pauses, and the same call takes longer after one. So all sides send at the same spacing, and
//! what an empty function takes is taken off the function's: that is the platform, not the function. The empty function is
//! called just after a bare call, since a backend that has just worked on these cores has left nothing in their caches.

use std::{collections::BTreeMap, process::Stdio, sync::Arc, time::Duration};

use anyhow::Context as _;
use load::{Connection, Failure, Latencies, Target, on_its_own_thread};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, sleep_until},
};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, TIMEOUT, WARM_UP, p50, turn},
};

const TURNS: usize = 41;
const REQUESTS: u64 = 40;
const SPACING: Duration = Duration::from_millis(5);

const PROGRAM: &str = "target/lambda/bare-calls/bootstrap";

/// What a function is compared with: its path, and the bare call.
pub(crate) struct Pair {
    pub(crate) function: &'static str,
    pub(crate) path: &'static str,
    pub(crate) call: &'static str,
    pub(crate) bar: f64,
}

pub(crate) const COUNTERS: [Pair; 2] = [
    Pair {
        function: "counter-dynamodb",
        path: "/dynamodb/hits",
        call: "update-item",
        bar: 1.1,
    },
    Pair {
        function: "counter-s3",
        path: "/s3/hits",
        call: "put-object",
        bar: 1.1,
    },
];

pub(crate) const READERS: [Pair; 2] = [
    Pair {
        function: "rds-pooled",
        path: "/rds/pooled/transcriptions/1",
        call: "query",
        bar: 1.5,
    },
    Pair {
        function: "rds-direct",
        path: "/rds/direct/transcriptions/1",
        call: "connect-query-disconnect",
        bar: 1.2,
    },
];

/// The function's p50, less that of an empty function, to that of the bare call.
pub(crate) async fn against_bare_calls(served: &Served, pair: &Pair) -> anyhow::Result<Measured> {
    let Pair { function, call, .. } = *pair;
    eprintln!("calling {function}, an empty function and a bare {call}");
    let environment = served.environment(function)?.clone();
    let target =
        async |url: String| anyhow::Ok(Arc::new(Target::resolve(&url.parse()?, TIMEOUT).await?));
    let whole = target(served.url(pair.path)).await?;
    let empty = target(served.url("/empty")).await?;
    let ratios = on_its_own_thread(move || async move {
        let mut bare = BareCalls::start(&environment, call, &[])?;
        let (mut whole, mut empty) = (Connection::new(whole), Connection::new(empty));
        let mut ratios = Ratios::default();
        for _ in 0..TURNS {
            let whole = turn(&mut whole, REQUESTS, SPACING).await.map_err(failed)?;
            let (bare, platform) = bare_then_empty(&mut bare, &mut empty).await?;
            ratios.add((p50(&whole) - p50(&platform)) / p50(&bare));
        }
        bare.stop().await?;
        anyhow::Ok(ratios)
    });
    Ok(Measured::ratio(
        format!("({function} − empty) ÷ a bare {call}, every 5 ms: p50"),
        &ratios.await??,
        Bar::AtMost(pair.bar),
    ))
}

/// Bare calls, and after each a call of the empty function.
async fn bare_then_empty(
    calls: &mut BareCalls,
    connection: &mut Connection,
) -> anyhow::Result<(Latencies, Latencies)> {
    let (mut bare, mut empty) = (Latencies::new(), Latencies::new());
    let mut next = Instant::now();
    for at in 0..WARM_UP + REQUESTS {
        sleep_until(next).await;
        next = Instant::now() + SPACING;
        let call = calls.answer(1, SPACING).await?;
        let request = connection
            .request()
            .await
            .map_err(|error| failed(error.failure))?;
        if at >= WARM_UP {
            call.into_iter().for_each(|call| bare.record(call));
            empty.record(request);
        }
    }
    Ok((bare, empty))
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow::anyhow!("a request failed: {failure}")
}

/// The program of crates/bare-calls, which does as much as a line on its standard input says, and answers with how long that
/// took, in all or each, in nanoseconds.
pub(crate) struct BareCalls {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl BareCalls {
    /// With the function's variables, and further ones.
    pub(crate) fn start(
        environment: &BTreeMap<String, String>,
        call: &str,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(PROGRAM)
            .arg(call)
            .env_clear()
            .envs(environment)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{PROGRAM} can't be started: run `make bench`"))?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let (orders, answers) = orders.zip(answers).context("no pipes to the loop")?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        })
    }

    pub(crate) async fn answer(
        &mut self,
        amount: u64,
        spacing: Duration,
    ) -> anyhow::Result<Vec<Duration>> {
        let order = format!("{amount} {}\n", spacing.as_micros());
        self.orders.write_all(order.as_bytes()).await?;
        let line = self
            .answers
            .next_line()
            .await?
            .context("the loop has ended")?;
        line.split_whitespace()
            .map(|nanos| Ok(Duration::from_nanos(nanos.parse()?)))
            .collect()
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        // The end of its input is the end of the loop.
        drop(self.orders);
        self.child.wait().await?;
        Ok(())
    }
}
