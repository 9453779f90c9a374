//! CSV: every digit, one line a row, nothing where there is nothing.

use std::io::Write;

use super::Exporter;
use crate::results::{Results, Value};

pub(super) struct Csv;

impl Exporter for Csv {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(results.table.columns().iter().map(|column| &*column.key))?;
        for row in results.table.rows() {
            writer.write_record(row.iter().map(|value| match value {
                Value::Number(number) => number.to_string(),
                Value::Missing => String::new(),
                value => value.shown(0),
            }))?;
        }
        writer.flush()?;
        Ok(())
    }
}
