//! Fills the table of transcriptions.

use super::{
    row::{COLUMNS, write_values},
    server::Server,
};

pub(crate) use crate::SCHEMA;

/// The most rows a statement: enough that what a statement costs is nothing beside its rows.
const ROWS_PER_STATEMENT: u64 = 1_000;

/// Why a table is not filled.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The server refused.
    #[error(transparent)]
    Server(E),
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
pub async fn fill<S: Server>(
    server: &mut S,
    rows: u64,
    mut on_rows: impl FnMut(u64),
) -> Result<u64, Error<S::Error>> {
    server.execute(SCHEMA).await.map_err(Error::Server)?;
    let found = rows_of_ours(server).await?;
    if found > rows {
        return Err(Error::MoreRows { found, asked: rows });
    }
    on_rows(found);
    let mut next = found + 1;
    while next <= rows {
        let last = rows.min(next + ROWS_PER_STATEMENT - 1);
        let (statement, last) = insert(next, last, S::LONGEST_STATEMENT);
        server.execute(&statement).await.map_err(Error::Server)?;
        on_rows(last);
        next = last + 1;
    }
    Ok(rows - found)
}

/// One statement for the rows from `first` to `last`, or as many of them as it can have in `longest` bytes, and the last of
/// those. It is written as a whole or not at all.
pub(crate) fn insert(first: u64, last: u64, longest: usize) -> (String, u64) {
    let mut sql = format!("INSERT INTO transcriptions ({COLUMNS}) VALUES ");
    for id in first..=last {
        let before = sql.len();
        if id > first {
            sql.push(',');
        }
        write_values(&mut sql, id);
        if id > first && sql.len() > longest {
            sql.truncate(before);
            return (sql, id - 1);
        }
    }
    (sql, last)
}

/// How many rows there are, if the first and the last are as this writes them and none is missing between them.
async fn rows_of_ours<S: Server>(server: &mut S) -> Result<u64, Error<S::Error>> {
    const SUMMARY: &str = "SELECT COUNT(*), MIN(id), MAX(id) FROM transcriptions";
    let summary = server.numbers(SUMMARY).await.map_err(Error::Server)?;
    let [Some(count), Some(first), Some(last)] = summary[..] else {
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
        if server.numbers(&query).await.map_err(Error::Server)? != [Some(1)] {
            return Err(Error::OtherRows);
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_as_many_rows_as_it_has_room_for() {
        let (all, last) = insert(1, 10, usize::MAX);
        assert_eq!(last, 10);
        let (some, last) = insert(1, 10, all.len() - 1);
        assert_eq!(last, 9);
        assert!(some.ends_with(')') && all.starts_with(&some));
        // One row is the least: without it, there would be no end.
        assert_eq!(insert(5, 10, 0).1, 5);
    }
}
