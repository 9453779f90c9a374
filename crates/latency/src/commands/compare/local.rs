//! Every function of the template that an HTTP API leads to, run on this machine.
//!
//! Calls to AWS services are counted in a run of their own, so that counting disturbs no timing.

use std::{collections::BTreeMap, sync::Arc, time::Duration, time::SystemTime};

use load::{Failures, Measurement, Sequential, Target, on_its_own_thread};
use local_lambda::Report;
use local_stack::{ServedFunction, SkippedFunction, Stack};

use super::{
    super::{
        stack::{ColdStarts, path, with_reports},
        target,
    },
    DECIDING, beside, published_notes,
    turns::{TURN, WARM_UP, closed_loop_note, in_closed_loop, in_sequence, sequence_note},
};
use crate::{
    cli::Compare,
    columns,
    cost::{self, Cost, FrontDoor, Prices, Usage},
    interrupt::Interrupts,
    output::Progress,
    published::{self, Published},
    reports::Reports,
    results::{Results, Row, Table, megabytes},
    warnings::{self, Warning},
};

/// Invocations whose calls to AWS services are counted.
const METERED: u64 = 50;

/// A function, and what was measured of it.
struct Measured<'a> {
    function: &'a ServedFunction,
    path: &'a str,
    target: Arc<Target>,
    cold: ColdStarts,
    sequential: Measurement,
    closed_loop: Measurement,
    reports: Vec<Report>,
    metered: Measurement,
    api_calls: BTreeMap<(String, String), f64>,
}

pub(super) async fn run(
    arguments: &Compare,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    with_reports(&arguments.template, interrupts, async |stack, reports| {
        let measured_at = SystemTime::now();
        let subjects = measure(arguments, stack, reports).await?;
        results(arguments, measured_at, &subjects, stack.skipped())
    })
    .await
}

async fn measure<'a>(
    arguments: &Compare,
    stack: &'a Stack,
    mut reports: Reports,
) -> anyhow::Result<Vec<Measured<'a>>> {
    let mut subjects = Vec::new();
    for function in stack.functions() {
        if let Some(path) = path(function) {
            let url = format!("{}{path}", stack.url());
            subjects.push(Measured {
                function,
                path,
                target: target(&url, arguments.common.timeout).await?,
                cold: ColdStarts::default(),
                sequential: Measurement::default(),
                closed_loop: Measurement::default(),
                reports: Vec::new(),
                metered: Measurement::default(),
                api_calls: BTreeMap::new(),
            });
        }
    }
    anyhow::ensure!(
        !subjects.is_empty(),
        "{} has no function with a GET route without parameters",
        arguments.template.template.display()
    );
    start_afresh(arguments, stack, &mut subjects, &mut reports).await?;
    call_in_sequence(arguments, stack, &mut subjects, &mut reports).await?;
    call_in_closed_loop(&mut subjects).await?;
    count_api_calls(arguments, stack, &mut subjects).await?;
    Ok(subjects)
}

async fn start_afresh(
    arguments: &Compare,
    stack: &Stack,
    subjects: &mut [Measured<'_>],
    reports: &mut Reports,
) -> anyhow::Result<()> {
    let starts = arguments.starts.get();
    let progress = Progress::bar(
        "starting fresh environments",
        starts * subjects.len() as u64,
    );
    for _ in 0..starts {
        for subject in &mut *subjects {
            subject
                .cold
                .add(stack, subject.function, &subject.target, reports)
                .await?;
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(())
}

async fn call_in_sequence(
    arguments: &Compare,
    stack: &Stack,
    subjects: &mut [Measured<'_>],
    reports: &mut Reports,
) -> anyhow::Result<()> {
    let requests = arguments.requests.get();
    let functions = subjects.len() as u64;
    let progress = Progress::bar(
        "calling one after the other",
        (WARM_UP + requests) * functions,
    );
    in_sequence(targets(subjects), WARM_UP, &progress).await?;
    reports.take(stack.host()).await;

    let measured = in_sequence(targets(subjects), requests, &progress).await?;
    progress.finish();
    let mut reports = reports.take(stack.host()).await;
    for (subject, measured) in subjects.iter_mut().zip(measured) {
        subject.sequential = measured;
        let (its, others) = reports
            .into_iter()
            .partition(|report| report.function == subject.function.name);
        (subject.reports, reports) = (its, others);
    }
    Ok(())
}

async fn call_in_closed_loop(subjects: &mut [Measured<'_>]) -> anyhow::Result<()> {
    let measured = in_closed_loop(&targets(subjects)).await?;
    for (subject, measured) in subjects.iter_mut().zip(measured) {
        subject.closed_loop = measured;
    }
    Ok(())
}

fn targets(subjects: &[Measured<'_>]) -> Vec<Arc<Target>> {
    subjects
        .iter()
        .map(|subject| Arc::clone(&subject.target))
        .collect()
}

async fn count_api_calls(
    arguments: &Compare,
    stack: &Stack,
    subjects: &mut [Measured<'_>],
) -> anyhow::Result<()> {
    let progress = Progress::spinner("counting calls to AWS services");
    let metered = stack.metered().await?;
    for subject in subjects {
        let url = format!("{}{}", metered.url(), subject.path);
        let target = target(&url, arguments.common.timeout).await?;
        // The first invocation has a cold start before it, with calls of its own.
        if call(&target, 1).await?.latencies.count() == 0 {
            continue;
        }
        let before = metered.calls();
        subject.metered = call(&target, METERED).await?;
        for (call, count) in metered.calls() {
            let made = count - before.get(&call).copied().unwrap_or_default();
            if made > 0 {
                let each = made as f64 / METERED as f64;
                let key = (call.service.clone(), call.operation.clone());
                subject.api_calls.insert(key, each);
            }
        }
    }
    metered.stop().await?;
    progress.finish();
    Ok(())
}

async fn call(target: &Arc<Target>, requests: u64) -> std::io::Result<Measurement> {
    let target = Arc::clone(target);
    on_its_own_thread(move || async move { Sequential::new(target).run(requests, &|| {}).await })
        .await
}

fn results(
    arguments: &Compare,
    measured_at: SystemTime,
    subjects: &[Measured<'_>],
    skipped: &[SkippedFunction],
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let published = published::all()?;
    let mut rows = Vec::new();
    let mut warnings = Vec::new();
    let mut failed = 0;
    for subject in subjects {
        let name = &subject.function.name;
        let cost = match subject.cost(&prices) {
            Ok(cost) => Some(cost),
            Err(error) => {
                warnings.push(format!("{name}: {error}"));
                None
            }
        };
        let row = subject.row(cost);
        let row = beside(row, published::beside(name, &published));
        rows.push(remark(row, subject.remark()));
        failed += subject.failures().count();
        warnings.extend(
            subject
                .warnings()
                .iter()
                .map(|warning| format!("{name}: {warning}")),
        );
    }
    // Every other row has the same columns.
    if let Some(row) = rows.first().cloned() {
        rows.extend(skipped.iter().map(|function| {
            let row = row.clone().without_values();
            let row = row.text(columns::ARCHITECTURE, &function.name);
            remark(row, &format!("skipped: {}", function.reason))
        }));
    }
    Ok(Results {
        title: format!("latency compare {}", arguments.template.template.display()),
        measured_at,
        table: Table::new(rows),
        notes: notes(arguments, &published),
        deciding: DECIDING,
        warnings,
        failures: failed,
    })
}

fn remark(row: Row, remark: &str) -> Row {
    row.text(columns::REMARK, remark)
}

impl Measured<'_> {
    /// What the numbers of its row can't say.
    fn remark(&self) -> &'static str {
        match self.sequential.latencies.count() {
            0 => "no request succeeded: nothing to compare",
            _ => "",
        }
    }

    fn failures(&self) -> Failures {
        let mut all = Failures::default();
        for measurement in [
            &self.cold.first,
            &self.cold.warm,
            &self.sequential,
            &self.closed_loop,
            &self.metered,
        ] {
            all.merge(&measurement.failures, 0);
        }
        all
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut all = warnings::of(&self.sequential);
        all.extend(warnings::of_closed_loop(&self.closed_loop));
        let cold = self.reports.len() - self.warm_reports().count();
        if cold > 0 {
            all.push(Warning::ColdStarts {
                cold,
                invocations: self.reports.len(),
            });
        }
        all
    }

    fn warm_reports(&self) -> impl Iterator<Item = &Report> {
        self.reports
            .iter()
            .filter(|report| report.init_duration.is_none())
    }

    /// The mean of what was billed, without the cold starts.
    fn billed_duration(&self) -> Option<Duration> {
        let invocations = self.warm_reports().count();
        let billed: Duration = self
            .warm_reports()
            .map(|report| report.billed_duration)
            .sum();
        (invocations > 0).then(|| billed.div_f64(invocations as f64))
    }

    fn peak_memory_bytes(&self) -> u64 {
        let warm = self
            .reports
            .iter()
            .map(|report| report.max_memory_used_bytes);
        warm.max()
            .unwrap_or_default()
            .max(self.cold.peak_memory_bytes)
    }

    fn cost(&self, prices: &Prices) -> anyhow::Result<Cost> {
        let billed_duration = self
            .billed_duration()
            .ok_or_else(|| anyhow::anyhow!("no warm invocation was reported: no cost"))?;
        let usage = Usage {
            front_door: FrontDoor::HttpApi,
            processor: self.function.architecture.into(),
            memory_mb: self.function.memory_mb,
            billed_duration,
            api_calls: self.api_calls.clone(),
        };
        Ok(cost::per_million(&usage, prices)?)
    }

    fn row(&self, cost: Option<Cost>) -> Row {
        Row::default()
            .text(columns::ARCHITECTURE, &self.function.name)
            .latencies(&self.sequential)
            .number(
                columns::REQUESTS_PER_SECOND,
                Some(self.closed_loop.requests_per_second()),
            )
            .failures(&self.failures())
            .milliseconds(columns::INIT_MS, self.cold.init.percentile(50.0))
            .milliseconds(columns::BILLED_MS, self.billed_duration())
            .number(
                columns::PEAK_MEMORY_MB,
                Some(megabytes(self.peak_memory_bytes())),
            )
            .number(columns::USD_PER_MILLION, cost.map(|cost| cost.total()))
    }
}

fn notes(arguments: &Compare, published: &[Published]) -> Vec<String> {
    let mut notes = vec![
        sequence_note(arguments.requests, TURN),
        closed_loop_note(),
        format!("init: median of {} fresh environments.", arguments.starts),
        "billed: mean of the warm invocations, each in whole milliseconds. This machine's cores are not Lambda's share \
         of one at this memory size: durations there are longer, and the GB-seconds in the cost are a lower bound."
            .to_owned(),
        "cost: list prices of eu-west-2 without free tier, logs and data transfer, for the warm invocation and the AWS \
         calls it makes. A database and its proxy cost by the hour: they are not in it."
            .to_owned(),
    ];
    notes.extend(published_notes(published));
    notes
}
