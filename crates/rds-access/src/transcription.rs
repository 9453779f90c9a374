//! The transcription of a call.

use mysql_async::{FromValueError, Row, prelude::FromValue};
use serde::Serialize;

/// The statement that makes the table.
pub const SCHEMA: &str = include_str!("schema.sql");

/// The columns that [`Transcription::from_row`] takes, in its order.
pub(crate) const COLUMNS: &str =
    "id, call_id, agent, language, started_at, duration, confidence, text, summary";

/// The transcription of a call, and its JSON: an object with these members.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transcription {
    /// From 1.
    pub id: u64,
    /// A UUID.
    pub call_id: String,
    /// Who took the call.
    pub agent: String,
    /// A BCP 47 tag, such as `en-GB`.
    pub language: String,
    /// When the call began: RFC 3339, in UTC, to the millisecond.
    pub started_at: String,
    /// In seconds, to the millisecond.
    pub duration: f64,
    /// 0 to 1, with four decimals.
    pub confidence: f64,
    /// What was said.
    pub text: String,
    /// What it came to, if somebody wrote it down.
    pub summary: Option<String>,
}

impl Transcription {
    /// From a row of [`COLUMNS`] in the text protocol.
    pub(crate) fn from_row(mut row: Row) -> Option<Self> {
        Some(Self {
            id: take(&mut row, 0)?,
            call_id: take(&mut row, 1)?,
            agent: take(&mut row, 2)?,
            language: take(&mut row, 3)?,
            started_at: rfc_3339(&take::<String>(&mut row, 4)?),
            duration: take(&mut row, 5)?,
            confidence: take(&mut row, 6)?,
            text: take(&mut row, 7)?,
            summary: take(&mut row, 8)?,
        })
    }
}

fn take<T: FromValue>(row: &mut Row, column: usize) -> Option<T> {
    let value: Option<Result<T, FromValueError>> = row.take_opt(column);
    value?.ok()
}

/// `2024-11-22 15:22:26.123`, as the database writes a DATETIME(3), as RFC 3339 has it.
fn rfc_3339(datetime: &str) -> String {
    format!("{}Z", datetime.replacen(' ', "T", 1))
}
