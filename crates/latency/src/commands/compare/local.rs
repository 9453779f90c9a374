//! Every function of the template that an HTTP API leads to, run on this machine, and what it would be in a Region.

use std::{sync::Arc, time::Duration, time::SystemTime};

use load::{Failures, Measurement, Target, core::median};
use local_lambda::Report;
use local_stack::{ServedFunction, SkippedFunction, Stack};
use region::Estimate;

use super::{
    super::{
        metered::{Metered, metered},
        stack::{ColdStarts, path, profile, with_reports},
        target,
    },
    MEASURED, MODELLED, beside, published_notes,
    turns::{TURN, WARM_UP, closed_loop_note, in_closed_loop, in_sequence, sequence_note},
};
use crate::{
    cli::Compare,
    columns,
    cost::{self, Cost, FrontDoor, Prices, Usage},
    interrupt::Interrupts,
    model::Model,
    output::Progress,
    published::{self, Published},
    reports::Reports,
    results::{Group, Results, Row, Table, megabytes},
    warnings::{self, Warning},
};

/// A function, and what was measured of it.
struct Measured<'a> {
    function: &'a ServedFunction,
    path: &'a str,
    target: Arc<Target>,
    cold: ColdStarts,
    sequential: Measurement,
    closed_loop: Measurement,
    reports: Vec<Report>,
    metered: Metered,
}

pub(super) async fn run(
    arguments: &Compare,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    with_reports(&arguments.template, interrupts, async |stack, reports| {
        let measured_at = SystemTime::now();
        let subjects = measure(arguments, stack, reports).await?;
        let distances = &arguments.template.distances;
        let times = subjects.iter().flat_map(|it| &it.metered.kernel_ms);
        let kernel_ms = median(times.copied().collect());
        let model = Model::new(profile(&distances.region)?, distances.client_rtt, kernel_ms);
        results(arguments, measured_at, &subjects, &model, stack.skipped())
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
                metered: Metered::default(),
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
    let functions: Vec<_> = subjects.iter().map(|it| (it.function, it.path)).collect();
    let metered = metered(stack, &functions, arguments.common.timeout).await?;
    for (subject, metered) in subjects.iter_mut().zip(metered) {
        subject.metered = metered;
    }
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

fn results(
    arguments: &Compare,
    measured_at: SystemTime,
    subjects: &[Measured<'_>],
    model: &Model,
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
        let estimate = match subject.estimate(model) {
            Ok(estimate) => Some(estimate),
            Err(error) => {
                warnings.push(format!("{name}: it is not modelled: {error}"));
                None
            }
        };
        let row = subject.row(cost);
        let row = subject.modelled(row, estimate.as_ref(), &prices, arguments)?;
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
        notes: notes(arguments, model, &published),
        deciding: groups(arguments, model),
        warnings,
        failures: failed,
    })
}

fn groups(arguments: &Compare, model: &Model) -> Vec<Group> {
    let measured = Group {
        heading: "Measured here: what a function does, not what it takes on AWS".to_owned(),
        columns: MEASURED,
    };
    let modelled = Group {
        heading: format!(
            "Modelled for {}: which of these for {} calls a month?",
            model.region(),
            in_millions(arguments.calls_a_month.get())
        ),
        columns: MODELLED,
    };
    vec![measured, modelled]
}

fn in_millions(calls: u64) -> String {
    match calls % 1_000_000 {
        0 => format!("{} million", calls / 1_000_000),
        _ => calls.to_string(),
    }
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
            &self.metered.measurement,
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

    fn estimate(&self, model: &Model) -> Result<Estimate, region::Error> {
        let ServedFunction {
            memory_mb,
            architecture,
            ..
        } = *self.function;
        model.estimate(&self.metered.recorded, memory_mb, architecture)
    }

    fn cost(&self, prices: &Prices) -> anyhow::Result<Cost> {
        let billed_duration = self
            .billed_duration()
            .ok_or_else(|| anyhow::anyhow!("no warm invocation was reported: no cost"))?;
        Ok(cost::per_million(&self.usage(billed_duration), prices)?)
    }

    fn usage(&self, billed_duration: Duration) -> Usage {
        Usage {
            front_door: FrontDoor::HttpApi,
            architecture: self.function.architecture,
            memory_mb: self.function.memory_mb,
            billed_duration,
            api_calls: self.metered.calls.clone(),
        }
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

    /// Adds what it would be in the Region. What the calls cost is known only if every call has a price.
    fn modelled(
        &self,
        row: Row,
        estimate: Option<&Estimate>,
        prices: &Prices,
        arguments: &Compare,
    ) -> anyhow::Result<Row> {
        let row = row.estimate(estimate);
        let billed = estimate.map(|it| Duration::from_secs_f64(it.billed_mean / 1e3));
        let cost = billed.and_then(|billed| cost::per_million(&self.usage(billed), prices).ok());
        let cost = cost.map(|cost| cost.total());
        let services = self.metered.calls.keys().map(|(service, _)| &**service);
        let by_the_hour = cost::per_month(services, prices)?;
        let millions = arguments.calls_a_month.get() as f64 / 1e6;
        let month = cost.map(|cost| cost * millions + by_the_hour);
        Ok(row
            .number(columns::MODELLED_USD_PER_MILLION, cost)
            .number(columns::MODELLED_USD_PER_MONTH, month))
    }
}

fn notes(arguments: &Compare, model: &Model, published: &[Published]) -> Vec<String> {
    let mut notes = vec![
        sequence_note(arguments.requests, TURN),
        closed_loop_note(),
        format!("init: median of {} fresh environments.", arguments.starts),
        "billed: mean of the warm invocations, each in whole milliseconds, on this machine's whole core.".to_owned(),
        model.note(),
        format!(
            "cost: list prices of eu-west-2 without free tier, logs and data transfer, for the warm invocation and the AWS \
             calls it makes. $/month: for {} calls, with what the template's database and its proxy cost by the hour at least.",
            in_millions(arguments.calls_a_month.get())
        ),
    ];
    notes.extend(published_notes(published));
    notes
}
