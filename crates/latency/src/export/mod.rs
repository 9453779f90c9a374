//! Results in files: one file a format.

mod csv;
mod html;
mod json;
mod markdown;
mod svg;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;

use crate::{BadInput, results::Results, whole_file};

/// Writes results in one format.
trait Exporter {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()>;
}

/// Where the results go, besides the terminal.
#[derive(Args, Clone, Debug, Default)]
pub struct Exports {
    /// Write the results to FILE as JSON
    #[arg(long = "export-json", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the results to FILE as CSV
    #[arg(long = "export-csv", value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the results to FILE as Markdown
    #[arg(long = "export-markdown", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Draw the latencies to FILE as an SVG picture
    #[arg(long = "export-svg", value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write a report to FILE as HTML: the page that `latency report` makes of the JSON
    #[arg(long = "export-html", value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl Exports {
    /// Says before anything is measured that the results would have no place to go.
    ///
    /// # Errors
    /// A file's directory does not exist.
    pub fn check(&self) -> Result<(), BadInput> {
        self.paths().try_for_each(|path| there_is_a_place_for(path))
    }

    /// Writes the results to every file that was asked for.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn write(&self, results: &Results) -> anyhow::Result<()> {
        for (path, exporter) in self.files() {
            whole_file::write(path, |file| exporter.export(results, file))
                .with_context(|| format!("{} can't be written", path.display()))?;
        }
        Ok(())
    }

    /// Every file that was asked for.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files().map(|(path, _)| path)
    }

    fn files(&self) -> impl Iterator<Item = (&PathBuf, &'static dyn Exporter)> {
        let all: [(&Option<PathBuf>, &'static dyn Exporter); 5] = [
            (&self.json, &json::Json),
            (&self.csv, &csv::Csv),
            (&self.markdown, &markdown::Markdown),
            (&self.svg, &svg::Svg),
            (&self.html, &html::Html),
        ];
        all.into_iter()
            .filter_map(|(path, exporter)| path.as_ref().map(|path| (path, exporter)))
    }
}

/// Whether a file can be written later, as far as that is known now.
pub(crate) fn there_is_a_place_for(file: &Path) -> Result<(), BadInput> {
    let directory = match file.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    match directory.is_dir() {
        true => Ok(()),
        false => Err(BadInput(format!(
            "{} can't be written: there is no directory {}",
            file.display(),
            directory.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use load::{Failure, Measurement};

    use super::*;
    use crate::{
        circumstances::Circumstances,
        columns,
        report::{self, Document},
        results::{Row, Table},
    };

    fn results() -> Results {
        let mut measurement = Measurement {
            latencies: (1..=1_000).map(Duration::from_micros).collect(),
            ..Measurement::default()
        };
        measurement.failures.record(3, Failure::Status(503));
        measurement.failures.record(3, Failure::Reset);
        let nothing = Measurement::default();
        let row = |name: &str, measurement: &Measurement| {
            Row::default()
                .text(columns::ARCHITECTURE, name)
                .latencies(measurement)
                .failures(&measurement.failures)
                .failures_by_second(&measurement.failures)
        };
        Results {
            title: "latency test".to_owned(),
            circumstances: Circumstances::made_up(),
            table: Table::new(vec![row("a | \"b\", c", &measurement), row("d", &nothing)]),
            deciding: Vec::new(),
            notes: vec!["a note".to_owned()],
            warnings: vec!["a warning".to_owned()],
            failures: 2,
        }
    }

    fn exported(exporter: &dyn Exporter) -> String {
        let mut file = Vec::new();
        exporter.export(&results(), &mut file).unwrap();
        String::from_utf8(file).unwrap()
    }

    #[test]
    fn json_and_csv_say_the_same() {
        let json: serde_json::Value = serde_json::from_str(&exported(&json::Json)).unwrap();
        assert_eq!(json["format"], report::FORMAT);
        assert_eq!(json["measured_at"], "1970-01-01T00:00:00Z");
        assert_eq!(json["command"], "latency test");
        assert_eq!(json["columns"][0]["key"], "architecture");
        let text = exported(&csv::Csv);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let keys = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), json["rows"].as_array().unwrap().len());
        for (record, row) in rows.iter().zip(json["rows"].as_array().unwrap()) {
            assert_eq!(record.len(), row.as_object().unwrap().len());
            for (key, cell) in keys.iter().zip(record) {
                match &row[key] {
                    serde_json::Value::Null => assert_eq!(cell, "", "{key}"),
                    serde_json::Value::String(text) => assert_eq!(cell, text, "{key}"),
                    serde_json::Value::Number(number) => {
                        assert_eq!(cell.parse::<f64>().ok(), number.as_f64(), "{key}");
                    }
                    serde_json::Value::Object(counts) => {
                        for (what, count) in counts {
                            assert!(cell.contains(&format!("{count} × {what}")), "{cell}");
                        }
                    }
                    other => panic!("{key} is {other}"),
                }
            }
        }
    }

    #[test]
    fn json_holds_statistics_and_failures() {
        let json: serde_json::Value = serde_json::from_str(&exported(&json::Json)).unwrap();
        let row = &json["rows"][0];
        assert_eq!(row["mean_ms"], 0.5005);
        assert_eq!(row["max_ms"], 1.0);
        assert_eq!(row["failures"], 2);
        assert_eq!(row["failures_by_cause"]["status 503"], 1);
        assert_eq!(row["failures_by_second"]["connection reset in second 3"], 1);
        assert!(json["rows"][1]["mean_ms"].is_null());
        let [latencies] = &json["latencies"].as_array().unwrap()[..] else {
            panic!("{}", json["latencies"]);
        };
        assert_eq!(latencies["row"], 0);
        let buckets = latencies["buckets"].as_array().unwrap();
        let count: u64 = buckets.iter().map(|it| it[1].as_u64().unwrap()).sum();
        assert_eq!(count, 1_000);
    }

    #[test]
    fn markdown_is_a_table_of_what_people_see() {
        let text = exported(&markdown::Markdown);
        let table: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 4);
        assert!(table[0].starts_with("| architecture | mean (ms) | p50 (ms) |"));
        assert!(table[1].starts_with("| --- | ---: | ---: |"));
        assert!(
            table[2].starts_with("| a \\| \"b\", c | 0.500 |"),
            "{}",
            table[2]
        );
        assert!(table[3].starts_with("| d | – | – |"), "{}", table[3]);
        assert!(text.contains("\n- a note\n") && text.contains("\n- a warning\n"));
    }

    #[test]
    fn the_picture_shows_every_row_that_has_latencies() {
        let picture = exported(&svg::Svg);
        assert_eq!(picture.matches("<circle").count(), 1);
        assert!(picture.contains("p50 0.50 ms</text>"), "{picture}");
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    }

    #[test]
    fn the_page_is_the_one_made_of_the_json() {
        let document = Document::from_json(exported(&json::Json).as_bytes()).unwrap();
        let page = exported(&html::Html);
        assert_eq!(page, report::page(&[document]));
        assert!(page.contains("latency test</title>") && page.contains("a | &quot;b&quot;, c"));
        assert!(page.contains("id=\"latencies\""), "{page}");
    }

    #[test]
    fn a_file_without_a_directory_is_told_beforehand() {
        let exports = Exports {
            csv: Some(PathBuf::from("/nowhere/at/all.csv")),
            ..Exports::default()
        };
        assert_eq!(
            exports.check().unwrap_err().to_string(),
            "/nowhere/at/all.csv can't be written: there is no directory /nowhere/at"
        );
    }
}
