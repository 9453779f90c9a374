//! `latency cold`: fresh environments of one function.

use anyhow::Context as _;
use load::{Failures, Latencies};
use local_stack::Stack;

use super::{
    stack::{ColdStarts, called, with_reports},
    target,
};
use crate::{
    circumstances::Circumstances,
    cli::Cold,
    columns,
    interrupt::Interrupts,
    output::Progress,
    package::zipped_bytes,
    reports::Reports,
    results::{Column, Results, Row, Table, megabytes},
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

    let circumstances = Circumstances::now();
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
    let row = Row::default()
        .text(columns::FUNCTION, name)
        .count(columns::COLD_STARTS, cold.init.count());
    let row = with_phase(row, INIT, &cold.init);
    let row = with_phase(row, FIRST, &cold.first.latencies);
    let row = with_phase(row, WARM, &cold.warm.latencies)
        .number(
            columns::PEAK_MEMORY_MB,
            Some(megabytes(cold.peak_memory_bytes)),
        )
        .number(columns::PACKAGE_MB, Some(megabytes(package)))
        .failures(&failures);
    Ok(Results {
        title: format!("latency cold {name}"),
        circumstances,
        table: Table::new(vec![row]),
        deciding: Vec::new(),
        notes: vec![
            "First invocation: as its caller sees it, init phase included. MB: 2^20 bytes.".into(),
        ],
        warnings,
        failures: failures.count(),
    })
}

/// Columns of one phase: mean, p50 and maximum. So few starts have no p99 that their maximum would not tell.
type Phase = [Column; 3];

const INIT: Phase = [
    columns::INIT_MEAN_MS,
    columns::INIT_P50_MS,
    columns::INIT_MAX_MS,
];
const FIRST: Phase = [
    columns::FIRST_MEAN_MS,
    columns::FIRST_P50_MS,
    columns::FIRST_MAX_MS,
];
const WARM: Phase = [
    columns::WARM_MEAN_MS,
    columns::WARM_P50_MS,
    columns::WARM_MAX_MS,
];

fn with_phase(row: Row, [mean, p50, max]: Phase, latencies: &Latencies) -> Row {
    row.milliseconds(mean, latencies.mean())
        .milliseconds(p50, latencies.percentile(50.0))
        .milliseconds(max, latencies.max())
}
