//! Questions: statements of the text protocol, one round trip each. A statement that is prepared on the server takes two, and
//! on RDS Proxy it pins the session to a database connection.

use std::time::Duration;

use mysql_async::{
    Conn, Row,
    prelude::{FromRow, Queryable},
};

use crate::Error;

/// Something to ask the database for, which changes nothing: it is asked again where a connection was lost.
pub trait Question: Sync {
    /// What its rows say.
    type Answer: Send;

    /// The one statement that asks it. What comes from a caller is a number in it, so that nothing else gets in.
    fn statement(&self) -> String;

    /// Reads the rows.
    ///
    /// # Errors
    ///
    /// [`Error::Row`], when the tables are not those of the schema.
    fn answer(&self, rows: Vec<Row>) -> Result<Self::Answer, Error>;
}

/// Whatever answers questions in the time that there is.
pub trait Database: Send + Sync + 'static {
    /// Asks the question and waits for the answer for this long at most.
    ///
    /// # Errors
    ///
    /// When there is no connection, no answer in time, or no answer at all.
    fn ask<Q: Question>(
        &self,
        question: &Q,
        time_left: Duration,
    ) -> impl Future<Output = Result<Q::Answer, Error>> + Send;
}

/// Asks the question in one round trip.
///
/// # Errors
///
/// When the connection is lost or the database refuses.
pub async fn ask<Q: Question>(connection: &mut Conn, question: &Q) -> Result<Q::Answer, Error> {
    let rows = connection.query(question.statement()).await;
    question.answer(rows.map_err(Error::Query)?)
}

/// The same, and in the same round trip all rows of other statements, which are separated by semicolons.
///
/// # Errors
///
/// When the connection is lost or the database refuses one of them.
pub async fn ask_and<Q: Question, T: FromRow + Send + 'static>(
    connection: &mut Conn,
    question: &Q,
    also: &str,
) -> Result<(Q::Answer, Vec<T>), Error> {
    let statements = format!("{}; {also}", question.statement());
    let rows = async {
        let mut results = connection.query_iter(statements).await?;
        let rows: Vec<Row> = results.collect().await?;
        let mut also = Vec::new();
        while !results.is_empty() {
            also.append(&mut results.collect().await?);
        }
        Ok((rows, also))
    };
    let (rows, also) = rows.await.map_err(Error::Query)?;
    Ok((question.answer(rows)?, also))
}

#[cfg(test)]
mod tests {
    use backends::mariadb::Options;

    use super::*;
    use crate::testing::{Number, TestDatabase};

    #[tokio::test]
    async fn another_statement_goes_along() {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        for (also, answers) in [
            ("SELECT 42", vec![42]),
            ("SELECT 1 LIMIT 0", vec![]),
            (
                "SELECT 1 LIMIT 0; SELECT 1 UNION SELECT 2; SELECT 3",
                vec![1, 2, 3],
            ),
        ] {
            let answer = ask_and::<_, u64>(&mut connection, &Number(7), also).await;
            assert_eq!(answer.unwrap(), (7, answers), "{also}");
        }
        assert_eq!(ask(&mut connection, &Number(8)).await.unwrap(), 8);
    }
}
