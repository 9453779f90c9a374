//! The functions that read a database, under load and through their faults: the database killed and started again, its
//! connections closed behind the back of a frozen environment, and more callers than it has connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use load::{Failure, Measurement, Target, Work, closed_loop, on_its_own_thread};
use local_stack::Stack;
use mysql_async::prelude::Queryable as _;

use crate::common::{settings_with_database, start};

const FUNCTIONS: [&str; 3] = ["rds-direct", "rds-pooled", "rds-proxy"];

/// Beyond the functions' timeout: an answer that takes longer has got lost.
const LOST: Duration = Duration::from_secs(20);

const UNAVAILABLE: Failure = Failure::Status(503);

/// The repository's stack with its database and some rows.
struct Rds {
    stack: Stack,
}

impl Rds {
    async fn start(server: backends::mariadb::Options, freeze: bool) -> Self {
        let mut settings = settings_with_database();
        settings.host.freeze = freeze;
        settings.database.server = server;
        let stack = start(settings).await;
        let server = stack.database().unwrap().server().unwrap();
        let mut administration = server.administration().await.unwrap();
        let connection = administration.connection();
        // The rows are to be there after a crash.
        connection
            .query_drop("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
            .await
            .unwrap();
        rds_access::seed::fill(connection, 1_000, |_| {})
            .await
            .unwrap();
        Self { stack }
    }

    async fn target(&self, function: &str) -> Arc<Target> {
        let (_, way) = function.split_once('-').unwrap();
        let url = format!("{}/rds/{way}/transcriptions", self.stack.url());
        Arc::new(Target::resolve(&url.parse().unwrap(), LOST).await.unwrap())
    }

    async fn load(&self, function: &str, connections: usize, work: Work) -> Measurement {
        run(self.target(function).await, connections, work).await
    }
}

async fn run(target: Arc<Target>, connections: usize, work: Work) -> Measurement {
    on_its_own_thread(move || closed_loop(target, connections, work, || {}))
        .await
        .unwrap()
}

/// Whatever failed was answered 503, and nothing got lost.
fn assert_only_unavailable(measurement: &Measurement, what: &str) {
    for (failure, count) in measurement.failures.by_cause() {
        assert_eq!(failure, UNAVAILABLE, "{what}: {count}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_under_load_is_missed_only_while_it_is_away() {
    let mut rds = Rds::start(backends::mariadb::Options::default(), false).await;
    for function in FUNCTIONS {
        let calm = rds.load(function, 20, Work::Requests(500)).await;
        assert_eq!(calm.failures.count(), 0, "{function} before");

        let target = rds.target(function).await;
        let load = tokio::spawn(run(target, 20, Work::For(Duration::from_secs(3))));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let server = rds.stack.database_mut().unwrap().server_mut().unwrap();
        server.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.restart().await.unwrap();
        let disturbed = load.await.unwrap();
        assert_only_unavailable(&disturbed, function);
        assert!(disturbed.latencies.count() > 0, "{function}");
        if function != "rds-pooled" {
            assert!(disturbed.failures.count() > 0, "{function}");
        }

        let healed = rds.load(function, 20, Work::Requests(500)).await;
        assert_eq!(healed.failures.count(), 0, "{function} after the restart");
    }
    rds.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_closed_while_environments_were_frozen_fail_no_invocation() {
    let server = backends::mariadb::Options {
        wait_timeout: Duration::from_secs(2),
        ..backends::mariadb::Options::default()
    };
    let rds = Rds::start(server, true).await;
    for function in FUNCTIONS {
        let before = rds.load(function, 5, Work::Requests(50)).await;
        assert_eq!(before.failures.count(), 0, "{function}");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for function in FUNCTIONS {
        let after = rds.load(function, 5, Work::Requests(50)).await;
        assert_eq!(after.failures.count(), 0, "{function} after the pause");
    }
    rds.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_times_as_many_callers_as_connections_are_all_answered() {
    const CALLERS: usize = 500;
    let rds = Rds::start(backends::mariadb::Options::default(), false).await;
    for function in FUNCTIONS {
        let burst = rds.load(function, CALLERS, Work::Requests(5_000)).await;
        assert_only_unavailable(&burst, function);
        assert_eq!(burst.requests(), 5_000, "{function}");
        let since = Instant::now();
        while rds
            .load(function, 1, Work::Requests(1))
            .await
            .failures
            .count()
            > 0
        {
            let elapsed = since.elapsed();
            assert!(elapsed < Duration::from_secs(1), "{function}: {elapsed:?}");
        }
        if function != "rds-direct" {
            assert_eq!(burst.failures.count(), 0, "{function}");
        }
        rds.stack.host().retire_idle(function).await;
    }
    let proxy = rds.stack.database().unwrap().proxy().unwrap().metrics();
    assert_eq!(proxy.max_database_connections_allowed, 153);
    assert!(proxy.peak_database_connections <= 153, "{proxy:?}");
    rds.stack.stop().await.unwrap();
}
