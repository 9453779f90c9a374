//! Everything that a person sees.

mod progress;
mod table;

use std::{
    io::{self, Write as _},
    path::Path,
};

pub use progress::Progress;
pub use table::rendered;

use local_stack::{ServedFunction, SkippedFunction};

use crate::results::Results;

/// Shows the results: the table on the standard output, warnings on the standard error output.
///
/// # Errors
/// The standard output is closed.
pub fn show(results: &Results) -> io::Result<()> {
    let text = rendered(results, table::terminal_width());
    io::stdout().lock().write_all(text.as_bytes())?;
    for warning in &results.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
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

/// Says under which URLs functions are served.
///
/// # Errors
/// The standard output is closed.
pub fn served(url: &str, functions: &[ServedFunction]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for function in functions {
        writeln!(out, "{}", function.name)?;
        for route in &function.routes {
            let method = route.method.to_string();
            writeln!(out, "  {method:<7} {url}{}", route.path)?;
        }
        if function.function_url {
            writeln!(out, "  ANY     {url}/lambda-url/{}/", function.name)?;
        }
        writeln!(
            out,
            "  invoke  {url}/2015-03-31/functions/{}/invocations",
            function.name
        )?;
    }
    writeln!(out, "Ctrl-C ends it.")?;
    out.flush()
}
