//! Every function of the template that an HTTP API leads to, run on this machine, and what it would be in a Region.

mod function;

use std::sync::Arc;

use load::Target;
use local_stack::{SkippedFunction, Stack};

use self::function::Measured;
use super::{
    super::{
        metered::{kernel_ms, metered},
        stack::{path, profile, with_reports},
        target,
    },
    MEASURED, MODELLED, beside, published_notes,
    turns::{TURN, WARM_UP, closed_loop_note, in_closed_loop, in_sequence, sequence_note},
};
use crate::{
    circumstances::Circumstances,
    cli::Compare,
    columns,
    cost::Prices,
    interrupt::Interrupts,
    model::Model,
    output::Progress,
    published::{self, Published},
    reports::Reports,
    results::{Group, Results, Row, Table},
};

pub(super) async fn run(
    arguments: &Compare,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    with_reports(&arguments.template, interrupts, async |stack, reports| {
        let circumstances = Circumstances::now();
        let subjects = measure(arguments, stack, reports).await?;
        let distances = &arguments.template.distances;
        let kernel_ms = kernel_ms(subjects.iter().map(|it| &it.metered));
        let model = Model::new(profile(&distances.region)?, distances.client_rtt, kernel_ms);
        results(arguments, circumstances, &subjects, &model, stack.skipped())
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
            let target = target(&url, arguments.common.timeout).await?;
            subjects.push(Measured::nothing(function, path, target));
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
    circumstances: Circumstances,
    subjects: &[Measured<'_>],
    model: &Model,
    skipped: &[SkippedFunction],
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let published = published::all()?;
    let mut rows = Vec::new();
    let mut warnings = Vec::new();
    let mut failed = 0;
    let calls_a_month = arguments.calls_a_month.get();
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
        let row = subject.modelled(row, estimate.as_ref(), &prices, calls_a_month)?;
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
        circumstances,
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
