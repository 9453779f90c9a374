//! The table of transcriptions.

use seed::{Error, Server, Table};

use super::row::write_values;
use crate::{SCHEMA, transcription::COLUMNS};

/// Made-up transcriptions.
pub(super) struct Transcriptions;

impl Table for Transcriptions {
    const NAME: &'static str = "transcriptions";
    const COLUMNS: &'static str = COLUMNS;

    fn write_values(&self, sql: &mut String, id: u64) {
        write_values(sql, id);
    }
}

/// Fills the table `transcriptions` with the rows 1 to `rows`; it is made if it is missing. Rows that an earlier run wrote
/// stay, so a run that was cut short can be taken up again. Nothing is changed or removed.
///
/// Calls `on_rows` as [`seed::fill`] does, and gives back the same.
///
/// # Errors
/// The table is somebody else's, or the server refuses.
pub async fn fill<S: Server>(
    server: &mut S,
    rows: u64,
    on_rows: impl FnMut(u64),
) -> Result<u64, Error<S::Error>> {
    server.execute(SCHEMA).await.map_err(Error::Server)?;
    seed::fill(server, &Transcriptions, rows, on_rows).await
}
