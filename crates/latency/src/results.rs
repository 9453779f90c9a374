//! What a command found, in the one form that the terminal and every file are made from, so that they agree.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use load::{Failures, Latencies, Measurement, PERCENTILES};
use region::Estimate;
use serde::{Serialize, Serializer};

use crate::{circumstances::Circumstances, columns, time_line::Moment};

/// What a command found.
#[derive(Clone, Debug)]
pub struct Results {
    /// What was done, such as `latency probe http://127.0.0.1:9000/s3/hits`.
    pub title: String,
    /// When, how and where it was done.
    pub circumstances: Circumstances,
    /// What was found.
    pub table: Table,
    /// The columns that decide, for a reader who has no room for all; none for all.
    pub deciding: Vec<Group>,
    /// What a reader has to know to understand it.
    pub notes: Vec<String>,
    /// What may be wrong with it.
    pub warnings: Vec<String>,
    /// Requests that failed.
    pub failures: u64,
}

/// Columns that are shown as a table of their own.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are, where there are several groups.
    pub heading: String,
    /// The columns; the first one names the rows.
    pub columns: Vec<Column>,
}

impl Group {
    /// The only group.
    #[must_use]
    pub fn only(columns: &[Column]) -> Vec<Self> {
        vec![Self {
            heading: String::new(),
            columns: columns.to_vec(),
        }]
    }
}

/// Rows with the same columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    /// Each row's, if it has some.
    latencies: Vec<Option<Latencies>>,
    /// Each row's, empty where it has none.
    time_lines: Vec<Vec<Moment>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name in JSON and CSV.
    pub key: Cow<'static, str>,
    /// Its heading for people, with the unit in parentheses.
    pub heading: Cow<'static, str>,
    /// How many decimals people see. Files for programs hold every digit.
    pub decimals: usize,
}

impl Column {
    /// A column of this name and heading, shown with so many decimals.
    #[must_use]
    pub const fn new(key: &'static str, heading: &'static str, decimals: usize) -> Self {
        Self {
            key: Cow::Borrowed(key),
            heading: Cow::Borrowed(heading),
            decimals,
        }
    }
}

/// What stands in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Words.
    Text(String),
    /// Something counted.
    Count(u64),
    /// Something measured.
    Number(f64),
    /// How many of each.
    Counts(Vec<(String, u64)>),
    /// Nothing: there was nothing to measure.
    Missing,
}

impl Value {
    /// Whether it is shown to the right of its column.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        !matches!(self, Self::Text(_) | Self::Counts(_))
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Counts(counts) => counts.is_empty(),
            Self::Count(_) | Self::Number(_) | Self::Missing => false,
        }
    }

    /// Its form for people.
    #[must_use]
    pub fn shown(&self, decimals: usize) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number(number) => format!("{number:.decimals$}"),
            Self::Counts(counts) => counts
                .iter()
                .map(|(what, count)| format!("{count} × {what}"))
                .collect::<Vec<_>>()
                .join(", "),
            Self::Missing => "–".to_owned(),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Counts(counts) => serializer.collect_map(counts.iter().map(|(k, v)| (k, v))),
            Self::Missing => serializer.serialize_none(),
        }
    }
}

impl Table {
    /// A table of rows that were all built in the same way.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let columns = rows
            .first()
            .map(|row| row.cells.iter().map(|(column, _)| column.clone()).collect())
            .unwrap_or_default();
        let mut table = Self {
            columns,
            ..Self::default()
        };
        for row in rows {
            let values = row.cells.into_iter().map(|(_, value)| value);
            table.rows.push(values.collect());
            table.latencies.push(row.latencies);
            table.time_lines.push(row.time_line);
        }
        table
    }

    /// The time lines of those rows that have one, each with its row, counted from 0.
    pub fn time_lines(&self) -> impl Iterator<Item = (usize, &[Moment])> {
        let rows = self.time_lines.iter().enumerate();
        let rows = rows.filter(|(_, moments)| !moments.is_empty());
        rows.map(|(at, moments)| (at, &moments[..]))
    }

    /// The latencies of those rows that have some, each with its row, counted from 0.
    pub fn latencies(&self) -> impl Iterator<Item = (usize, &Latencies)> {
        let rows = self.latencies.iter().enumerate();
        rows.filter_map(|(at, latencies)| Some((at, latencies.as_ref()?)))
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Which columns people see: one in which nothing happened only takes room.
    #[must_use]
    pub fn filled_columns(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|&at| self.rows.iter().any(|row| !row[at].is_empty()))
            .collect()
    }

    /// Of these columns, where those are that say something: where nothing failed, nobody asks how.
    #[must_use]
    pub fn telling_columns(&self, columns: &[Column]) -> Vec<usize> {
        let tells = |at: &usize| {
            let mut cells = self.rows.iter().map(|row| &row[*at]);
            cells.any(|cell| !cell.is_empty() && *cell != Value::Count(0))
        };
        columns
            .iter()
            .filter_map(|column| self.columns.iter().position(|known| known == column))
            .filter(tells)
            .collect()
    }

    /// What stands in this row and column.
    #[must_use]
    pub fn value<'a>(&self, row: &'a [Value], column: &Column) -> Option<&'a Value> {
        let at = self.columns.iter().position(|known| known == column)?;
        row.get(at)
    }

    /// The number that stands in this row and column, if one does.
    #[must_use]
    pub fn number(&self, row: &[Value], column: &Column) -> Option<f64> {
        match self.value(row, column)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Its rows, each as long as the columns.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }
}

/// Bytes as Lambda counts them in its REPORT line: a MB is 2^20 bytes.
#[must_use]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A row in the making.
#[derive(Clone, Debug, Default)]
pub struct Row {
    cells: Vec<(Column, Value)>,
    latencies: Option<Latencies>,
    time_line: Vec<Moment>,
}

impl Row {
    /// Adds words.
    #[must_use]
    pub fn text(self, column: Column, text: impl Into<String>) -> Self {
        self.with(column, Value::Text(text.into()))
    }

    /// Adds something counted.
    #[must_use]
    pub fn count(self, column: Column, count: u64) -> Self {
        self.with(column, Value::Count(count))
    }

    /// Adds something counted, if it was.
    #[must_use]
    pub fn optional_count(self, column: Column, count: Option<u64>) -> Self {
        self.with(column, count.map_or(Value::Missing, Value::Count))
    }

    /// Adds something measured, if it was.
    #[must_use]
    pub fn number(self, column: Column, number: Option<f64>) -> Self {
        self.with(column, number.map_or(Value::Missing, Value::Number))
    }

    /// Adds a duration in milliseconds, if there is one.
    #[must_use]
    pub fn milliseconds(self, column: Column, duration: Option<Duration>) -> Self {
        self.number(column, duration.map(|time| time.as_nanos() as f64 / 1e6))
    }

    /// Adds mean, percentiles and maximum of the latencies, and between what the median is.
    #[must_use]
    pub fn latencies(mut self, measurement: &Measurement) -> Self {
        let latencies = &measurement.latencies;
        self.latencies = (latencies.count() > 0).then(|| latencies.clone());
        let interval = latencies.median_interval();
        let [p50, p99, p999] = PERCENTILES.map(|percent| latencies.percentile(percent));
        self.milliseconds(columns::MEAN_MS, latencies.mean())
            .milliseconds(columns::P50_MS, p50)
            .milliseconds(columns::P50_LOW_MS, interval.map(|(low, _)| low))
            .milliseconds(columns::P50_HIGH_MS, interval.map(|(_, high)| high))
            .milliseconds(columns::P99_MS, p99)
            .milliseconds(columns::P99_9_MS, p999)
            .milliseconds(columns::MAX_MS, latencies.max())
    }

    /// Adds what happened second by second.
    #[must_use]
    pub fn time_line(mut self, moments: Vec<Moment>) -> Self {
        self.time_line = moments;
        self
    }

    /// Adds what callers would see in a Region.
    #[must_use]
    pub fn estimate(self, estimate: Option<&Estimate>) -> Self {
        let latency = estimate.map(|it| it.latency);
        let range = estimate.map(|it| format!("{:.0} to {:.0}", it.range.0, it.range.1));
        let moved_by = estimate.and_then(|it| it.moved_by.as_ref());
        let moved_by = moved_by.map(|moved| {
            let (from, to) = moved.between;
            format!("{}: {from:.0} to {to:.0} ms", moved.parameter)
        });
        self.number(columns::MODELLED_MEAN_MS, latency.map(|it| it.mean))
            .text(columns::MODELLED_RANGE_MS, range.unwrap_or_default())
            .number(columns::MODELLED_P50_MS, latency.map(|it| it.p50))
            .number(columns::MODELLED_P99_MS, latency.map(|it| it.p99))
            .number(
                columns::MODELLED_BILLED_MS,
                estimate.map(|it| it.billed_mean),
            )
            .number(columns::MODELLED_INIT_MS, estimate.and_then(|it| it.init))
            .number(columns::MODELLED_FIRST_MS, estimate.and_then(|it| it.first))
            .text(columns::MODELLED_MOVED_BY, moved_by.unwrap_or_default())
    }

    /// Adds the count of failures and what they were.
    #[must_use]
    pub fn failures(self, failures: &Failures) -> Self {
        let by_cause: BTreeMap<String, u64> = failures
            .by_cause()
            .into_iter()
            .map(|(failure, count)| (failure.to_string(), count))
            .collect();
        self.count(columns::FAILURES, failures.count()).with(
            columns::FAILURES_BY_CAUSE,
            Value::Counts(by_cause.into_iter().collect()),
        )
    }

    /// Adds when the failures were, in seconds since the start.
    #[must_use]
    pub fn failures_by_second(self, failures: &Failures) -> Self {
        let by_second = failures
            .by_second()
            .map(|(second, failure, count)| (format!("{failure} in second {second}"), count))
            .collect();
        self.with(columns::FAILURES_BY_SECOND, Value::Counts(by_second))
    }

    /// The same columns, with nothing measured. What is then added to a column that is there takes its place.
    #[must_use]
    pub fn without_values(mut self) -> Self {
        for (_, value) in &mut self.cells {
            *value = Value::Missing;
        }
        self.latencies = None;
        self.time_line = Vec::new();
        self
    }

    fn with(mut self, column: Column, value: Value) -> Self {
        match self.cells.iter_mut().find(|(known, _)| *known == column) {
            Some((_, there)) => *there = value,
            None => self.cells.push((column, value)),
        }
        self
    }
}
