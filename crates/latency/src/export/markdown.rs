//! Markdown: for people, as in the terminal.

use std::io::Write;

use super::Exporter;
use crate::results::Results;

pub(super) struct Markdown;

impl Exporter for Markdown {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let columns = results.table.columns();
        writeln!(file, "# {}\n", results.title)?;
        let measured_at = humantime::format_rfc3339_seconds(results.measured_at);
        writeln!(file, "Measured at {measured_at}.\n")?;

        line(file, columns.iter().map(|column| escaped(column.heading)))?;
        let first = results.table.rows().first();
        line(
            file,
            (0..columns.len()).map(|at| match first {
                Some(row) if row[at].is_numeric() => "---:".to_owned(),
                _ => "---".to_owned(),
            }),
        )?;
        for row in results.table.rows() {
            let cells = row.iter().zip(columns);
            line(
                file,
                cells.map(|(value, column)| escaped(&value.shown(column.decimals))),
            )?;
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
