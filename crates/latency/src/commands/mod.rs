//! The commands: each measures, and hands back what it found.

mod burst;
mod probe;

use std::{sync::Arc, time::Duration};

use crate::{
    BadInput, Ending,
    cli::{Cli, Command, Common},
    interrupt::or_interrupt,
    load::Target,
    output,
    results::Results,
};

/// Does what the command line asks for.
///
/// # Errors
/// Whatever kept the command from its end. [`BadInput`] is among them where the input was to blame.
pub async fn run(cli: Cli) -> anyhow::Result<Ending> {
    match &cli.command {
        Command::Probe(arguments) => measured(&arguments.common, probe::run(arguments)).await,
        Command::Burst(arguments) => measured(&arguments.common, burst::run(arguments)).await,
    }
}

/// Waits for the results, shows them and writes them to files.
async fn measured(
    common: &Common,
    command: impl Future<Output = anyhow::Result<Results>>,
) -> anyhow::Result<Ending> {
    common.exports.check()?;
    let results = match or_interrupt(command).await? {
        Ok(results) => results?,
        Err(signal) => return Ok(Ending::Interrupted(signal)),
    };
    output::show(&results)?;
    common.exports.write(&results)?;
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
