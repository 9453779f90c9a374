//! What is answered.

use crate::common::House;

const CUSTOMER: &str = r#"{"Id":1,"Surname":"Keller","Givenname":"Anna"}"#;
const READINGS: &str = r#"{"Measures":[{"MeasureID":1,"MeasureDate":"2020-01-31","MeasureValue":1234},{"MeasureID":7,"MeasureDate":"1999-12-31","MeasureValue":4294967295}]}"#;

#[tokio::test]
async fn customers_and_readings_are_json_from_the_database_and_from_the_cache() {
    let house = House::start().await;
    for (path, body) in [
        ("/customer/1", CUSTOMER),
        ("/customerdata/1", READINGS),
        ("/customerdata/0000000001?a=b", READINGS),
        // A customer without readings.
        ("/customerdata/3", r#"{"Measures":[]}"#),
    ] {
        for _ in 0..2 {
            let answer = house.get(path).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    assert_eq!(house.asked(), 3);
    assert_eq!(
        house.cached("customerData_id_1").await.as_deref(),
        Some(CUSTOMER)
    );
    assert_eq!(
        house.cached("customerReadings_id_1").await.as_deref(),
        Some(READINGS)
    );
}

#[tokio::test]
async fn an_id_that_is_none_is_a_400_and_neither_a_key_nor_a_query() {
    let house = House::start().await;
    let lookups = house.lookups().await;
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "one",
        "1%20OR%201=1",
        "1;DROP",
        "1%0d%0aflush_all",
        "%31",
        "%FF",
        "４２",
        "%D9%A3",
        "4294967296",
        "18446744073709551616",
        "00000000001",
    ] {
        for path in [format!("/customer/{id}"), format!("/customerdata/{id}")] {
            let answer = house.get(&path).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json")
            );
            assert!(answer.body.contains(r#""status":400"#), "{answer:?}");
        }
    }
    assert_eq!(house.asked(), 0);
    assert_eq!(house.lookups().await, lookups);
}

#[tokio::test]
async fn other_methods_are_told_the_right_one_and_other_paths_are_not_found() {
    let house = House::start().await;
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"] {
        for path in ["/customer/1", "/customerdata/1", "/customer/none"] {
            let answer = house.request(method, path).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET"));
        }
    }
    for path in [
        "/",
        "/customer",
        "/customer/",
        "/customer/1/",
        "/customer/1/2",
        "/customers/1",
        "//customer/1",
    ] {
        let answer = house.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(r#""status":404"#), "{answer:?}");
    }
    assert_eq!(house.asked(), 0);
}

#[tokio::test]
async fn health_is_answered_without_asking_anybody() {
    let house = House::start().await;
    let lookups = house.lookups().await;
    assert_eq!(house.get("/healthz").await.status, 200);
    assert_eq!(house.request("HEAD", "/healthz").await.status, 200);
    let answer = house.request("POST", "/healthz").await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!((house.asked(), house.lookups().await), (0, lookups));
}
