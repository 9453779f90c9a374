//! JSON: every digit, keyed by column.

use std::{collections::BTreeMap, io::Write};

use serde::Serialize;

use super::Exporter;
use crate::results::{Results, Value};

pub(super) struct Json;

#[derive(Serialize)]
struct Document<'a> {
    title: &'a str,
    measured_at: String,
    notes: &'a [String],
    warnings: &'a [String],
    rows: Vec<BTreeMap<&'static str, &'a Value>>,
}

impl Exporter for Json {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let keys = results.table.columns().iter().map(|column| column.key);
        let document = Document {
            title: &results.title,
            measured_at: humantime::format_rfc3339_seconds(results.measured_at).to_string(),
            notes: &results.notes,
            warnings: &results.warnings,
            rows: results
                .table
                .rows()
                .iter()
                .map(|row| keys.clone().zip(row).collect())
                .collect(),
        };
        serde_json::to_writer_pretty(&mut *file, &document)?;
        writeln!(file)?;
        Ok(())
    }
}
