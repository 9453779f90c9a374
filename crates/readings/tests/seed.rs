//! Customers and readings filled into a real server: as a whole, in parts, and not where somebody else's rows are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use backends::mariadb::{MariaDb, Options};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};
use readings::seed::{Error, MOST_ROWS, fill};

async fn connect(server: &MariaDb) -> Conn {
    let options = Opts::from_url(&server.url()).unwrap();
    let builder = OptsBuilder::from_opts(options).prefer_socket(false);
    Conn::new(builder).await.unwrap()
}

async fn checksums(connection: &mut Conn) -> Vec<u64> {
    let rows: Vec<(String, u64)> = connection
        .query("CHECKSUM TABLE Customers, Readings")
        .await
        .unwrap();
    rows.into_iter().map(|(_, checksum)| checksum).collect()
}

#[tokio::test]
async fn what_was_filled_in_parts_is_as_what_was_filled_at_once() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    let mut progress = Vec::new();
    let written = fill(&mut connection, 250, 10, |rows| progress.push(rows)).await;
    assert_eq!(written.unwrap(), 2_750);
    assert_eq!(progress, [0, 250, 250, 1_250, 2_250, 2_750]);
    let whole = checksums(&mut connection).await;

    // As a run leaves it that was cut short among the readings, and one among the customers.
    for (readings, customers, missing) in [(1_234, 250, 1_266), (0, 7, 2_743)] {
        for delete in [
            format!("DELETE FROM Readings WHERE Measure_ID > {readings}"),
            format!("DELETE FROM Customers WHERE Customers_ID > {customers}"),
        ] {
            connection.query_drop(delete).await.unwrap();
        }
        let written = fill(&mut connection, 250, 10, |_| {}).await.unwrap();
        assert_eq!(written, missing);
        assert_eq!(checksums(&mut connection).await, whole);
    }
    assert_eq!(fill(&mut connection, 250, 10, |_| {}).await.unwrap(), 0);
    assert_eq!(checksums(&mut connection).await, whole);
}

#[tokio::test]
async fn customers_can_be_added_and_their_number_changes_no_row() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    fill(&mut connection, 100, 3, |_| {}).await.unwrap();
    let rows = "SELECT * FROM Customers JOIN Readings ON Customers_ID = Customers_ID_FK \
        WHERE Customers_ID <= 100 ORDER BY Measure_ID";
    type Joined = (u32, String, String, u32, u32, String, u32);
    let few: Vec<Joined> = connection.query(rows).await.unwrap();
    assert_eq!(few.len(), 300);
    assert_eq!(fill(&mut connection, 150, 3, |_| {}).await.unwrap(), 200);
    let many: Vec<Joined> = connection.query(rows).await.unwrap();
    assert_eq!(few, many);
}

#[tokio::test]
async fn each_customer_has_as_many_readings_and_each_shows_more_than_the_one_before() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    fill(&mut connection, 500, 24, |_| {}).await.unwrap();
    let with_24: Option<u64> = connection
        .query_first(
            "SELECT COUNT(*) FROM (SELECT 1 FROM Readings GROUP BY Customers_ID_FK HAVING COUNT(*) = 24) each_of_them",
        )
        .await
        .unwrap();
    assert_eq!(with_24, Some(500));
    let backwards: Option<u64> = connection
        .query_first(
            "SELECT COUNT(*) FROM Readings earlier JOIN Readings later USING (Customers_ID_FK) \
             WHERE earlier.Measure_Date < later.Measure_Date AND earlier.Value >= later.Value",
        )
        .await
        .unwrap();
    assert_eq!(backwards, Some(0));
}

#[tokio::test]
async fn rows_of_somebody_else_are_left_alone() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    fill(&mut connection, 50, 4, |_| {}).await.unwrap();
    let before = checksums(&mut connection).await;
    for (customers, readings_each, message) in [
        (
            40,
            4,
            "the table Customers has 50 rows already, more than 40",
        ),
        (
            60,
            3,
            "the table Readings holds other rows than 3 readings of each",
        ),
        (
            60,
            5,
            "the table Readings holds other rows than 5 readings of each",
        ),
        (
            60,
            0,
            "the table Readings holds other rows than 0 readings of each",
        ),
    ] {
        let error = fill(&mut connection, customers, readings_each, |_| {}).await;
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
        assert_eq!(checksums(&mut connection).await, before);
    }
    let marry = "UPDATE Customers SET Surname = 'mine' WHERE Customers_ID = 50";
    connection.query_drop(marry).await.unwrap();
    let before = checksums(&mut connection).await;
    let error = fill(&mut connection, 60, 4, |_| {}).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Fill(seed::Error::OtherRows { table: "Customers" })
    ));
    assert_eq!(checksums(&mut connection).await, before);
}

#[tokio::test]
async fn too_many_are_refused_before_anything_is_made() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    for (customers, readings_each) in [
        (MOST_ROWS + 1, 0),
        (MOST_ROWS / 10 + 1, 10),
        (u64::MAX, 2),
        (1, 95_761),
    ] {
        let error = fill(&mut connection, customers, readings_each, |_| {}).await;
        assert!(matches!(error, Err(Error::TooMany(_))));
    }
    let tables: Vec<String> = connection.query("SHOW TABLES").await.unwrap();
    assert!(tables.is_empty(), "{tables:?}");
}

/// What a row costs is to be its own cost, not that of a statement.
#[tokio::test]
async fn fifty_thousand_readings_take_fifty_statements() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let mut connection = connect(&server).await;
    fill(&mut connection, 5_000, 10, |_| {}).await.unwrap();
    let status = "SHOW SESSION STATUS LIKE 'Com_insert'";
    let inserts: Option<(String, u64)> = connection.query_first(status).await.unwrap();
    assert_eq!(inserts.unwrap().1, 5 + 50);
}
