//! Fills the table of transcriptions.

use mysql_async::{Conn, prelude::Queryable as _};

use crate::row::{COLUMNS, write_values};

pub(crate) use transcriptions::SCHEMA;

/// Rows a statement: large enough that what a statement costs is nothing beside its rows, small enough for the packet that
/// any server accepts.
const ROWS_PER_STATEMENT: u64 = 1_000;

/// Why a table is not filled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused.
    #[error(transparent)]
    Server(#[from] mysql_async::Error),
    /// There is such a table, and it was not made by this.
    #[error(
        "the table transcriptions holds other rows than this writes: they are left alone. Rename or drop it yourself, or \
         use another database"
    )]
    OtherRows,
    /// There are more rows than asked for.
    #[error(
        "the table transcriptions has {found} rows already, more than {asked}: they are left alone"
    )]
    MoreRows {
        /// How many there are.
        found: u64,
        /// How many there were to be.
        asked: u64,
    },
}

/// Fills the table `transcriptions` with the rows 1 to `rows`; it is made if it is missing. Rows that an earlier run wrote
/// stay, so a run that was cut short can be taken up again. Nothing is changed or removed.
///
/// Calls `on_rows` with the number of rows after each statement, beginning with those that were there: how many this run
/// wrote is what it gives back.
///
/// # Errors
/// The table is somebody else's, or the server refuses.
pub async fn fill(
    connection: &mut Conn,
    rows: u64,
    mut on_rows: impl FnMut(u64),
) -> Result<u64, Error> {
    connection.query_drop(SCHEMA).await?;
    let found = rows_of_ours(connection).await?;
    if found > rows {
        return Err(Error::MoreRows { found, asked: rows });
    }
    on_rows(found);
    let mut next = found + 1;
    while next <= rows {
        let last = rows.min(next + ROWS_PER_STATEMENT - 1);
        connection.query_drop(insert(next, last)).await?;
        on_rows(last);
        next = last + 1;
    }
    Ok(rows - found)
}

/// One statement for the rows from `first` to `last`. It is written as a whole or not at all.
pub(crate) fn insert(first: u64, last: u64) -> String {
    let mut sql = format!("INSERT INTO transcriptions ({COLUMNS}) VALUES ");
    for id in first..=last {
        if id > first {
            sql.push(',');
        }
        write_values(&mut sql, id);
    }
    sql
}

/// How many rows there are, if the first and the last are as this writes them and none is missing between them.
async fn rows_of_ours(connection: &mut Conn) -> Result<u64, Error> {
    let summary: Option<(u64, Option<u64>, Option<u64>)> = connection
        .query_first("SELECT COUNT(*), MIN(id), MAX(id) FROM transcriptions")
        .await?;
    let Some((count, Some(first), Some(last))) = summary else {
        return Ok(0);
    };
    if (first, last) != (1, count) {
        return Err(Error::OtherRows);
    }
    for id in [first, last] {
        let mut values = String::new();
        write_values(&mut values, id);
        // The server reads the literals as it did when it wrote them. <=> takes NULL for equal to NULL.
        let columns = COLUMNS.split(", ");
        let same: Vec<String> = columns
            .enumerate()
            .map(|(at, column)| format!("t.{column} <=> new.c{at}"))
            .collect();
        let names: Vec<String> = (0..same.len()).map(|at| format!("c{at}")).collect();
        let query = format!(
            "WITH new ({}) AS (SELECT {}) SELECT COUNT(*) FROM transcriptions t JOIN new ON {}",
            names.join(", "),
            &values[1..values.len() - 1],
            same.join(" AND ")
        );
        if connection.query_first::<u64, _>(query).await? != Some(1) {
            return Err(Error::OtherRows);
        }
    }
    Ok(count)
}
