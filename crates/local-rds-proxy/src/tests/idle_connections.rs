//! Database connections that nobody uses any more.

use std::{sync::Arc, time::Duration};

use mysql_common::constants::CapabilityFlags;

use super::{Fixture, PATIENCE};
use crate::{
    metrics::Gauges,
    pool::{Borrowed, Limits, Pool},
};

async fn left_open_of_five(idle_after: Duration) -> usize {
    let fixture = Fixture::start(1).await;
    let limits = Limits {
        connections: 5,
        idle_connections: 2,
        idle_after,
        borrow_timeout: PATIENCE,
    };
    let gauges = Gauges::default();
    let login = fixture.login(fixture.database.address());
    let pool = Arc::new(Pool::new(login, limits, gauges.clone()));
    let state = fixture.state(CapabilityFlags::empty());
    let mut borrowed = Vec::new();
    for _ in 0..5 {
        borrowed.push(pool.borrow(&state).await.unwrap());
    }
    assert_eq!(gauges.now().database_connections, 5);
    borrowed.into_iter().for_each(Borrowed::give_back);
    pool.close_idle_connections().await;
    let left = gauges.now().database_connections;
    let mut administration = fixture.database.administration().await.unwrap();
    assert_eq!(administration.connections().await.unwrap(), left as u64);
    left
}

#[tokio::test]
async fn too_many_are_closed_but_not_all() {
    assert_eq!(left_open_of_five(Duration::ZERO).await, 2);
}

#[tokio::test]
async fn none_is_closed_that_was_used_not_long_ago() {
    assert_eq!(left_open_of_five(PATIENCE).await, 5);
}
