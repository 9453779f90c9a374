//! Customers and readings, in all four architectures that the template has.

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;
use local_stack::{Distances, Prepare, Settings, Stack};
use mysql_async::{Conn, prelude::Queryable as _};
use region::{DEFAULT_REGION, Profile};

use crate::{
    client::Client,
    common::{settings_with_database, start},
};

const ROWS: [&str; 2] = [
    "INSERT INTO Customers VALUES (1, 'Keller', 'Anna'), (2, 'Meier', 'Jan')",
    "INSERT INTO Readings VALUES (1, 1, '2020-01-31', 1234), (2, 1, '2020-02-29', 1300)",
];

const READINGS: &str = r#"{"Measures":[{"MeasureID":1,"MeasureDate":"2020-01-31","MeasureValue":1234},{"MeasureID":2,"MeasureDate":"2020-02-29","MeasureValue":1300}]}"#;

/// The repository's template with two customers in its database before the servers start.
fn with_readings() -> Settings {
    let mut settings = settings_with_database();
    settings.parameters.extend(
        [("Readings", "all"), ("ReadingsServers", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    settings.database.prepare = Some(Prepare::with(async |url: String| {
        let mut connection = Conn::from_url(&url).await?;
        for statement in readings::schema().chain(ROWS) {
            connection.query_drop(statement).await?;
        }
        Ok(connection.disconnect().await?)
    }));
    settings
}

/// Where each architecture answers.
fn urls(stack: &Stack) -> BTreeMap<String, String> {
    let servers = stack.servers().iter();
    let mut urls: BTreeMap<_, _> = servers
        .filter(|server| server.name().starts_with("readings"))
        .map(|server| (server.name().to_owned(), server.url()))
        .collect();
    urls.insert("readings".to_owned(), stack.url());
    urls
}

#[tokio::test]
async fn all_four_architectures_give_the_same_answers() {
    let mut stack = start(with_readings()).await;
    assert_eq!(stack.skipped(), []);
    let urls = urls(&stack);
    let names: Vec<_> = urls.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "readings",
            "readings-load-balancer",
            "readings-server",
            "readings-server-memcached"
        ]
    );
    assert!(stack.outputs()["ReadingsFunctionUrl"].ends_with("/customerdata/1"));
    let client = Client::new();
    for (name, url) in &urls {
        for (path, status, expected) in [
            ("/customerdata/1", 200, READINGS),
            (
                "/customer/2",
                200,
                r#"{"Id":2,"Surname":"Meier","Givenname":"Jan"}"#,
            ),
            ("/customer/3", 404, ""),
            ("/customer/x", 400, ""),
            ("/", 404, ""),
        ] {
            let (found, text) = client.get(&format!("{url}{path}")).await;
            assert_eq!(found.as_u16(), status, "{name} {path}: {text}");
            if status == 200 {
                assert_eq!(text, expected, "{name} {path}");
            }
        }
    }
    let balanced = stack.servers().last().unwrap();
    assert_eq!(balanced.process_ids().len(), 3);
    let paid = balanced.paid_by_the_hour();
    assert_eq!((paid["ec2-t3.micro"], paid["public-ipv4"]), (3.0, 5.0));

    // Without the database, the cache answers for all but the one that has none.
    let server = stack.database_mut().unwrap().server_mut().unwrap();
    server.kill().await.unwrap();
    for (name, url) in &urls {
        let (status, text) = client.get(&format!("{url}/customerdata/1")).await;
        let expected = match name.as_str() {
            "readings-server" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        assert_eq!(status, expected, "{name}: {text}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_function_asks_the_cache_is_recorded_and_a_hit_asks_nobody_else() {
    let stack = start(with_readings()).await;
    let metered = stack.metered().await.unwrap();
    let client = Client::new();
    for _ in 0..5 {
        let (_, text) = client
            .get(&format!("{}/customerdata/1", metered.url()))
            .await;
        assert_eq!(text, READINGS);
    }
    let calls: BTreeMap<_, _> = metered
        .calls()
        .into_iter()
        .map(|(call, times)| (call.to_string(), times))
        .collect();
    assert_eq!(calls, BTreeMap::from([("memcached Get".to_owned(), 5)]));
    let recorded = metered.take_recorded("readings");
    assert_eq!(recorded.warm.len(), 4, "{recorded:?}");
    for warm in &recorded.warm {
        assert_eq!(warm.calls().count(), 1, "{warm:?}");
    }
    metered.stop().await.unwrap();
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_cache_in_the_region_is_near_enough_to_be_asked() {
    let profile = Profile::of(DEFAULT_REGION).unwrap();
    let settings = Settings {
        distances: Distances {
            backends: Some(profile),
            caller: None,
        },
        ..with_readings()
    };
    let mut stack = start(settings).await;
    let server = stack.database_mut().unwrap().server_mut().unwrap();
    server.kill().await.unwrap();
    let client = Client::new();
    let url = format!("{}/customerdata/1", stack.url());
    let since = std::time::Instant::now();
    while client.get(&url).await.0 != StatusCode::OK {
        assert!(since.elapsed() < Duration::from_secs(60), "never a hit");
    }
    assert_eq!(stack.undelayed(), []);
    stack.stop().await.unwrap();
}
