//! A JSON export, read again. Whoever wrote the file, what comes from here has columns, and latencies of rows that exist.

use std::{collections::BTreeMap, fmt, time::SystemTime};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use crate::{BadInput, results::Value, time_line::Moment};

/// The format of JSON exports. Raised when what a reader knows is no longer there, or means something else.
pub(crate) const FORMAT: u32 = 1;

/// What one command found.
#[derive(Debug, Deserialize)]
pub struct Document {
    pub(super) title: String,
    pub(super) command: String,
    #[serde(deserialize_with = "time")]
    pub(super) measured_at: SystemTime,
    pub(super) machine: String,
    pub(super) columns: Vec<Column>,
    pub(super) groups: Vec<Group>,
    pub(super) rows: Vec<Row>,
    pub(super) latencies: Vec<Latencies>,
    #[serde(default)]
    pub(super) time_lines: Vec<TimeLine>,
    pub(super) notes: Vec<String>,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Column {
    pub(super) key: String,
    pub(super) heading: String,
    pub(super) decimals: u8,
}

/// Columns that are shown as a table of their own: those of them that there are.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub(super) heading: String,
    pub(super) columns: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Row(BTreeMap<String, Value>);

/// How many of a row's requests took how long.
#[derive(Debug, Deserialize)]
pub(super) struct Latencies {
    /// Which row, counted from 0.
    pub(super) row: usize,
    /// Milliseconds, and how many, the shortest first.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// A row second by second.
#[derive(Debug, Deserialize)]
pub(super) struct TimeLine {
    /// Which row, counted from 0.
    pub(super) row: usize,
    pub(super) moments: Vec<Moment>,
}

impl Document {
    /// Reads what `--export-json` wrote.
    ///
    /// # Errors
    /// It is something else; says what, as the rest of a sentence about the file.
    pub fn from_json(json: &[u8]) -> Result<Self, BadInput> {
        let value: serde_json::Value = serde_json::from_slice(json).map_err(|error| {
            BadInput(match error.is_eof() {
                true => format!("is cut off: {error}"),
                false => format!("is not JSON: {error}"),
            })
        })?;
        match value.get("format") {
            None => {
                return Err(BadInput(
                    "is no JSON export of this version of latency: it names no format".to_owned(),
                ));
            }
            Some(format) if *format != FORMAT => {
                return Err(BadInput(format!(
                    "was made by another version of latency (format {format}; this one reads {FORMAT})"
                )));
            }
            Some(_) => {}
        }
        let document: Self = serde_path_to_error::deserialize(value)
            .map_err(|error| BadInput(format!("is no JSON export of latency: {error}")))?;
        document.contradiction().map_or(Ok(document), |what| {
            Err(BadInput(format!("is no JSON export of latency: {what}")))
        })
    }

    /// What of it speaks of something that is not in it.
    fn contradiction(&self) -> Option<String> {
        if self.columns.is_empty() {
            return Some("it has no columns".to_owned());
        }
        let rows = self.rows.len();
        if let Some(line) = self.time_lines.iter().find(|line| line.row >= rows) {
            return Some(format!("a time line of row {}, of {rows}", line.row));
        }
        self.latencies
            .iter()
            .find_map(|Latencies { row, buckets }| {
                if *row >= self.rows.len() {
                    return Some(format!("latencies of row {row}, of {}", self.rows.len()));
                }
                let ascending = buckets.is_sorted_by(|(one, _), (next, _)| one < next);
                let is_time = |ms: f64| ms.is_finite() && ms >= 0.0;
                (!ascending || !buckets.iter().all(|(ms, _)| is_time(*ms)))
                    .then(|| format!("latencies of row {row} that are not in order"))
            })
    }

    /// The column of this key.
    pub(super) fn column(&self, key: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.key == key)
    }

    /// Whether it has all these columns.
    pub(super) fn has(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.column(key).is_some())
    }

    /// What each row is called: no two the same.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.rows.iter().map(|row| self.subject(row)).collect();
        if self.column("connections").is_some() {
            for (name, row) in names.iter_mut().zip(&self.rows) {
                let connections = row.value("connections").shown(0);
                *name = format!("{name}, {connections} connections");
            }
        }
        let is_named = ["architecture", "function"]
            .iter()
            .any(|key| self.column(key).is_some());
        if is_named && self.column("users").is_some() {
            for (name, row) in names.iter_mut().zip(&self.rows) {
                *name = format!("{name}, {} users", row.value("users").shown(0));
            }
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for name in &mut names {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                *name = format!("{name} ({count})");
            }
        }
        names
    }

    fn subject(&self, row: &Row) -> String {
        let named = ["architecture", "function"];
        match (
            named.iter().find(|key| self.column(key).is_some()),
            &self.columns[..],
        ) {
            (Some(key), _) => row.value(key).shown(0),
            (None, [first, ..]) => match row.value(&first.key) {
                Value::Text(text) if first.key != "run" => text.clone(),
                value => format!("{} {}", first.heading, value.shown(first.decimals.into())),
            },
            (None, []) => String::new(),
        }
    }
}

impl Row {
    /// What stands in this column.
    pub(super) fn value(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Missing)
    }

    /// The number that stands in this column, if one does.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match self.value(key) {
            Value::Number(number) => Some(*number),
            Value::Count(count) => Some(*count as f64),
            _ => None,
        }
    }
}

/// A moment as people read it.
pub(super) fn shown(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time)
        .to_string()
        .replace('T', " ")
        .replace('Z', " UTC")
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_rfc3339(&text).map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text, a number, nothing, or how many of each")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Missing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, count: u64) -> Result<Value, E> {
        Ok(Value::Count(count))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut counts = Vec::new();
        while let Some(count) = map.next_entry()? {
            counts.push(count);
        }
        Ok(Value::Counts(counts))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn export() -> serde_json::Value {
        json!({
            "format": 1, "title": "t", "command": "c", "measured_at": "2030-01-01T00:00:00Z", "machine": "m",
            "columns": [{"key": "architecture", "heading": "architecture", "decimals": 0}],
            "groups": [], "rows": [{"architecture": "a"}], "latencies": [], "notes": [], "warnings": []
        })
    }

    fn refused(json: &[u8]) -> String {
        let reason = Document::from_json(json).unwrap_err().to_string();
        assert_eq!(reason.lines().count(), 1, "{reason}");
        reason
    }

    fn refused_with(field: &str, value: serde_json::Value) -> String {
        let mut export = export();
        export[field] = value;
        refused(export.to_string().as_bytes())
    }

    #[test]
    fn an_export_cut_off_anywhere_is_refused() {
        let text = export().to_string();
        assert!(Document::from_json(text.as_bytes()).is_ok());
        for end in 0..text.len() {
            let reason = refused(&text.as_bytes()[..end]);
            assert!(reason.starts_with("is cut off: "), "{end}: {reason}");
        }
    }

    #[test]
    fn what_is_no_export_is_refused() {
        for foreign in [&b"<html>"[..], b"\xff\xfe", b"NaN", b"{\"a\": 1e999}"] {
            assert!(refused(foreign).starts_with("is not JSON: "), "{foreign:?}");
        }
        for foreign in [
            &b"3"[..],
            b"[]",
            b"{}",
            b"{\"title\": \"latency compare\", \"rows\": []}",
        ] {
            assert!(
                refused(foreign).ends_with("it names no format"),
                "{foreign:?}"
            );
        }
        for format in [json!(2), json!("1"), json!(1.5), json!(null)] {
            let reason = refused_with("format", format.clone());
            assert_eq!(
                reason,
                format!(
                    "was made by another version of latency (format {format}; this one reads 1)"
                )
            );
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_the_place_is_named() {
        for (field, value, told) in [
            ("title", json!(3), "title: invalid type: integer `3`"),
            ("measured_at", json!("yesterday"), "measured_at: "),
            ("columns", json!([]), "no columns"),
            ("rows", json!([{"architecture": [1]}]), "rows[0]"),
            ("rows", json!([{"architecture": {"a": -1}}]), "rows[0]"),
            (
                "time_lines",
                json!([{"row": 1, "moments": []}]),
                "a time line of row 1, of 1",
            ),
            (
                "time_lines",
                json!([{"row": 0, "moments": [{"second": -1}]}]),
                "time_lines[0].moments[0].second",
            ),
            (
                "latencies",
                json!([{"row": 1, "buckets": []}]),
                "latencies of row 1, of 1",
            ),
            (
                "latencies",
                json!([{"row": -1, "buckets": []}]),
                "latencies[0].row",
            ),
            (
                "latencies",
                json!([{"row": 0, "buckets": [[2, 1], [1, 1]]}]),
                "not in order",
            ),
            (
                "latencies",
                json!([{"row": 0, "buckets": [[-1, 1]]}]),
                "not in order",
            ),
            (
                "latencies",
                json!([{"row": 0, "buckets": [["NaN", 1]]}]),
                "latencies[0].buckets[0]",
            ),
        ] {
            let reason = refused_with(field, value);
            assert!(reason.contains(told), "{reason}");
        }
        let mut export = export();
        export.as_object_mut().unwrap().remove("machine");
        assert!(refused(export.to_string().as_bytes()).contains("missing field `machine`"));
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let names = |columns: serde_json::Value, rows: serde_json::Value| {
            let mut export = export();
            export["columns"] = columns;
            export["rows"] = rows;
            Document::from_json(export.to_string().as_bytes())
                .unwrap()
                .names()
        };
        let column = |key: &str| json!({"key": key, "heading": key, "decimals": 0});
        assert_eq!(
            names(
                json!([column("connections"), column("function")]),
                json!([{"connections": 1, "function": "f"}, {"connections": 2, "function": "f"}])
            ),
            ["f, 1 connections", "f, 2 connections"]
        );
        assert_eq!(
            names(
                json!([column("memory_mb")]),
                json!([{"memory_mb": 128}, {"memory_mb": 128}])
            ),
            ["memory_mb 128", "memory_mb 128 (2)"]
        );
        assert_eq!(names(json!([column("url")]), json!([{"url": "u"}])), ["u"]);
    }
}
