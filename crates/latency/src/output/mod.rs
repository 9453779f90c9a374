//! Everything that a person sees.

mod progress;
mod table;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
};

pub use progress::Progress;
pub use table::rendered;

use local_lambda::{Integration, OnLine};
use local_stack::{SkippedFunction, Stack};

use crate::results::Results;

/// Shows the results: the columns that decide, or with `wide` all, on the standard output, warnings on the standard error output.
///
/// # Errors
/// The standard output is closed.
pub fn show(results: &Results, wide: bool) -> io::Result<()> {
    let text = rendered(results, table::terminal_width(), wide);
    io::stdout().lock().write_all(text.as_bytes())?;
    warned(&results.warnings);
    Ok(())
}

/// Says what may be wrong, on the standard error output.
pub fn warned(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// Says a line on the standard error output, if anybody still reads it: what is under way goes on without a reader.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says where the results were written to.
pub fn written<'a>(files: impl Iterator<Item = &'a (impl AsRef<Path> + 'a)>) {
    let files: Vec<_> = files
        .map(|file| file.as_ref().display().to_string())
        .collect();
    if !files.is_empty() {
        eprintln!("written to {}", files.join(", "));
    }
}

/// Says which functions are not served, and why.
pub fn skipped(functions: &[SkippedFunction]) {
    for SkippedFunction { name, reason } in functions {
        eprintln!("{name} is skipped: {reason}");
    }
}

/// Says what is served where: every route of the HTTP API, every function URL, every server, and the page if it is served.
///
/// # Errors
/// The standard output is closed.
pub fn served(stack: &Stack, has_page: bool) -> io::Result<()> {
    let url = stack.url();
    let mut lines = Vec::new();
    for route in stack.routes() {
        let to = match &route.integration {
            Integration::Function(name) => name.clone(),
            Integration::SendMessage(send) => {
                let queue = send.queue_url.rsplit('/').next().unwrap_or_default();
                format!("queue {queue}")
            }
        };
        let path = match route.path.as_str() {
            "$default" => "/ and every other path",
            path => path,
        };
        lines.push((route.method.to_string(), format!("{url}{path}"), to));
    }
    for function in stack.functions().iter().filter(|it| it.function_url) {
        let name = &function.name;
        let path = format!("{url}/lambda-url/{name}/");
        lines.push((
            "ANY".to_owned(),
            path,
            format!("{name}, by its function URL"),
        ));
    }
    for server in stack.servers() {
        let url = format!("{}{}", server.url(), server.path());
        lines.push(("GET".to_owned(), url, server.name().to_owned()));
    }
    if has_page {
        let to = "the page: a button a counter, and a comparison in the browser";
        lines.push(("GET".to_owned(), format!("{url}/"), to.to_owned()));
    }
    let width = lines.iter().map(|(_, url, _)| url.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut out = io::stdout().lock();
    for (method, url, to) in lines {
        writeln!(out, "{method:<7} {url:<width$}  {to}")?;
    }
    writeln!(
        out,
        "cargo lambda invoke NAME, and the Invoke API at {url}, call every function. Ctrl-C ends it."
    )?;
    out.flush()
}

/// Writes lines of functions' logs to the standard output, each with its function's name before it, in colour on a terminal.
#[must_use]
pub fn log_lines(names: &[String]) -> OnLine {
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let names = names.to_vec();
    Arc::new(move |function, line| {
        let mut out = io::stdout().lock();
        // Whoever closes our output wants no more of it.
        let _ = if coloured {
            let at = names.iter().position(|name| name == function);
            let colour = COLOURS[at.unwrap_or_default() % COLOURS.len()];
            writeln!(out, "\x1b[{colour}m{function:<width$}\x1b[0m  {line}")
        } else {
            writeln!(out, "{function:<width$}  {line}")
        };
    })
}

/// The foreground colours of ECMA-48 ("Select Graphic Rendition") that are read well on black and on white.
const COLOURS: [u8; 5] = [36, 35, 33, 32, 34];
