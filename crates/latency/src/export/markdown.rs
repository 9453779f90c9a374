//! Markdown: for people, as in the terminal.

use std::io::Write;

use super::Exporter;
use crate::results::Results;

pub(super) struct Markdown;

impl Exporter for Markdown {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let table = &results.table;
        let shown = table.filled_columns();
        writeln!(file, "# {}\n", results.title)?;
        let measured_at = humantime::format_rfc3339_seconds(results.measured_at);
        writeln!(file, "Measured at {measured_at}.\n")?;

        let column = |at: &usize| table.columns()[*at];
        line(file, shown.iter().map(|at| escaped(column(at).heading)))?;
        let numeric = |at: &usize| table.rows().iter().all(|row| row[*at].is_numeric());
        let ruler = |at| if numeric(at) { "---:" } else { "---" };
        line(file, shown.iter().map(|at| ruler(at).to_owned()))?;
        for row in table.rows() {
            let cell = |at: &usize| escaped(&row[*at].shown(column(at).decimals));
            line(file, shown.iter().map(cell))?;
        }

        for (heading, texts) in [("Notes", &results.notes), ("Warnings", &results.warnings)] {
            if !texts.is_empty() {
                writeln!(file, "\n{heading}:\n")?;
                for text in texts {
                    writeln!(file, "- {text}")?;
                }
            }
        }
        Ok(())
    }
}

fn line(file: &mut dyn Write, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    writeln!(file, "| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
