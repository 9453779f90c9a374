//! HTML: the page that `latency report` makes of the JSON export, made through that export.

use std::io::Write;

use super::{Exporter, json::Json};
use crate::{
    report::{Document, page},
    results::Results,
};

pub(super) struct Html;

impl Exporter for Html {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        let mut json = Vec::new();
        Json.export(results, &mut json)?;
        let document = Document::from_json(&json)?;
        file.write_all(page(&[document]).as_bytes())?;
        Ok(())
    }
}
