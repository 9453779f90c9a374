//! MariaDB killed, and asked for more than it can do.

use std::time::{Duration, Instant};

use load::testing::kills::Running;
use mysql_async::prelude::Queryable as _;
use readings::testing::add_many;
use tokio::task::JoinSet;

use crate::{
    common::{Behind, CUSTOMERS, PATIENT, until},
    users::{Users, ask_once},
};

#[tokio::test]
async fn with_the_database_killed_what_is_cached_is_answered_and_the_rest_is_a_503() {
    let mut behind = Behind::start().await;
    let server = behind.server(&[PATIENT]);
    // After the cache was filled.
    let new = 1_001..=1_200;
    add_many(&behind.database, new.clone()).await.unwrap();

    let cached = Users::start(server.address(), 8, CUSTOMERS);
    cached.answers(500).await;
    behind.database.server.kill().await.unwrap();
    let uncached = Users::start(server.address(), 8, new.clone());
    uncached.answers(500).await;
    cached.answers(500).await;
    let uncached = uncached.call_back().await;
    uncached.assert_none_wrong();
    assert_eq!(uncached.right, 0);
    assert!(uncached.later >= 500);

    behind.database.server.restart().await.unwrap();
    until("the database is asked again", async || {
        ask_once(server.address(), "/customer/1001").await.status == 200
    })
    .await;
    let uncached = Users::start(server.address(), 8, new);
    uncached.answers(500).await;
    uncached.call_back().await.assert_all_right();
    cached.call_back().await.assert_all_right();
}

#[tokio::test]
async fn more_callers_than_the_database_takes_are_told_so_at_once_and_the_others_are_answered() {
    const CALLERS: u32 = 300;
    const SLOW: Duration = Duration::from_millis(100);
    let behind = Behind::start().await;
    let mut administration = behind.database.administration().await.unwrap();
    let seconds = SLOW.as_secs_f64();
    let view = format!("CREATE VIEW Customers AS SELECT * FROM fast WHERE SLEEP({seconds}) = 0");
    for statement in ["RENAME TABLE Customers TO fast", &view] {
        administration
            .connection()
            .query_drop(statement)
            .await
            .unwrap();
    }
    let arguments = ["--database-connections=2"];
    let server = Running::spawn(&mut behind.command_without_cache(&arguments));
    let since = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let address = server.address().to_owned();
        let path = format!("/customer/{}", 10 + caller);
        callers.spawn(async move { ask_once(&address, &path).await });
    }
    let answers = callers.join_all().await;
    let took = since.elapsed();
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    let told = answers
        .iter()
        .filter(|answer| answer.status == 503 && answer.retry_after);
    assert_eq!(answered + told.count(), answers.len());
    assert!((2..60).contains(&answered), "{answered}");
    // Had they queued, the last would have waited so long.
    assert!(took < SLOW * CALLERS / 2 / 3, "{took:?}");
    let mut most = behind.database.administration().await.unwrap();
    assert!(most.connections().await.unwrap() <= 2);
}
