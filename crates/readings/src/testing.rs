//! For tests: a database with a few customers.

use backends::{Error, mariadb::Options};
use mysql_async::prelude::Queryable;
pub use rds_connection::testing::{TestDatabase, settings};

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
