//! A pass of its own in which functions' calls are counted and what they do is recorded, so that it disturbs no timing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use load::{Measurement, Sequential, Target, on_its_own_thread};
use local_stack::{ServedFunction, Stack};
use region::Recorded;

use super::target;
use crate::output::Progress;

/// Fresh environments of each function, and invocations after the first one.
const STARTS: u64 = 5;
const INVOCATIONS: u64 = 50;

/// What was found of one function.
#[derive(Default)]
pub(super) struct Metered {
    /// How the requests went that it was found with.
    pub(super) measurement: Measurement,
    /// Calls by service and operation, for each warm invocation.
    pub(super) calls: BTreeMap<(String, String), f64>,
    /// What its environments did.
    pub(super) recorded: Recorded,
}

/// Calls each function under its path, one after the other.
pub(super) async fn metered(
    stack: &Stack,
    functions: &[(&ServedFunction, &str)],
    timeout: Duration,
) -> anyhow::Result<Vec<Metered>> {
    let progress = Progress::bar(
        "recording what each invocation does",
        (STARTS + INVOCATIONS) * functions.len() as u64,
    );
    let metered = stack.metered().await?;
    let mut found = Vec::new();
    for (function, path) in functions {
        let url = format!("{}{path}", metered.url());
        let target = target(&url, timeout).await?;
        for _ in 0..STARTS {
            metered.host().retire_idle(&function.name).await;
            call(&target, 1, &progress).await?;
        }
        let before = metered.calls();
        let measurement = call(&target, INVOCATIONS, &progress).await?;
        let mut calls = BTreeMap::new();
        for (call, count) in metered.calls() {
            let made = count - before.get(&call).copied().unwrap_or_default();
            if made > 0 {
                let each = made as f64 / INVOCATIONS as f64;
                calls.insert((call.service, call.operation), each);
            }
        }
        found.push(Metered {
            measurement,
            calls,
            recorded: metered.take_recorded(&function.name),
        });
    }
    metered.stop().await?;
    progress.finish();
    Ok(found)
}

async fn call(
    target: &Arc<Target>,
    requests: u64,
    progress: &Progress,
) -> std::io::Result<Measurement> {
    let (target, progress) = (Arc::clone(target), progress.clone());
    on_its_own_thread(move || async move {
        let mut sequence = Sequential::new(target);
        sequence.run(requests, &|| progress.advance(1)).await
    })
    .await
}
