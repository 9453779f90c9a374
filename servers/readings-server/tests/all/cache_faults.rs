//! memcached killed, frozen and restarted under load.

use std::time::Duration;

use load::testing::kills::Running;

use crate::{
    common::{Behind, CUSTOMERS},
    users::Users,
};

const USERS: usize = 8;

/// The p99 with a fault is at most so many times that without a cache, or so many deadlines of 5 ms, whichever is more: this
/// machine has other things to do, and a request waits for two deadlines at most.
const TIMES: u32 = 10;

#[tokio::test]
async fn a_cache_that_is_killed_or_frozen_fails_nobody_and_is_hit_again_afterwards() {
    let mut behind = Behind::start().await;
    let without = Running::spawn(&mut behind.command_without_cache(&[]));
    let users = Users::start(without.address(), USERS, CUSTOMERS);
    users.answers(3_000).await;
    let without = users.call_back().await;
    without.assert_all_right();
    let bound = TIMES * without.p99().max(Duration::from_millis(5));

    let server = behind.server(&[]);
    let users = Users::start(server.address(), USERS, CUSTOMERS);
    users.answers(500).await;
    behind.memcached.kill().await.unwrap();
    users.answers(3_000).await;
    behind.memcached.restart().await.unwrap();
    behind.until_hit(&server).await;
    users.answers(500).await;
    behind.memcached.freeze().unwrap();
    users.answers(3_000).await;
    behind.memcached.thaw().unwrap();
    behind.until_hit(&server).await;
    users.answers(500).await;
    let with_faults = users.call_back().await;
    with_faults.assert_all_right();
    let p99 = with_faults.p99();
    assert!(
        p99 <= bound,
        "{p99:?}, and without a cache {:?}",
        without.p99()
    );
}

#[tokio::test]
async fn a_cache_that_comes_and_goes_mixes_nobodys_answers() {
    let behind = Behind::start().await;
    let server = behind.server(&[]);
    let users = Users::start(server.address(), 32, CUSTOMERS);
    for _ in 0..10 {
        behind.memcached.freeze().unwrap();
        users.answers(50).await;
        behind.memcached.thaw().unwrap();
        behind.until_hit(&server).await;
        users.answers(50).await;
    }
    // A 503 may be among them: all at once fall upon the database.
    users.call_back().await.assert_none_wrong();
}
