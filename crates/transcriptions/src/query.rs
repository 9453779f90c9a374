//! The query for one transcription: a statement of the text protocol, one round trip. A statement that is prepared on the
//! server takes two, and on RDS Proxy it pins the session to a database connection.

use std::num::NonZeroU64;

use mysql_async::{Conn, Row, prelude::Queryable};

use crate::{Error, Transcription, transcription::COLUMNS};

/// Which transcription is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one with this id.
    Id(NonZeroU64),
    /// Any, all as likely.
    Random,
}

impl Wanted {
    /// The statement that finds it: no row or one. An id is a number here, so nothing else can get into the statement.
    #[must_use]
    pub fn statement(self) -> String {
        match self {
            Self::Id(id) => format!("SELECT {COLUMNS} FROM transcriptions WHERE id = {id}"),
            // The ids have no gaps; if they had, this would be the next one.
            Self::Random => format!(
                "SELECT {COLUMNS} FROM transcriptions JOIN (\
                 SELECT 1 + FLOOR(RAND() * (SELECT MAX(id) FROM transcriptions)) AS random) AS one \
                 WHERE id >= random ORDER BY id LIMIT 1"
            ),
        }
    }
}

/// Reads the transcription, if there is one, in one round trip.
///
/// # Errors
///
/// When the connection is lost or the database refuses.
pub async fn find(connection: &mut Conn, wanted: Wanted) -> Result<Option<Transcription>, Error> {
    let row: Option<Row> = connection
        .query_first(wanted.statement())
        .await
        .map_err(Error::Query)?;
    row.map(|row| Transcription::from_row(row).ok_or(Error::Row))
        .transpose()
}
