//! Fills a table.

use crate::{
    server::Server,
    table::{Table, insert},
};

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
        "the table {table} holds other rows than this writes: they are left alone. Rename or drop it yourself, or \
         use another database"
    )]
    OtherRows {
        /// Its name.
        table: &'static str,
    },
    /// There are more rows than asked for.
    #[error("the table {table} has {found} rows already, more than {asked}: they are left alone")]
    MoreRows {
        /// Its name.
        table: &'static str,
        /// How many there are.
        found: u64,
        /// How many there were to be.
        asked: u64,
    },
}

/// Fills a table, which has to be there, with the rows 1 to `rows`. Rows that an earlier run wrote stay, so a run that was cut
/// short can be taken up again. Nothing is changed or removed.
///
/// Calls `on_rows` with the number of rows after each statement, beginning with those that were there: how many this run
/// wrote is what it gives back.
///
/// # Errors
/// The table is somebody else's, or the server refuses.
pub async fn fill<S: Server, T: Table>(
    server: &mut S,
    table: &T,
    rows: u64,
    on_rows: impl FnMut(u64),
) -> Result<u64, Error<S::Error>> {
    let there = rows_there(server, table, rows).await?;
    add(server, table, there, rows, on_rows).await?;
    Ok(rows - there)
}

/// How many of the rows 1 to `rows` a table has, which has to be there.
///
/// # Errors
/// The table is somebody else's, it has more rows, or the server refuses.
pub async fn rows_there<S: Server, T: Table>(
    server: &mut S,
    table: &T,
    rows: u64,
) -> Result<u64, Error<S::Error>> {
    let found = rows_of_ours(server, table).await?;
    if found > rows {
        return Err(Error::MoreRows {
            table: T::NAME,
            found,
            asked: rows,
        });
    }
    Ok(found)
}

/// Adds the rows after the first `there`, up to `rows`, and calls `on_rows` as [`fill`] does.
///
/// # Errors
/// The server refuses.
pub async fn add<S: Server, T: Table>(
    server: &mut S,
    table: &T,
    there: u64,
    rows: u64,
    mut on_rows: impl FnMut(u64),
) -> Result<(), Error<S::Error>> {
    on_rows(there);
    let mut next = there + 1;
    while next <= rows {
        let last = rows.min(next + ROWS_PER_STATEMENT - 1);
        let (statement, last) = insert(table, next, last, S::LONGEST_STATEMENT);
        server.execute(&statement).await.map_err(Error::Server)?;
        on_rows(last);
        next = last + 1;
    }
    Ok(())
}

/// How many rows there are, if the first and the last are as this writes them and none is missing between them.
async fn rows_of_ours<S: Server, T: Table>(
    server: &mut S,
    table: &T,
) -> Result<u64, Error<S::Error>> {
    let name = T::NAME;
    let columns: Vec<&str> = T::COLUMNS.split(", ").collect();
    let number = columns.first().copied().unwrap_or_default();
    let summary = format!("SELECT COUNT(*), MIN({number}), MAX({number}) FROM {name}");
    let summary = server.numbers(&summary).await.map_err(Error::Server)?;
    let [Some(count), Some(first), Some(last)] = summary[..] else {
        return Ok(0);
    };
    if (first, last) != (1, count) {
        return Err(Error::OtherRows { table: name });
    }
    for number in [first, last] {
        let mut values = String::new();
        table.write_values(&mut values, number);
        // The server reads the literals as it did when it wrote them. <=> takes NULL for equal to NULL.
        let same: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("t.{column} <=> new.c{at}"))
            .collect();
        let names: Vec<String> = (0..same.len()).map(|at| format!("c{at}")).collect();
        let query = format!(
            "WITH new ({}) AS (SELECT {}) SELECT COUNT(*) FROM {name} t JOIN new ON {}",
            names.join(", "),
            &values[1..values.len() - 1],
            same.join(" AND ")
        );
        if server.numbers(&query).await.map_err(Error::Server)? != [Some(1)] {
            return Err(Error::OtherRows { table: name });
        }
    }
    Ok(count)
}
