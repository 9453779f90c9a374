//! Many at once: environments started by one burst, and writers of one object.

use std::{fs, sync::Arc, time::Duration};

use anyhow::Context as _;
use load::{Target, Work, closed_loop, on_its_own_thread};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, TIMEOUT},
};

const ENVIRONMENTS: usize = 1000;

const TURNS: usize = 15;
const WRITERS: usize = 8;
const WRITTEN_FOR: Duration = Duration::from_secs(1);

/// A thousand callers at once of a function that has no environment yet.
pub(crate) async fn environments() -> anyhow::Result<Vec<Measured>> {
    eprintln!("starting {ENVIRONMENTS} environments");
    // Of its own, so that what it needs is not mixed with what others left.
    let served = Served::start().await?;
    let target = Arc::new(Target::resolve(&served.url("/empty").parse()?, TIMEOUT).await?);
    let before = resident_kib()?;
    let requests = Work::Requests(ENVIRONMENTS as u64);
    let burst = on_its_own_thread(move || closed_loop(target, ENVIRONMENTS, requests, || {})).await;
    let started = served.stack.host().process_ids("empty").len();
    let grown = resident_kib()?.saturating_sub(before);
    served.stop().await?;
    let burst = burst?;
    let slowest = burst.latencies.max().context("nobody answered")?;
    let of =
        |what: &str| format!("{ENVIRONMENTS} callers of a function without environments: {what}");
    Ok(vec![
        Measured::value(
            of("failures"),
            burst.failures.count() as f64,
            Bar::AtMost(0.0),
        ),
        Measured::value(of("environments started"), started as f64, Bar::None),
        Measured::value(
            of("slowest answer, s"),
            slowest.as_secs_f64(),
            Bar::AtMost(3.0),
        ),
        Measured::value(
            of("memory of host and callers, KB an environment"),
            grown as f64 / started.max(1) as f64,
            Bar::AtMost(64.0),
        ),
    ])
}

/// Hits a second that eight callers of the counter on S3 get, to those that one gets.
pub(crate) async fn writers_of_one_object(served: &Served) -> anyhow::Result<Measured> {
    eprintln!("calling counter-s3 by one caller and by {WRITERS}");
    let url = served.url("/s3/hits").parse()?;
    let target = Arc::new(Target::resolve(&url, TIMEOUT).await?);
    let mut ratios = Ratios::default();
    for _ in 0..TURNS {
        let mut hits = [0.0; 2];
        for (hits, callers) in hits.iter_mut().zip([WRITERS, 1]) {
            // An environment remembers for seconds that others wrote, and would make the one caller wait for nobody.
            served.stack.host().retire_idle("counter-s3").await;
            let target = Arc::clone(&target);
            let written = on_its_own_thread(move || {
                closed_loop(target, callers, Work::For(WRITTEN_FOR), || {})
            });
            *hits = written.await?.requests_per_second();
        }
        ratios.add(hits[0] / hits[1]);
    }
    Ok(Measured::ratio(
        format!("counter-s3: hits a second of {WRITERS} callers ÷ of one"),
        &ratios,
        Bar::AtLeast(0.35),
    ))
}

/// This process's resident memory (`VmRSS` of proc_pid_status(5)).
fn resident_kib() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .context("/proc/self/status has no VmRSS")
}
