//! The query for one transcription: a statement of the text protocol, one round trip. A statement that is prepared on the
//! server takes two, and on RDS Proxy it pins the session to a database connection.

use std::num::NonZeroU64;

use mysql_async::{
    Conn, Row,
    prelude::{FromRow, Queryable},
};

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
    let row = connection.query_first(wanted.statement()).await;
    transcription(row.map_err(Error::Query)?)
}

/// The same, and in the same round trip all rows of other statements, which are separated by semicolons.
///
/// # Errors
///
/// When the connection is lost or the database refuses one of them.
pub async fn find_and<T: FromRow + Send + 'static>(
    connection: &mut Conn,
    wanted: Wanted,
    also: &str,
) -> Result<(Option<Transcription>, Vec<T>), Error> {
    let statements = format!("{}; {also}", wanted.statement());
    let rows = async {
        let mut results = connection.query_iter(statements).await?;
        let found: Vec<Row> = results.collect().await?;
        let mut also = Vec::new();
        while !results.is_empty() {
            also.append(&mut results.collect().await?);
        }
        Ok((found.into_iter().next(), also))
    };
    let (found, also) = rows.await.map_err(Error::Query)?;
    Ok((transcription(found)?, also))
}

fn transcription(row: Option<Row>) -> Result<Option<Transcription>, Error> {
    row.map(|row| Transcription::from_row(row).ok_or(Error::Row))
        .transpose()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backends::mariadb::Options;

    use super::*;
    use crate::testing::{ROWS, TestDatabase, second};

    fn id(id: u64) -> Wanted {
        Wanted::Id(NonZeroU64::new(id).unwrap())
    }

    #[tokio::test]
    async fn a_transcription_is_read_as_it_is_stored() {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let first = find(&mut connection, id(1)).await.unwrap().unwrap();
        assert_eq!(first.text, "It's \"50 %\"; -- he said");
        assert_eq!(first.started_at, "2024-11-22T15:22:26.123Z");
        assert_eq!((first.duration, first.confidence), (12.345, 0.9876));
        assert_eq!(first.summary.as_deref(), Some("Ordered"));
        let json = find(&mut connection, id(2)).await.unwrap();
        assert_eq!(serde_json::to_value(json).unwrap(), second());
        let third = find(&mut connection, id(3)).await.unwrap().unwrap();
        assert_eq!((third.duration, third.confidence), (99_999.999, 1.0));
        assert_eq!(third.summary.as_deref(), Some(""));
        for unknown in [ROWS + 1, u64::MAX] {
            assert_eq!(find(&mut connection, id(unknown)).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn any_transcription_is_found_at_random_even_beside_a_gap_and_none_in_an_empty_table() {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let mut draw = async || {
            let mut ids = BTreeSet::new();
            for _ in 0..100 {
                let found = find(&mut connection, Wanted::Random).await.unwrap();
                ids.insert(found.map(|transcription| transcription.id));
            }
            ids
        };
        assert_eq!(draw().await, BTreeSet::from([Some(1), Some(2), Some(3)]));
        let mut administration = database.administration().await.unwrap();
        let connection = administration.connection();
        let delete = "DELETE FROM transcriptions WHERE id = 2";
        connection.query_drop(delete).await.unwrap();
        assert_eq!(draw().await, BTreeSet::from([Some(1), Some(3)]));
        let delete = "DELETE FROM transcriptions";
        connection.query_drop(delete).await.unwrap();
        assert_eq!(draw().await, BTreeSet::from([None]));
    }

    #[tokio::test]
    async fn another_statement_goes_along() {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let mut find_and = async |wanted, also| {
            let (found, also) = find_and::<u64>(&mut connection, wanted, also)
                .await
                .unwrap();
            (found.map(|transcription| transcription.id), also)
        };
        assert_eq!(find_and(id(1), "SELECT 42").await, (Some(1), vec![42]));
        assert_eq!(find_and(id(9), "SELECT 43").await, (None, vec![43]));
        let none = "SELECT 1 LIMIT 0";
        assert_eq!(find_and(id(2), none).await, (Some(2), vec![]));
        let several = "SELECT 1 LIMIT 0; SELECT 1 UNION SELECT 2; SELECT 3";
        assert_eq!(find_and(id(2), several).await, (Some(2), vec![1, 2, 3]));
        assert!(find(&mut connection, id(3)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_row_that_is_no_transcription_is_an_error() {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let mut administration = database.administration().await.unwrap();
        let alter = "ALTER TABLE transcriptions MODIFY text TEXT NULL";
        administration.connection().query_drop(alter).await.unwrap();
        let update = "UPDATE transcriptions SET text = NULL WHERE id = 1";
        administration
            .connection()
            .query_drop(update)
            .await
            .unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let error = find(&mut connection, id(1)).await.unwrap_err();
        assert!(matches!(error, Error::Row) && !error.is_transient());
    }

    #[tokio::test]
    async fn a_table_that_is_missing_does_not_heal_by_itself() {
        let database = TestDatabase::start(Options::default()).await.unwrap();
        let mut administration = database.administration().await.unwrap();
        let drop = "DROP TABLE transcriptions";
        administration.connection().query_drop(drop).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let error = find(&mut connection, id(1)).await.unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().contains("doesn't exist"), "{error}");
    }
}
