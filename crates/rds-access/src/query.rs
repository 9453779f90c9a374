//! The query for one transcription.

use std::num::NonZeroU64;

use mysql_async::Row;
use rds_connection::{Error, Question};

use crate::{Transcription, transcription::COLUMNS};

/// Which transcription is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one with this id.
    Id(NonZeroU64),
    /// Any, all as likely.
    Random,
}

impl Question for Wanted {
    type Answer = Option<Transcription>;

    /// No row or one.
    fn statement(&self) -> String {
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

    fn answer(&self, rows: Vec<Row>) -> Result<Self::Answer, Error> {
        let row = rows.into_iter().next();
        row.map(|row| Transcription::from_row(row).ok_or(Error::Row))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backends::mariadb::Options;
    use mysql_async::prelude::Queryable;
    use rds_connection::ask;

    use super::*;
    use crate::testing::{ROWS, database, second};

    fn id(id: u64) -> Wanted {
        Wanted::Id(NonZeroU64::new(id).unwrap())
    }

    #[tokio::test]
    async fn a_transcription_is_read_as_it_is_stored() {
        let database = database(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let first = ask(&mut connection, &id(1)).await.unwrap().unwrap();
        assert_eq!(first.text, "It's \"50 %\"; -- he said");
        assert_eq!(first.started_at, "2024-11-22T15:22:26.123Z");
        assert_eq!((first.duration, first.confidence), (12.345, 0.9876));
        assert_eq!(first.summary.as_deref(), Some("Ordered"));
        let json = ask(&mut connection, &id(2)).await.unwrap();
        assert_eq!(serde_json::to_value(json).unwrap(), second());
        let third = ask(&mut connection, &id(3)).await.unwrap().unwrap();
        assert_eq!((third.duration, third.confidence), (99_999.999, 1.0));
        assert_eq!(third.summary.as_deref(), Some(""));
        for unknown in [ROWS + 1, u64::MAX] {
            assert_eq!(ask(&mut connection, &id(unknown)).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn any_transcription_is_found_at_random_even_beside_a_gap_and_none_in_an_empty_table() {
        let database = database(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let mut draw = async || {
            let mut ids = BTreeSet::new();
            for _ in 0..100 {
                let found = ask(&mut connection, &Wanted::Random).await.unwrap();
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
    async fn a_row_that_is_no_transcription_is_an_error() {
        let database = database(Options::default()).await.unwrap();
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
        let error = ask(&mut connection, &id(1)).await.unwrap_err();
        assert!(matches!(error, Error::Row) && !error.is_transient());
    }

    #[tokio::test]
    async fn a_table_that_is_missing_does_not_heal_by_itself() {
        let database = database(Options::default()).await.unwrap();
        let mut administration = database.administration().await.unwrap();
        let drop = "DROP TABLE transcriptions";
        administration.connection().query_drop(drop).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let error = ask(&mut connection, &id(1)).await.unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().contains("doesn't exist"), "{error}");
    }
}
