//! The cache filled before anybody asks.

use readings::{Filled, NotFilled, fill, testing};

use crate::common::House;

#[tokio::test]
async fn all_that_would_be_asked_for_is_in_the_cache_as_it_would_be_read() {
    let house = House::start().await;
    testing::add_many(&house.database, 10..=2_000)
        .await
        .unwrap();
    house.database.log().await.unwrap();
    let settings = house.database.settings().unwrap();
    let filled = fill(&settings, &house.cache).await.unwrap();
    let expected = Filled::Here {
        customers: 1_991 + 3,
        readings: 19_910 + 3,
    };
    assert_eq!(filled, expected);
    let log = house.database.log().await.unwrap();
    let queries = log.iter().filter(|(command, _)| command == "Query");
    assert_eq!(queries.count(), 2, "{log:?}");

    for id in [10, 11, 1_000, 1_999, 2_000] {
        for (path, body) in [
            (format!("/customer/{id}"), testing::customer(id)),
            (format!("/customerdata/{id}"), testing::readings(id)),
        ] {
            assert_eq!(house.get(&path).await.body, body);
        }
    }
    let without = house.get("/customerdata/3").await;
    assert_eq!(without.body, r#"{"Measures":[]}"#);
    assert_eq!(house.asked(), 0);
    // The same as when it is read through.
    let key = "customerReadings_id_1";
    let filled = house.cached(key).await.unwrap();
    house.write(key, "").await;
    assert_eq!(house.get("/customerdata/1").await.body, filled);
    assert_eq!((house.asked(), house.cached(key).await), (1, Some(filled)));
}

#[tokio::test]
async fn of_those_who_start_together_one_fills_it() {
    let house = House::start().await;
    let settings = house.database.settings().unwrap();
    house.database.log().await.unwrap();
    let all = tokio::join!(
        fill(&settings, &house.cache),
        fill(&settings, &house.cache),
        fill(&settings, &house.cache),
    );
    let all = [all.0.unwrap(), all.1.unwrap(), all.2.unwrap()];
    let elsewhere = all.iter().filter(|it| **it == Filled::Elsewhere);
    assert_eq!(elsewhere.count(), 2, "{all:?}");
    let log = house.database.log().await.unwrap();
    let queries = log.iter().filter(|(command, _)| command == "Query");
    assert_eq!(queries.count(), 2, "{log:?}");
}

#[tokio::test]
async fn a_fill_that_fails_is_told_and_the_next_one_tries_again() {
    let mut house = House::start().await;
    let settings = house.database.settings().unwrap();
    house.database.server.kill().await.unwrap();
    let error = fill(&settings, &house.cache).await.unwrap_err();
    assert!(matches!(error, NotFilled::Database(_)), "{error}");
    house.database.server.restart().await.unwrap();
    let filled = fill(&settings, &house.cache).await.unwrap();
    assert!(
        matches!(
            filled,
            Filled::Here {
                customers: 3,
                readings: 3
            }
        ),
        "{filled:?}"
    );
    house.memcached.kill().await.unwrap();
    let error = fill(&settings, &house.cache).await.unwrap_err();
    assert!(matches!(error, NotFilled::Cache(_)), "{error}");
}

#[tokio::test]
async fn a_list_that_is_too_large_is_left_out_and_still_answered() {
    let house = House::start().await;
    let mut administration = house.database.administration().await.unwrap();
    let rows: Vec<String> = (100..20_100)
        .map(|id| format!("({id}, 2, '2020-01-31', {id})"))
        .collect();
    let insert = format!("INSERT INTO Readings VALUES {}", rows.join(","));
    mysql_async::prelude::Queryable::query_drop(administration.connection(), insert)
        .await
        .unwrap();
    let settings = house.database.settings().unwrap();
    fill(&settings, &house.cache).await.unwrap();
    assert_eq!(house.cached("customerReadings_id_2").await, None);
    assert!(house.cached("customerReadings_id_3").await.is_some());
    assert_eq!(house.get("/customerdata/2").await.status, 200);
}
