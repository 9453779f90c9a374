//! What a program wrote before it ended.

use std::path::Path;

/// The last line of a log that says something and passes `counts`.
pub(crate) fn last_line(log: &Path, counts: impl Fn(&str) -> bool) -> Option<String> {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty() && counts(line))
        .map(str::to_owned)
}
