//! The commands: each measures, and hands back what it found.

mod burst;
mod calc;
mod check;
mod cold;
mod compare;
mod deployed;
mod from_lambda;
mod metered;
mod probe;
mod publish;
mod ramp;
mod rate;
mod report;
mod seed;
mod stack;
mod tune;
mod up;

use crate::{
    Ending,
    cli::{Cli, Command, Common},
    export::Exports,
    interrupt::Interrupts,
    machine::{self, Machine},
    output,
    results::Results,
    target::{called, target, url},
};

/// Does what the command line asks for.
///
/// # Errors
/// Whatever kept the command from its end: [`BadInput`](crate::BadInput) where the input was to blame, a
/// [`Signal`](crate::interrupt::Signal) where there was one, once everything is stopped that had been started.
pub async fn run(cli: Cli) -> anyhow::Result<Ending> {
    let mut interrupts = Interrupts::listen()?;
    match &cli.command {
        Command::Up(arguments) => up::run(arguments, &mut interrupts).await,
        Command::Probe(arguments) => {
            let results = interrupts.during(probe::run(arguments));
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Burst(arguments) => {
            let results = burst::run(arguments, &mut interrupts);
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Rate(arguments) => {
            let results = interrupts.during(rate::run(arguments));
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Cold(arguments) => {
            let results = cold::run(arguments, &mut interrupts);
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Compare(arguments) => {
            let files = arguments.files()?;
            let results = compare::run(arguments, &mut interrupts);
            measured(&arguments.common, &files, results).await
        }
        Command::Check(arguments) => {
            let results = check::run(arguments, &mut interrupts);
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Calc(arguments) => {
            let results = calc::run(arguments, &mut interrupts);
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Tune(arguments) => {
            let results = tune::run(arguments, &mut interrupts);
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::Ramp(arguments) => {
            let results = ramp::run(arguments, &mut interrupts);
            measured(&arguments.common, &Exports::default(), results).await
        }
        Command::RampUsers => crate::ramp::be_worker().await,
        Command::Publish(arguments) => interrupts.during(publish::run(arguments)).await,
        Command::Report(arguments) => report::run(arguments),
        Command::Seed(arguments) => interrupts.during(seed::run(arguments)).await,
    }
}

/// Waits for the results, shows them, and writes them to the files asked for and to those that are always written.
async fn measured(
    common: &Common,
    always: &Exports,
    results: impl Future<Output = anyhow::Result<Results>>,
) -> anyhow::Result<Ending> {
    common.exports.check()?;
    let before = Machine::now();
    let mut results = results.await?;
    results.warnings.extend(machine::warning(before));
    output::show(&results, common.wide)?;
    for exports in [&common.exports, always] {
        exports.write(&results)?;
        output::written(exports.paths());
    }
    if results.failures > 0 && !common.allow_failures {
        return Ok(Ending::RequestsFailed);
    }
    Ok(Ending::Done)
}
