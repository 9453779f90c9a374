//! Fills a database with made-up customers and their readings: a row is the same in every database, and says nothing of how
//! many there are.

mod customers;
mod meter;
mod readings;

use ::seed::{Server, add, rows_there};

use self::{
    customers::Customers,
    readings::{MOST_READINGS_EACH, Readings},
};
use crate::schema;

/// As many customers, and as many readings of all of them, there can be.
pub const MOST_ROWS: u64 = 10_000_000;

/// More rows are asked for than there can be.
#[derive(Debug, thiserror::Error)]
pub enum TooMany {
    /// More than this is made for.
    #[error(
        "there can be at most {MOST_ROWS} customers, and {MOST_ROWS} readings of all customers together"
    )]
    Rows,
    /// More than there are dates for.
    #[error(
        "there can be at most {MOST_READINGS_EACH} readings of each customer, one a month until the year 9999"
    )]
    ReadingsEach,
}

/// Why a database is not filled.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// More rows are asked for than there can be.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The readings are somebody else's, or each customer has another number of them.
    #[error(
        "the table Readings holds other rows than {readings_each} readings of each customer: they are left alone. Ask for \
         as many as it was filled with, rename or drop it yourself, or use another database"
    )]
    OtherReadings {
        /// How many each was to have.
        readings_each: u64,
    },
    /// A table is somebody else's, or the server refuses.
    #[error(transparent)]
    Fill(#[from] ::seed::Error<E>),
}

/// How many rows these are in both tables.
///
/// # Errors
/// There are to be too many.
pub fn rows(customers: u64, readings_each: u64) -> Result<u64, TooMany> {
    if readings_each > MOST_READINGS_EACH {
        return Err(TooMany::ReadingsEach);
    }
    let readings = customers.saturating_mul(readings_each);
    if customers.max(readings) > MOST_ROWS {
        return Err(TooMany::Rows);
    }
    Ok(customers + readings)
}

/// Fills the tables `Customers`, with the ids 1 to `customers`, and `Readings`, with `readings_each` of each customer; they
/// are made if they are missing. Rows that an earlier run wrote stay, so a run that was cut short can be taken up again, and
/// customers be added. Nothing is changed or removed.
///
/// Calls `on_rows` with the number of rows in both tables after each statement, beginning with those that were there: how many
/// this run wrote is what it gives back.
///
/// # Errors
/// There are to be too many, a table is somebody else's or was filled with another number of readings each, or the server
/// refuses.
pub async fn fill<S: Server>(
    server: &mut S,
    customers: u64,
    readings_each: u64,
    mut on_rows: impl FnMut(u64),
) -> Result<u64, Error<S::Error>> {
    let rows = rows(customers, readings_each)?;
    for statement in schema() {
        let made = server.execute(statement).await;
        made.map_err(::seed::Error::Server)?;
    }
    let table = Readings {
        readings_each: readings_each.max(1),
    };
    // Both are looked at before either is changed.
    let customers_there = rows_there(server, &Customers, customers).await?;
    let readings = rows - customers;
    let readings_there = rows_there(server, &table, readings).await;
    let readings_there = readings_there.map_err(|error| match error {
        ::seed::Error::OtherRows { .. } => Error::OtherReadings { readings_each },
        other => other.into(),
    })?;
    let so_far = |rows| on_rows(rows + readings_there);
    add(server, &Customers, customers_there, customers, so_far).await?;
    let so_far = |rows| on_rows(rows + customers);
    add(server, &table, readings_there, readings, so_far).await?;
    Ok(rows - customers_there - readings_there)
}
