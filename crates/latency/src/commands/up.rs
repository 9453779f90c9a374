//! `latency up`: the stack until Ctrl-C.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, OnceLock},
};

use anyhow::Context as _;
use local_lambda::{HostSettings, Logs, OnLine};
use local_stack::Stack;

use super::stack::{path, with_stack};
use crate::{
    Ending,
    cli::Up,
    env_file,
    interrupt::Interrupts,
    output,
    page::{self, Architecture, Architectures, Costs},
};

pub(super) async fn run(arguments: &Up, interrupts: &mut Interrupts) -> anyhow::Result<Ending> {
    // The names are known when the stack is; nothing is logged before.
    let lines: Arc<OnceLock<OnLine>> = Arc::default();
    let host = HostSettings {
        freeze: arguments.freeze,
        logs: logs(arguments, lines.clone()),
        ..HostSettings::default()
    };
    let port = arguments.port;
    let served = with_stack(&arguments.template, port, host, interrupts, async |stack| {
        if let Some(file) = &arguments.env_file {
            let (text, warnings) = env_file::written(&variables(stack))?;
            fs::write(file, text)
                .with_context(|| format!("{} can't be written", file.display()))?;
            output::warned(&warnings);
        }
        let names: Vec<_> = stack.functions().iter().map(|it| it.name.clone()).collect();
        let has_page = serve_page(stack, &arguments.template.distances.region);
        output::served(stack, has_page)?;
        lines.get_or_init(|| output::log_lines(&names));
        std::future::pending::<anyhow::Result<()>>().await
    });
    match served.await {
        // A signal is how it is meant to end.
        Err(error) if error.is::<crate::interrupt::Signal>() => Ok(Ending::Done),
        Err(error) => Err(error),
        Ok(()) => Ok(Ending::Done),
    }
}

/// Serves the page where the template leaves room for it.
fn serve_page(stack: &Stack, region: &str) -> bool {
    if !page::has_room(&stack.routes()) {
        return false;
    }
    let architectures = architectures(stack, region);
    stack.unrouted().answer_with(move |request| {
        // Read anew each time: a comparison may have been made meanwhile.
        page::answer(request, || architectures.clone().with(&Costs::last()))
    });
    true
}

/// What is served that can be called without knowing anything of it.
fn architectures(stack: &Stack, region: &str) -> Architectures {
    // What a stack serves besides functions has its place here, with its URL.
    let functions = stack.functions().iter().filter_map(|function| {
        Some(Architecture {
            description: function.description.clone(),
            ..Architecture::new(&function.name, path(stack, function)?)
        })
    });
    Architectures {
        region: region.to_owned(),
        architectures: functions.collect(),
    }
}

fn logs(arguments: &Up, lines: Arc<OnceLock<OnLine>>) -> Logs {
    match &arguments.logs {
        Some(directory) => Logs::Directory(directory.clone()),
        None if arguments.quiet => Logs::Discard,
        None => Logs::Lines(Arc::new(move |function, line| {
            lines.wait()(function, line);
        })),
    }
}

/// The variables of each function.
fn variables(stack: &Stack) -> Vec<(&str, &BTreeMap<String, String>)> {
    let functions = stack.functions().iter();
    functions
        .filter_map(|function| Some((&*function.name, stack.environment(&function.name)?)))
        .collect()
}
