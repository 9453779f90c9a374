//! `--backend-latency region` and the model: the same calls, once made to take as long as in the Region, once computed.
//!
//! Compared is what both have: what a function takes beyond an empty one, on a whole core of this machine, without a front
//! door. What TLS takes is left out of the model, because nothing here does it; and where a function is at work, the clock's
//! time stands for the processor's, because threads of this machine are awakened late, which in the Region is part of a
//! backend's latency.

use std::{sync::Arc, time::Duration};

use ::region::{
    Architecture, DEFAULT_REGION, Estimate, Profile, Recorded, Subject, Then, estimate,
};
use load::{Connection, Latencies, Target, on_its_own_thread};
use local_stack::Distances;
use tokio::time::sleep;

use crate::{
    rows::{Bar, Measured},
    stack::{Served, TIMEOUT, p50, turn},
};

/// With the path that calls each.
const FUNCTIONS: [(&str, &str); 5] = [
    ("counter-dynamodb", "/dynamodb/hits"),
    ("counter-s3", "/s3/hits"),
    ("rds-direct", "/rds/direct/transcriptions/1"),
    ("rds-pooled", "/rds/pooled/transcriptions/1"),
    ("rds-proxy", "/rds/proxy/transcriptions/1"),
];
const EMPTY: (&str, &str) = ("empty", "/empty");

/// The median of so many varies by 3 % from run to run where p99 is four times p50.
const REQUESTS: u64 = 400;
const TURN: u64 = 25;
const RECORDED: u64 = 50;
/// Between two requests to one function: what runs after a pause takes longer.
const SPACING: Duration = Duration::from_millis(5);

/// As much memory as makes a whole core.
const MEMORY_MB: u32 = 1769;

pub(crate) async fn delays_against_model() -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling functions whose backends are as far away as in the Region");
    let profile = Profile::of(DEFAULT_REGION)?;
    let served = Served::start_with(|settings| {
        settings.distances = Distances {
            backends: Some(profile.clone()),
            caller: None,
        };
    })
    .await?;
    let rows = rows(&served, profile).await;
    let stopped = served.stop().await;
    let rows = rows?;
    stopped?;
    Ok(rows)
}

async fn rows(served: &Served, profile: Profile) -> anyhow::Result<Vec<Measured>> {
    let skipped = |name: &str| served.stack.skipped().iter().any(|it| it.name == name);
    let functions = FUNCTIONS.iter().filter(|(name, _)| !skipped(name));
    let functions: Vec<_> = std::iter::once(&EMPTY).chain(functions).collect();
    let paths: Vec<_> = functions.iter().map(|(_, path)| *path).collect();
    let measured = called(served, &paths).await?;
    let metered = served.stack.metered().await?;
    let mut modelled = Vec::new();
    for (name, path) in &functions {
        let url = format!("{}{path}", metered.url());
        recorded(&url).await?;
        let recorded = metered.take_recorded(name);
        modelled.push(here(&profile, &recorded)?.duration.p50);
    }
    metered.stop().await?;
    let ms: Vec<_> = measured
        .iter()
        .map(|latencies| p50(latencies) / 1e6)
        .collect();
    let rows = functions.iter().enumerate().skip(1).map(|(at, (name, _))| {
        Measured::value(
            format!("({name} − empty): p50 with --backend-latency region ÷ the model's"),
            (ms[at] - ms[0]) / (modelled[at] - modelled[0]),
            Bar::Between(0.85, 1.15),
        )
    });
    Ok(rows.collect())
}

/// Calls the URL for as many recordings as it takes.
async fn recorded(url: &str) -> anyhow::Result<()> {
    let target = Arc::new(Target::resolve(&url.parse()?, TIMEOUT).await?);
    let called = on_its_own_thread(move || async move {
        turn(&mut Connection::new(target), RECORDED, SPACING).await
    });
    let called = called.await?;
    called.map_err(|failure| anyhow::anyhow!("{url}: {failure}"))?;
    Ok(())
}

/// What each path takes, in turns.
async fn called(served: &Served, paths: &[&str]) -> anyhow::Result<Vec<Latencies>> {
    let mut targets = Vec::new();
    for path in paths {
        let target = Target::resolve(&served.url(path).parse()?, TIMEOUT).await?;
        targets.push(Arc::new(target));
    }
    let measured = on_its_own_thread(move || async move {
        let mut called: Vec<_> = targets
            .into_iter()
            .map(|target| (Connection::new(target), Latencies::new()))
            .collect();
        for at in 0..REQUESTS / TURN + 1 {
            for (connection, latencies) in &mut called {
                for _ in 0..TURN {
                    sleep(SPACING).await;
                    let latency = connection.request().await.map_err(|it| it.failure)?;
                    // The first turn warms up.
                    if at > 0 {
                        latencies.record(latency);
                    }
                }
            }
        }
        Ok(called.into_iter().map(|(_, latencies)| latencies).collect())
    });
    let measured: Result<_, load::Failure> = measured.await?;
    measured.map_err(|failure| anyhow::anyhow!("a request failed: {failure}"))
}

/// The model of this machine, whose backends are as far away as the Region's.
fn here(profile: &Profile, recorded: &Recorded) -> Result<Estimate, ::region::Error> {
    let mut recorded = recorded.clone();
    for step in recorded.warm.iter_mut().flat_map(|it| &mut it.steps) {
        if !matches!(step.then, Then::Answer(_)) {
            step.cpu_ms = step.wall_ms;
        }
    }
    let without_tls = profile
        .clone()
        .with("CPU of a TLS handshake", 0.0)
        .with("CPU of the first TLS handshake", 0.0);
    let subject = Subject {
        recorded: &recorded,
        // Its cores take as long as they take.
        kernel_ms: profile.value(Architecture::X86_64.kernel())?,
        memory_mb: MEMORY_MB,
        architecture: Architecture::X86_64,
        front_door: None,
        round_trip_ms: 0.0,
    };
    estimate(&without_tls, &subject)
}
