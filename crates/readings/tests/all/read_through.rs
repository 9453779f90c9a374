//! The cache in front of the database.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use tokio::task::JoinSet;

use crate::common::{House, until};

const CUSTOMER: &str = r#"{"Id":1,"Surname":"Keller","Givenname":"Anna"}"#;

/// Makes each query for a customer take this long, in seconds, by the table being a view.
async fn slow_down(house: &House, seconds: f64) {
    let mut administration = house.database.administration().await.unwrap();
    let view = format!("CREATE VIEW Customers AS SELECT * FROM fast WHERE SLEEP({seconds}) = 0");
    for statement in ["RENAME TABLE Customers TO fast", &view] {
        administration
            .connection()
            .query_drop(statement)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn many_misses_of_one_key_at_once_are_one_query() {
    let house = House::start().await;
    slow_down(&house, 0.5).await;
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        callers.spawn(house.request("GET", "/customer/1"));
    }
    for answer in callers.join_all().await {
        assert_eq!((answer.status, answer.body.as_str()), (200, CUSTOMER));
    }
    assert_eq!(house.asked(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_nobody_with_it() {
    let house = House::start().await;
    slow_down(&house, 0.5).await;
    let first = tokio::spawn(house.request("GET", "/customer/1"));
    until("it is asked for", async || house.asked() == 1).await;
    let second = tokio::spawn(house.request("GET", "/customer/1"));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap().body, CUSTOMER);
    assert_eq!(house.asked(), 1);
}

#[tokio::test]
async fn a_customer_that_does_not_exist_is_a_404_that_is_remembered_briefly() {
    let house = House::start().await;
    for path in ["/customer/4294967295", "/customerdata/4294967295"] {
        let before = house.asked();
        for _ in 0..100 {
            assert_eq!(house.get(path).await.status, 404);
        }
        assert_eq!(house.asked(), before + 1, "{path}");
    }
    let insert = "INSERT INTO Customers VALUES (4294967295, 'New', 'One')";
    let mut administration = house.database.administration().await.unwrap();
    administration
        .connection()
        .query_drop(insert)
        .await
        .unwrap();
    until("the new customer is found", async || {
        house.get("/customer/4294967295").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_value_that_is_not_ours_is_a_miss_and_is_overwritten() {
    let house = House::start().await;
    let key = "customerData_id_1";
    for (foreign, what) in [
        (&CUSTOMER[..20], "cut short"),
        ("", "empty"),
        ("\u{0}\u{1}binary", "no JSON"),
        ("17", "other JSON"),
        (r#"{"Id":1,"Surname":"Keller"}"#, "a part is missing"),
        (
            r#"{"Id":2,"Surname":"O'Neill","Givenname":"x"}"#,
            "somebody else's",
        ),
        (
            r#"{"Id":-1,"Surname":"Keller","Givenname":"Anna"}"#,
            "an id that is none",
        ),
        (r#"{"Measures":[]}"#, "readings"),
    ] {
        house.write(key, foreign).await;
        let asked = house.asked();
        for _ in 0..2 {
            let answer = house.get("/customer/1").await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, CUSTOMER),
                "{what}"
            );
        }
        assert_eq!(house.asked(), asked + 1, "{what}");
        assert_eq!(house.cached(key).await.as_deref(), Some(CUSTOMER), "{what}");
    }
}

#[tokio::test]
async fn an_answer_of_more_than_a_megabyte_is_right_and_not_cached() {
    let house = House::start().await;
    let rows: Vec<String> = (100..20_100)
        .map(|id| format!("({id}, 3, '2020-01-31', {id})"))
        .collect();
    let insert = format!("INSERT INTO Readings VALUES {}", rows.join(","));
    let mut administration = house.database.administration().await.unwrap();
    administration
        .connection()
        .query_drop(insert)
        .await
        .unwrap();
    for asked in 1..=3 {
        let answer = house.get("/customerdata/3").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.matches("MeasureID").count(), 20_000);
        assert!(answer.body.len() > 1_000_000);
        assert_eq!(house.asked(), asked);
    }
    assert_eq!(house.cached("customerReadings_id_3").await, None);
}

#[tokio::test]
async fn errors_are_shared_and_not_remembered() {
    let mut house = House::start().await;
    house.database.server.kill().await.unwrap();
    for _ in 0..3 {
        let answer = house.get("/customer/1").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(house.cached("customerData_id_1").await, None);
    }
    assert_eq!(house.asked(), 3);
    house.database.server.restart().await.unwrap();
    assert_eq!(house.get("/customer/1").await.status, 200);
}

#[tokio::test]
async fn tables_that_are_missing_are_a_500() {
    let house = House::start().await;
    let mut administration = house.database.administration().await.unwrap();
    for statement in ["DROP TABLE Readings", "DROP TABLE Customers"] {
        administration
            .connection()
            .query_drop(statement)
            .await
            .unwrap();
    }
    let answer = house.get("/customer/1").await;
    assert_eq!((answer.status, answer.header("retry-after")), (500, None));
    assert!(!answer.body.contains("Customers"), "{answer:?}");
}

#[tokio::test]
async fn what_is_cached_is_answered_without_the_database_and_the_rest_without_the_cache() {
    let mut house = House::start().await;
    assert_eq!(house.get("/customer/1").await.status, 200);
    house.database.server.kill().await.unwrap();
    assert_eq!(house.get("/customer/1").await.body, CUSTOMER);
    assert_eq!(house.get("/customer/2").await.status, 503);
    house.database.server.restart().await.unwrap();
    house.memcached.kill().await.unwrap();
    for _ in 0..10 {
        assert_eq!(house.get("/customer/1").await.body, CUSTOMER);
    }
    house.memcached.restart().await.unwrap();
    until("it is in the cache again", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        house.get("/customer/1").await.status == 200
            && house.cached("customerData_id_1").await.is_some()
    })
    .await;
}
