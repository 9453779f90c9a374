//! For tests: a database with a few customers.

use std::ops::RangeInclusive;

use backends::{Error, mariadb::Options};
use mysql_async::prelude::Queryable;
pub use rds_connection::testing::{TestDatabase, settings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::schema;

/// Customer 1 has two readings, 2 has one, and this one, the last, has none.
pub const WITHOUT_READINGS: u32 = 3;

const CUSTOMERS: &str = r#"INSERT INTO Customers VALUES
    (1, 'Keller', 'Anna'), (2, 'O\'Neill "x"', '山田 👩‍👩‍👧'), (3, '', '')"#;
// Not in the order of their ids.
const READINGS: &str = "INSERT INTO Readings VALUES
    (7, 1, '1999-12-31', 4294967295), (2, 2, '2024-02-29', 0), (1, 1, '2020-01-31', 1234)";

/// A database with the customers 1 to [`WITHOUT_READINGS`].
///
/// # Errors
///
/// When the server can't be started.
pub async fn database(options: Options) -> Result<TestDatabase, Error> {
    let database = TestDatabase::start(options).await?;
    let mut administration = database.administration().await?;
    for statement in schema().chain([
        // The rows are to be there after a crash.
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        CUSTOMERS,
        READINGS,
    ]) {
        administration.connection().query_drop(statement).await?;
    }
    Ok(database)
}

/// How many readings each of [`add_many`]'s customers has.
const READINGS_EACH: u32 = 10;

/// Adds the customers of these ids, with what [`customer`] and [`readings`] say.
///
/// # Errors
///
/// When the server does not run.
pub async fn add_many(database: &TestDatabase, ids: RangeInclusive<u32>) -> Result<(), Error> {
    let mut administration = database.administration().await?;
    let customers: Vec<String> = ids
        .clone()
        .map(|id| format!("({id}, 'Surname {id}', 'Givenname')"))
        .collect();
    let readings: Vec<String> = ids
        .flat_map(|id| (1..=READINGS_EACH).map(move |n| (id * READINGS_EACH + n, id, n)))
        .map(|(reading, id, n)| format!("({reading}, {id}, '2020-01-{n:02}', {n})"))
        .collect();
    for (table, rows) in [("Customers", customers), ("Readings", readings)] {
        let statement = format!("INSERT INTO {table} VALUES {}", rows.join(","));
        administration.connection().query_drop(statement).await?;
    }
    Ok(())
}

/// The JSON of one of [`add_many`]'s customers.
#[must_use]
pub fn customer(id: u32) -> String {
    format!(r#"{{"Id":{id},"Surname":"Surname {id}","Givenname":"Givenname"}}"#)
}

/// The JSON of the readings of one of [`add_many`]'s customers.
#[must_use]
pub fn readings(id: u32) -> String {
    let measures: Vec<String> = (1..=READINGS_EACH)
        .map(|n| {
            let reading = id * READINGS_EACH + n;
            format!(
                r#"{{"MeasureID":{reading},"MeasureDate":"2020-01-{n:02}","MeasureValue":{n}}}"#
            )
        })
        .collect();
    format!(r#"{{"Measures":[{}]}}"#, measures.join(","))
}

/// What a memcached says to a command of its text protocol.
///
/// # Errors
///
/// When it does not run.
pub async fn ask_memcached(address: &str, command: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let command = format!("{command}\r\nquit\r\n");
    connection.write_all(command.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// One of the numbers in memcached's `stats`, such as `get_hits`.
///
/// # Errors
///
/// When it does not run, or has no such number.
pub async fn memcached_counts(address: &str, name: &str) -> std::io::Result<u64> {
    let stats = ask_memcached(address, "stats").await?;
    let name = format!("STAT {name} ");
    let number = stats
        .lines()
        .find_map(|line| line.strip_prefix(&name)?.trim().parse().ok());
    number.ok_or_else(|| std::io::ErrorKind::NotFound.into())
}
