//! Markdown: for people. Where there are several groups of columns, each is a table, and all columns are a last one.

use std::io::Write;

use super::Exporter;
use crate::results::{Group, Results, Table};

pub(super) struct Markdown;

impl Exporter for Markdown {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let table = &results.table;
        writeln!(file, "# {}\n", results.title)?;
        let measured_at = humantime::format_rfc3339_seconds(results.circumstances.measured_at);
        writeln!(file, "Measured at {measured_at}.\n")?;
        if let [_, _, ..] = results.deciding[..] {
            for Group { heading, columns } in &results.deciding {
                writeln!(file, "## {heading}\n")?;
                rows(file, table, &table.telling_columns(columns))?;
                writeln!(file)?;
            }
            writeln!(file, "## All columns\n")?;
        }
        rows(file, table, &table.filled_columns())?;
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

fn rows(file: &mut dyn Write, table: &Table, shown: &[usize]) -> std::io::Result<()> {
    let column = |at: &usize| &table.columns()[*at];
    line(file, shown.iter().map(|at| escaped(&column(at).heading)))?;
    let numeric = |at: &usize| table.rows().iter().all(|row| row[*at].is_numeric());
    let ruler = |at| if numeric(at) { "---:" } else { "---" };
    line(file, shown.iter().map(|at| ruler(at).to_owned()))?;
    for row in table.rows() {
        let cell = |at: &usize| escaped(&row[*at].shown(column(at).decimals));
        line(file, shown.iter().map(cell))?;
    }
    Ok(())
}

fn line(file: &mut dyn Write, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    writeln!(file, "| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
