//! `latency cold`: fresh environments of one function.

use std::time::SystemTime;

use anyhow::Context as _;
use load::{Failures, Latencies};
use local_stack::Stack;

use super::{
    stack::{ColdStarts, called, with_reports},
    target,
};
use crate::{
    cli::Cold,
    interrupt::Interrupts,
    output::Progress,
    package::zipped_bytes,
    reports::Reports,
    results::{Results, Row, Table, megabytes},
};

pub(super) async fn run(arguments: &Cold, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    with_reports(&arguments.template, interrupts, async |stack, reports| {
        measure(arguments, stack, reports).await
    })
    .await
}

async fn measure(arguments: &Cold, stack: &Stack, mut reports: Reports) -> anyhow::Result<Results> {
    let name = &arguments.function;
    let (function, path) = called(stack, &arguments.template, name)?;
    let url = format!("{}{path}", stack.url());
    let target = target(&url, arguments.common.timeout).await?;
    let package = zipped_bytes(&function.directory)
        .with_context(|| format!("{} can't be read", function.directory.display()))?;

    let measured_at = SystemTime::now();
    let starts = arguments.starts.get();
    let progress = Progress::bar(&format!("starting {name} afresh"), starts);
    let mut cold = ColdStarts::default();
    for _ in 0..starts {
        cold.add(stack, function, &target, &mut reports).await?;
        progress.advance(1);
    }
    progress.finish();

    let mut failures = Failures::default();
    failures.merge(&cold.first.failures, 0);
    failures.merge(&cold.warm.failures, 0);
    let mut warnings = Vec::new();
    if cold.init.count() < cold.first.latencies.count() {
        warnings.push(format!(
            "only {} of {} first invocations were cold starts",
            cold.init.count(),
            cold.first.latencies.count()
        ));
    }
    let row = Row::default().text("function", "function", name).count(
        "cold_starts",
        "cold starts",
        cold.init.count(),
    );
    let row = INIT.of(row, &cold.init);
    let row = FIRST.of(row, &cold.first.latencies);
    let row = WARM
        .of(row, &cold.warm.latencies)
        .number(
            "peak_memory_mb",
            "peak memory (MB)",
            1,
            Some(megabytes(cold.peak_memory_bytes)),
        )
        .number(
            "package_mb",
            "package, zipped (MB)",
            2,
            Some(megabytes(package)),
        )
        .failures(&failures);
    Ok(Results {
        title: format!("latency cold {name}"),
        measured_at,
        table: Table::new(vec![row]),
        notes: vec![
            "First invocation: as its caller sees it, init phase included. MB: 2^20 bytes.".into(),
        ],
        warnings,
        failures: failures.count(),
    })
}

/// Columns of one phase. So few starts have no p99 that their maximum would not tell.
struct Phase {
    mean: (&'static str, &'static str),
    p50: (&'static str, &'static str),
    max: (&'static str, &'static str),
}

const INIT: Phase = Phase {
    mean: ("init_mean_ms", "init duration, mean (ms)"),
    p50: ("init_p50_ms", "init duration, p50 (ms)"),
    max: ("init_max_ms", "init duration, max (ms)"),
};
const FIRST: Phase = Phase {
    mean: ("first_mean_ms", "first invocation, mean (ms)"),
    p50: ("first_p50_ms", "first invocation, p50 (ms)"),
    max: ("first_max_ms", "first invocation, max (ms)"),
};
const WARM: Phase = Phase {
    mean: ("warm_mean_ms", "warm invocation, mean (ms)"),
    p50: ("warm_p50_ms", "warm invocation, p50 (ms)"),
    max: ("warm_max_ms", "warm invocation, max (ms)"),
};

impl Phase {
    fn of(&self, row: Row, latencies: &Latencies) -> Row {
        row.milliseconds(self.mean.0, self.mean.1, latencies.mean())
            .milliseconds(self.p50.0, self.p50.1, latencies.percentile(50.0))
            .milliseconds(self.max.0, self.max.1, latencies.max())
    }
}
