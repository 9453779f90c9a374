//! JSON: every digit, keyed by column. A report is made of it.

use std::{collections::BTreeMap, io::Write};

use serde::Serialize;

use super::Exporter;
use crate::{
    report,
    results::{Column, Group, Results, Value},
    time_line::Moment,
};

pub(super) struct Json;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    title: &'a str,
    command: &'a str,
    measured_at: String,
    machine: &'a str,
    columns: &'a [Column],
    groups: Vec<Columns<'a>>,
    notes: &'a [String],
    warnings: &'a [String],
    rows: Vec<BTreeMap<&'a str, &'a Value>>,
    latencies: Vec<Latencies>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    time_lines: Vec<TimeLine<'a>>,
}

/// The columns that decide.
#[derive(Serialize)]
struct Columns<'a> {
    heading: &'a str,
    columns: Vec<&'a str>,
}

/// How many of a row's requests took how long.
#[derive(Serialize)]
struct Latencies {
    /// Which row, counted from 0.
    row: usize,
    /// Milliseconds, and how many, the shortest first.
    buckets: Vec<(f64, u64)>,
}

/// A row second by second.
#[derive(Serialize)]
struct TimeLine<'a> {
    /// Which row, counted from 0.
    row: usize,
    moments: &'a [Moment],
}

impl Exporter for Json {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let keys = results.table.columns().iter().map(|column| &*column.key);
        let rows = results.table.rows().iter();
        let circumstances = &results.circumstances;
        let document = Document {
            format: report::FORMAT,
            title: &results.title,
            command: &circumstances.command,
            measured_at: humantime::format_rfc3339_seconds(circumstances.measured_at).to_string(),
            machine: &circumstances.machine,
            columns: results.table.columns(),
            groups: results.deciding.iter().map(columns).collect(),
            notes: &results.notes,
            warnings: &results.warnings,
            rows: rows.map(|row| keys.clone().zip(row).collect()).collect(),
            latencies: results.table.latencies().map(latencies).collect(),
            time_lines: results
                .table
                .time_lines()
                .map(|(row, moments)| TimeLine { row, moments })
                .collect(),
        };
        serde_json::to_writer_pretty(&mut *file, &document)?;
        writeln!(file)?;
        Ok(())
    }
}

fn columns(group: &Group) -> Columns<'_> {
    Columns {
        heading: &group.heading,
        columns: group.columns.iter().map(|column| &*column.key).collect(),
    }
}

fn latencies((row, latencies): (usize, &load::Latencies)) -> Latencies {
    let buckets = latencies.buckets();
    Latencies {
        row,
        buckets: buckets
            .map(|(latency, count)| (latency.as_nanos() as f64 / 1e6, count))
            .collect(),
    }
}
