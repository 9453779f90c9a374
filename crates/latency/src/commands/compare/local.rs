//! Every function of the template that an HTTP API leads to and every server, run on this machine, and what they would be in a
//! Region.

mod called;
mod dollars;
mod found;
mod function;
mod server;

use local_lambda::Report;
use local_stack::Stack;

use self::{called::Called, found::Found, function::Measured, server::MeasuredServer};
use super::{
    super::{
        metered::{kernel_ms, metered},
        stack::{path, profile, with_reports},
        target,
    },
    lost_hits,
    turns::{WARM_UP, in_closed_loop, in_sequence},
};
use crate::{
    circumstances::Circumstances, cli::Compare, interrupt::Interrupts, model::Model,
    output::Progress, reports::Reports, results::Results,
};

pub(super) async fn run(
    arguments: &Compare,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    with_reports(&arguments.template, interrupts, async |stack, reports| {
        let circumstances = Circumstances::now();
        let found = measure(arguments, stack, reports).await?;
        let distances = &arguments.template.distances;
        let kernel_ms = kernel_ms(found.functions.iter().map(|it| &it.metered));
        let model = Model::new(profile(&distances.region)?, distances.client_rtt, kernel_ms);
        found.results(arguments, circumstances, &model)
    })
    .await
}

async fn measure<'a>(
    arguments: &Compare,
    stack: &'a Stack,
    mut reports: Reports,
) -> anyhow::Result<Found<'a>> {
    let mut found = Found::nothing(stack);
    let timeout = arguments.common.timeout;
    for function in stack.functions() {
        if let Some(path) = path(stack, function) {
            let url = format!("{}{path}", stack.url());
            let called = Called::not_yet(target(&url, timeout).await?);
            let function = Measured::nothing(function, path, called);
            found.functions.push(function);
        }
    }
    anyhow::ensure!(
        !found.functions.is_empty(),
        "{} has no function with a GET route without parameters",
        arguments.template.template.display()
    );
    for server in stack.servers() {
        let url = format!("{}{}", server.url(), server.path());
        let called = Called::not_yet(target(&url, timeout).await?);
        found.servers.push(MeasuredServer { server, called });
    }
    start_afresh(arguments, stack, &mut found.functions, &mut reports).await?;
    let mut called = found.called_mut();
    let reports = call_in_sequence(arguments, stack, &mut called, &mut reports).await?;
    call_in_closed_loop(&mut called).await?;
    look_for_lost_hits(arguments, stack, &mut called).await?;
    for report in reports {
        let mut functions = found.functions.iter_mut();
        if let Some(of) = functions.find(|it| it.function.name == report.function) {
            of.reports.push(report);
        }
    }
    let functions = found.functions.iter();
    let functions: Vec<_> = functions.map(|it| (it.function, it.path)).collect();
    let metered = metered(stack, &functions, timeout).await?;
    for (function, metered) in found.functions.iter_mut().zip(metered) {
        function.metered = metered;
    }
    Ok(found)
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
    called: &mut [&mut Called],
) -> anyhow::Result<()> {
    let targets: Vec<_> = called.iter().map(|it| it.target.clone()).collect();
    let bursts = lost_hits::bursts(&targets, arguments.burst, async || {
        // Dozens of environments take memory that the next function's need.
        for function in stack.functions() {
            stack.host().retire_idle(&function.name).await;
        }
    })
    .await?;
    for (called, burst) in called.iter_mut().zip(bursts) {
        called.burst = burst;
    }
    Ok(())
}
