//! Every function of the template that an HTTP API leads to, run on this machine, and what it would be in a Region.

mod called;
mod dollars;
mod function;

use local_lambda::Report;
use local_stack::{SkippedFunction, Stack};

use self::{called::Called, function::Measured};
use super::{
    super::{
        metered::{kernel_ms, metered},
        stack::{path, profile, with_reports},
        target,
    },
    MEASURED, MODELLED, PUBLISHED, beside, lost_hits, published_notes, told_apart,
    turns::{TURN, WARM_UP, closed_loop_note, in_closed_loop, in_sequence, sequence_note},
};
use crate::{
    circumstances::Circumstances,
    cli::Compare,
    columns,
    cost::{Monthly, Prices},
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
            let called = Called::not_yet(target(&url, arguments.common.timeout).await?);
            subjects.push(Measured::nothing(function, path, called));
        }
    }
    anyhow::ensure!(
        !subjects.is_empty(),
        "{} has no function with a GET route without parameters",
        arguments.template.template.display()
    );
    start_afresh(arguments, stack, &mut subjects, &mut reports).await?;
    let mut called: Vec<_> = subjects.iter_mut().map(|it| &mut it.called).collect();
    let reports = call_in_sequence(arguments, stack, &mut called, &mut reports).await?;
    call_in_closed_loop(&mut called).await?;
    for report in reports {
        let mut subjects = subjects.iter_mut();
        if let Some(subject) = subjects.find(|it| it.function.name == report.function) {
            subject.reports.push(report);
        }
    }
    look_for_lost_hits(arguments, stack, &mut subjects).await?;
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
                .add(stack, subject.function, &subject.called.target, reports)
                .await?;
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(())
}

/// The reports are those of the requests that were timed.
async fn call_in_sequence(
    arguments: &Compare,
    stack: &Stack,
    called: &mut [&mut Called],
    reports: &mut Reports,
) -> anyhow::Result<Vec<Report>> {
    let requests = arguments.requests.get();
    let targets: Vec<_> = called.iter().map(|it| it.target.clone()).collect();
    let progress = Progress::bar(
        "calling one after the other",
        (WARM_UP + requests) * targets.len() as u64,
    );
    in_sequence(targets.clone(), WARM_UP, &progress).await?;
    reports.take(stack.host()).await;

    let measured = in_sequence(targets, requests, &progress).await?;
    progress.finish();
    for (called, measured) in called.iter_mut().zip(measured) {
        called.sequential = measured;
    }
    Ok(reports.take(stack.host()).await)
}

async fn call_in_closed_loop(called: &mut [&mut Called]) -> anyhow::Result<()> {
    let targets: Vec<_> = called.iter().map(|it| it.target.clone()).collect();
    let measured = in_closed_loop(&targets).await?;
    for (called, measured) in called.iter_mut().zip(measured) {
        called.closed_loop = measured;
    }
    Ok(())
}

async fn look_for_lost_hits(
    arguments: &Compare,
    stack: &Stack,
    subjects: &mut [Measured<'_>],
) -> anyhow::Result<()> {
    let targets: Vec<_> = subjects.iter().map(|it| it.called.target.clone()).collect();
    let functions: Vec<_> = subjects.iter().map(|it| it.function).collect();
    let bursts = lost_hits::bursts(&targets, arguments.burst, async |at| {
        // Dozens of environments take memory that the next function's need.
        stack.host().retire_idle(&functions[at].name).await;
    })
    .await?;
    for (subject, burst) in subjects.iter_mut().zip(bursts) {
        subject.called.burst = burst;
    }
    Ok(())
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
    let calls_per_month = &arguments.calls_per_month[..];
    let server: Option<Monthly> = None;
    let called: Vec<_> = subjects.iter().map(|it| &it.called).collect();
    let names: Vec<_> = subjects.iter().map(|it| &*it.function.name).collect();
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
        let monthly = subject.monthly(estimate.as_ref(), &prices)?;
        let row = subject.row(cost).estimate(estimate.as_ref());
        let row = dollars::beside(row, monthly, calls_per_month, server);
        let row = beside(row, published::beside(name, &published));
        rows.push(remark(row, subject.called.remark()));
        failed += subject.failures().count();
        warnings.extend(
            subject
                .warnings()
                .iter()
                .map(|warning| format!("{name}: {warning}")),
        );
    }
    let latencies: Vec<_> = called.iter().map(|it| &it.sequential.latencies).collect();
    let mut rows = told_apart::beside(rows, &latencies, &names);
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
        columns: MEASURED.to_vec(),
    };
    let mut modelled = MODELLED.to_vec();
    let published = modelled.split_off(modelled.len() - PUBLISHED);
    modelled.extend(dollars::columns(&arguments.calls_per_month));
    modelled.extend(published);
    let modelled = Group {
        heading: format!(
            "Modelled for {}: which of these for how many calls a month?",
            model.region()
        ),
        columns: modelled,
    };
    vec![measured, modelled]
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
        "cost: list prices of eu-west-2 without free tier, logs and data transfer, for the warm invocation and the AWS calls it \
         makes. $/month: with what the template's database, its proxy and its servers cost by the hour at least."
            .to_owned(),
        lost_hits::note(arguments.burst),
        told_apart::NOTE.to_owned(),
    ];
    notes.extend(published_notes(published));
    notes
}
