//! Everything that a person sees.

mod progress;
mod table;

use std::io::Write as _;

pub use progress::Progress;
pub use table::rendered;

use crate::results::Results;

/// Shows the results: the table on the standard output, warnings on the standard error output.
///
/// # Errors
/// The standard output is closed.
pub fn show(results: &Results) -> std::io::Result<()> {
    let text = rendered(results, table::terminal_width());
    std::io::stdout().lock().write_all(text.as_bytes())?;
    for warning in &results.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
