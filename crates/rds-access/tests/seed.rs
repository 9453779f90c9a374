//! Tables filled in a real server: as a whole, in parts, and not where somebody else's rows are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use backends::mariadb::{MariaDb, Options};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};
use rds_access::seed::{Cache, fill};
use seed::Error;

async fn connect(server: &MariaDb) -> Conn {
    let options = Opts::from_url(&server.url()).unwrap();
    let builder = OptsBuilder::from_opts(options).prefer_socket(false);
    Conn::new(builder).await.unwrap()
}

async fn checksum(connection: &mut Conn) -> u64 {
    let row: Option<(String, u64)> = connection
        .query_first("CHECKSUM TABLE transcriptions")
        .await
        .unwrap();
    row.unwrap().1
}

#[tokio::test]
async fn a_table_that_was_filled_in_parts_is_as_one_filled_at_once() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    let mut progress = Vec::new();
    let filled = fill(&mut connection, 2_500, |rows| progress.push(rows)).await;
    assert_eq!(filled.unwrap(), 2_500);
    assert_eq!(progress, [0, 1_000, 2_000, 2_500]);
    let whole = checksum(&mut connection).await;

    connection
        .query_drop("DELETE FROM transcriptions WHERE id > 700")
        .await
        .unwrap();
    assert_eq!(fill(&mut connection, 2_500, |_| {}).await.unwrap(), 1_800);
    assert_eq!(checksum(&mut connection).await, whole);
    assert_eq!(fill(&mut connection, 2_500, |_| {}).await.unwrap(), 0);
    assert_eq!(checksum(&mut connection).await, whole);

    let wide: Option<u64> = connection
        .query_first(
            "SELECT COUNT(*) FROM transcriptions WHERE text LIKE '%𠮷野家%' OR summary LIKE '%❌%'",
        )
        .await
        .unwrap();
    assert!(wide.unwrap() > 0);
}

#[tokio::test]
async fn rows_of_somebody_else_are_left_alone() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    fill(&mut connection, 50, |_| {}).await.unwrap();
    let more = fill(&mut connection, 40, |_| {}).await.unwrap_err();
    assert!(
        matches!(
            more,
            Error::MoreRows {
                found: 50,
                table: "transcriptions",
                asked: 40
            }
        ),
        "{more}"
    );
    for change in [
        "DELETE FROM transcriptions WHERE id = 20",
        "UPDATE transcriptions SET summary = 'mine' WHERE id = 50",
    ] {
        connection.query_drop("START TRANSACTION").await.unwrap();
        connection.query_drop(change).await.unwrap();
        let before = checksum(&mut connection).await;
        let error = fill(&mut connection, 60, |_| {}).await.unwrap_err();
        assert!(
            matches!(error, Error::OtherRows { .. }),
            "{change}: {error}"
        );
        assert_eq!(checksum(&mut connection).await, before);
        connection.query_drop("ROLLBACK").await.unwrap();
    }
    connection
        .query_drop("CREATE OR REPLACE TABLE transcriptions (id INT)")
        .await
        .unwrap();
    let error = fill(&mut connection, 60, |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::Server(_)), "{error}");
}

#[tokio::test]
async fn a_cache_fills_a_directory_once() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::new(directory.path().join("cache"));
    assert_eq!(cache.get(300).unwrap(), None);
    let data = cache.get_or_fill(300, |_| {}).await.unwrap();
    assert_eq!(cache.get(300).unwrap(), Some(data.clone()));
    let again = cache.get_or_fill(300, |_| panic!("filled again")).await;
    assert_eq!(again.unwrap(), data);
    assert_eq!(
        std::fs::read_dir(directory.path().join("cache"))
            .unwrap()
            .count(),
        1
    );

    let options = Options {
        data: Some(data),
        ..Options::default()
    };
    let server = MariaDb::start(options).await.unwrap();
    let count: Option<u64> = connect(&server)
        .await
        .query_first("SELECT COUNT(*) FROM transcriptions")
        .await
        .unwrap();
    assert_eq!(count, Some(300));
}
