//! `latency up`: the stack until Ctrl-C.

use std::{collections::BTreeMap, fs};

use anyhow::Context as _;
use local_lambda::{HostSettings, Logs};

use super::stack::with_stack;
use crate::{Ending, cli::Up, interrupt::Interrupts, output};

pub(super) async fn run(arguments: &Up, interrupts: &mut Interrupts) -> anyhow::Result<Ending> {
    let host = HostSettings {
        freeze: arguments.freeze,
        logs: Logs::Stdout,
        ..HostSettings::default()
    };
    let port = arguments.port;
    let served = with_stack(&arguments.template, port, host, interrupts, async |stack| {
        if let Some(file) = &arguments.env_file {
            fs::write(file, env_file(&stack.variables()))
                .with_context(|| format!("{} can't be written", file.display()))?;
        }
        output::served(&stack.url(), stack.functions())?;
        std::future::pending::<anyhow::Result<()>>().await
    });
    match served.await {
        // A signal is how it is meant to end.
        Err(error) if error.is::<crate::interrupt::Signal>() => Ok(Ending::Done),
        Err(error) => Err(error),
        Ok(()) => Ok(Ending::Done),
    }
}

/// `NAME=value` lines, as `cargo lambda watch --env-file` reads them.
fn env_file(variables: &BTreeMap<&str, &str>) -> String {
    variables
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect()
}
