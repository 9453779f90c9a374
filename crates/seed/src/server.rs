//! Servers that can be filled.

use std::future::Future;

use mysql_async::{Conn, Row, from_value_opt, prelude::Queryable as _};

/// A server that takes SQL.
pub trait Server {
    /// Why it refuses.
    type Error;

    /// The longest statement that it takes, in bytes.
    const LONGEST_STATEMENT: usize;

    /// Executes one statement.
    fn execute(&mut self, statement: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The numbers in the first row of a query's result, `None` where there is NULL.
    fn numbers(
        &mut self,
        query: &str,
    ) -> impl Future<Output = Result<Vec<Option<u64>>, Self::Error>> + Send;
}

/// A connection to MariaDB, MySQL or Aurora MySQL.
impl Server for Conn {
    type Error = mysql_async::Error;

    /// What `max_allowed_packet` is by default in the strictest of them, 16 MiB, and more than is of use.
    const LONGEST_STATEMENT: usize = 1 << 20;

    async fn execute(&mut self, statement: &str) -> Result<(), Self::Error> {
        self.query_drop(statement).await
    }

    async fn numbers(&mut self, query: &str) -> Result<Vec<Option<u64>>, Self::Error> {
        let row: Option<Row> = self.query_first(query).await?;
        let values = row.map(Row::unwrap).unwrap_or_default().into_iter();
        Ok(values.map(|value| from_value_opt(value).ok()).collect())
    }
}
