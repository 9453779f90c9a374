//! A pass of its own in which functions' calls are counted and what they do is recorded, so that it disturbs no timing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use load::{
    Measurement, Sequential, Target,
    core::{self, median},
    on_its_own_thread,
};
use local_stack::{ServedFunction, Stack};
use region::Recorded;
use tokio::time::sleep;

use super::target;
use crate::{
    cost::{Architecture, FrontDoor, Usage},
    output::Progress,
};

/// Fresh environments of each function, and invocations after the first one.
const STARTS: u64 = 5;
const INVOCATIONS: u64 = 50;

/// Between two invocations, as between those of a caller outside of the Region: what runs after a pause takes longer.
const PAUSE: Duration = Duration::from_millis(5);

/// After so many invocations the kernel is timed, which says how fast this machine was meanwhile.
const INVOCATIONS_A_KERNEL: u64 = 5;

/// What was found of one function.
#[derive(Default)]
pub(super) struct Metered {
    /// How the requests went that it was found with.
    pub(super) measurement: Measurement,
    /// Calls by service and operation, for each warm invocation.
    pub(super) calls: BTreeMap<(String, String), f64>,
    /// What its environments did.
    pub(super) recorded: Recorded,
    /// What the kernel took meanwhile, in milliseconds, each time.
    pub(super) kernel_ms: Vec<f64>,
}

/// What the kernel took while these were recorded: the median.
pub(super) fn kernel_ms<'a>(metered: impl IntoIterator<Item = &'a Metered>) -> f64 {
    let times = metered.into_iter().flat_map(|it| &it.kernel_ms);
    median(times.copied().collect())
}

impl Metered {
    /// What one call uses through an HTTP API, if the function has this memory size and is billed for this long.
    pub(super) fn usage(
        &self,
        architecture: Architecture,
        memory_mb: u32,
        billed_duration: Duration,
    ) -> Usage {
        Usage {
            front_door: FrontDoor::HttpApi,
            architecture,
            memory_mb,
            billed_duration,
            api_calls: self.calls.clone(),
        }
    }
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
            call(&target, 1, &progress, &mut Vec::new()).await?;
        }
        let before = metered.calls();
        let mut kernel_ms = Vec::new();
        let measurement = call(&target, INVOCATIONS, &progress, &mut kernel_ms).await?;
        let mut calls = BTreeMap::new();
        for (call, count) in metered.calls() {
            let made = count - before.get(&call).copied().unwrap_or_default();
            if made > 0 {
                let each = made as f64 / INVOCATIONS as f64;
                calls.insert((call.service, call.operation), each);
            }
        }
        let recorded = metered.take_recorded(&function.name);
        found.push(Metered {
            // What fails does something else than what works.
            recorded: match measurement.latencies.count() {
                0 => Recorded::default(),
                _ => recorded,
            },
            measurement,
            calls,
            kernel_ms,
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
    kernel_times: &mut Vec<f64>,
) -> std::io::Result<Measurement> {
    let (target, progress) = (Arc::clone(target), progress.clone());
    let (measurement, times) = on_its_own_thread(move || async move {
        let mut sequence = Sequential::new(target);
        let mut measurement = Measurement::default();
        let mut times = Vec::new();
        for at in 1..=requests {
            measurement.merge(&sequence.run(1, &|| progress.advance(1)).await);
            sleep(PAUSE).await;
            if at % INVOCATIONS_A_KERNEL == 0 {
                times.push(core::kernel_ms());
            }
        }
        (measurement, times)
    })
    .await?;
    kernel_times.extend(times);
    Ok(measurement)
}
