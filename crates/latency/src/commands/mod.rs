//! The commands: each measures, and hands back what it found.

mod burst;
mod cold;
mod compare;
mod probe;
mod stack;
mod up;

use std::{sync::Arc, time::Duration};

use crate::{
    BadInput, Ending,
    cli::{Cli, Command, Common},
    interrupt::Interrupts,
    load::Target,
    output,
    results::Results,
};

/// Does what the command line asks for.
///
/// # Errors
/// Whatever kept the command from its end: [`BadInput`] where the input was to blame, a
/// [`Signal`](crate::interrupt::Signal) where there was one, once everything is stopped that had been started.
pub async fn run(cli: Cli) -> anyhow::Result<Ending> {
    let mut interrupts = Interrupts::listen()?;
    match &cli.command {
        Command::Up(arguments) => up::run(arguments, &mut interrupts).await,
        Command::Probe(arguments) => {
            arguments.common.exports.check()?;
            let results = interrupts.during(probe::run(arguments)).await?;
            tell(&results, &arguments.common)
        }
        Command::Burst(arguments) => {
            arguments.common.exports.check()?;
            let results = interrupts.during(burst::run(arguments)).await?;
            tell(&results, &arguments.common)
        }
        Command::Cold(arguments) => {
            arguments.common.exports.check()?;
            let results = cold::run(arguments, &mut interrupts).await?;
            tell(&results, &arguments.common)
        }
        Command::Compare(arguments) => {
            arguments.common.exports.check()?;
            let files = arguments.files()?;
            let results = compare::run(arguments, &mut interrupts).await?;
            let ending = tell(&results, &arguments.common)?;
            files.write(&results)?;
            output::written(files.paths());
            Ok(ending)
        }
    }
}

/// Shows the results and writes them to files.
fn tell(results: &Results, common: &Common) -> anyhow::Result<Ending> {
    output::show(results)?;
    common.exports.write(results)?;
    if results.failures > 0 && !common.allow_failures {
        return Ok(Ending::RequestsFailed);
    }
    Ok(Ending::Done)
}

async fn target(url: &str, timeout: Duration) -> Result<Arc<Target>, BadInput> {
    Target::resolve(url, timeout)
        .await
        .map(Arc::new)
        .map_err(|error| BadInput(error.to_string()))
}
