//! The connection pool without clients.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mysql_common::constants::CapabilityFlags;
use tokio::task::JoinSet;

use super::{Fixture, PATIENCE};
use crate::{
    metrics::Gauges,
    pool::{Borrowed, Limits, Pool},
};

#[tokio::test]
async fn connections_are_lent_in_the_order_in_which_they_were_asked_for() {
    let fixture = Fixture::start(1).await;
    let limits = Limits {
        connections: 1,
        idle_connections: 1,
        idle_after: PATIENCE,
        borrow_timeout: PATIENCE,
    };
    let login = fixture.login(fixture.database.address());
    let pool = Arc::new(Pool::new(login, limits, Gauges::default()));
    let state = fixture.state(CapabilityFlags::empty());
    let borrowed = pool.borrow(&state).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = JoinSet::new();
    for number in 0..100 {
        let (pool, state, order) = (Arc::clone(&pool), state.clone(), Arc::clone(&order));
        waiting.spawn(async move {
            let borrowed = pool.borrow(&state).await.unwrap();
            order.lock().unwrap().push(number);
            tokio::task::yield_now().await;
            borrowed.give_back();
        });
        // It asks before the next one does.
        tokio::task::yield_now().await;
    }
    borrowed.give_back();
    waiting.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

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
    administration.until_at_most(left as u64).await.unwrap();
    assert_eq!(administration.connections().await.unwrap(), left as u64);
    left
}

#[tokio::test]
async fn idle_connections_that_are_too_many_are_closed() {
    assert_eq!(left_open_of_five(Duration::ZERO).await, 2);
}

#[tokio::test]
async fn connections_used_not_long_ago_are_not_idle() {
    assert_eq!(left_open_of_five(PATIENCE).await, 5);
}
