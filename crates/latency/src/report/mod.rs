//! The page made from JSON exports and from nothing else: one file that needs neither a network nor its own script.
//!
//! One export is shown as it is; several are compared, row by row, in the order in which they were measured.

mod axis;
mod break_even;
mod comparison;
mod document;
mod latencies;
mod memory;
mod page;
mod single;
mod table;
pub(crate) mod time_line;

use std::path::Path;

pub(crate) use axis::step;
pub use document::Document;
pub(crate) use document::FORMAT;

use crate::BadInput;

/// Reads a JSON export.
///
/// # Errors
/// The file can't be read, or is not what `--export-json` writes.
pub fn read(path: &Path) -> Result<Document, BadInput> {
    let named = |reason: String| BadInput(format!("{} {reason}", path.display()));
    let json = std::fs::read(path).map_err(|error| named(format!("can't be read: {error}")))?;
    Document::from_json(&json).map_err(|BadInput(reason)| named(reason))
}

/// The page, as HTML. The same exports always give the same bytes.
#[must_use]
pub fn page(documents: &[Document]) -> String {
    let content = match documents {
        [document] => single::content(document),
        documents => comparison::content(documents),
    };
    page::html(content).into_string()
}

#[cfg(test)]
mod tests;
