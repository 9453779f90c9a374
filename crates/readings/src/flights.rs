//! Single flight: whoever wants what is being fetched already waits for that.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use tracing::Instrument as _;

type UnderWay<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

/// What is being fetched now, by what it is.
#[derive(Debug)]
pub(crate) struct Flights<K, V>(Arc<Mutex<UnderWay<K, V>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What `fetch` gives, or what somebody else's does that is under way. It goes on when those who wait for it are gone, and
    /// is forgotten when it is done. `None` if it panicked.
    pub(crate) async fn join<F>(&self, key: K, fetch: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut landing = self.take_off(key, fetch);
        let landed = landing.wait_for(Option::is_some).await;
        landed.ok().and_then(|value| value.clone())
    }

    fn take_off<F>(&self, key: K, fetch: impl FnOnce() -> F) -> watch::Receiver<Option<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = lock(&self.0);
        if let Some(landing) = under_way.get(&key) {
            return landing.clone();
        }
        let (landed, landing) = watch::channel(None);
        under_way.insert(key.clone(), landing.clone());
        let forget = Forget {
            under_way: self.0.clone(),
            key,
        };
        let fetch = fetch();
        let flight = async move {
            let value = fetch.await;
            // First, so that who comes after the answer fetches anew.
            drop(forget);
            landed.send_replace(Some(value));
        };
        // What it logs is logged for who came first.
        tokio::spawn(flight.in_current_span());
        landing
    }
}

/// Forgets a flight however it ends.
struct Forget<K: Eq + Hash, V> {
    under_way: Arc<Mutex<UnderWay<K, V>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Forget<K, V> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

fn lock<K, V>(under_way: &Mutex<UnderWay<K, V>>) -> MutexGuard<'_, UnderWay<K, V>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

    use super::*;

    /// Fetches that are counted, and end when they may.
    #[derive(Clone)]
    struct Fetches {
        count: Arc<AtomicU32>,
        may_end: Arc<Semaphore>,
    }

    impl Fetches {
        fn new() -> Self {
            Self {
                count: Arc::default(),
                may_end: Arc::new(Semaphore::new(0)),
            }
        }

        fn fetch(&self) -> impl Future<Output = u32> + Send + use<> {
            let this = self.clone();
            async move {
                let number = this.count.fetch_add(1, Ordering::SeqCst) + 1;
                this.may_end.acquire().await.unwrap().forget();
                number
            }
        }

        async fn until_under_way(&self, count: u32) {
            while self.count.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn all_who_come_meanwhile_share_one_and_who_comes_later_has_another() {
        let flights = Arc::new(Flights::default());
        let fetches = Fetches::new();
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let (flights, fetches) = (flights.clone(), fetches.clone());
            callers.spawn(async move { flights.join("a", || fetches.fetch()).await });
        }
        fetches.until_under_way(1).await;
        fetches.may_end.add_permits(10);
        assert_eq!(callers.join_all().await, [Some(1); 100]);
        assert_eq!(flights.join("a", || fetches.fetch()).await, Some(2));
        assert_eq!(flights.join("b", || fetches.fetch()).await, Some(3));
        assert!(lock(&flights.0).is_empty());
    }

    #[tokio::test]
    async fn who_came_first_may_go_and_the_others_are_answered() {
        let flights = Arc::new(Flights::default());
        let fetches = Fetches::new();
        let first = {
            let (flights, fetches) = (flights.clone(), fetches.clone());
            tokio::spawn(async move { flights.join("a", || fetches.fetch()).await })
        };
        fetches.until_under_way(1).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let other = flights.join("a", || fetches.fetch());
        fetches.may_end.add_permits(1);
        let answer = timeout(Duration::from_secs(20), other).await;
        assert_eq!(answer.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn one_that_panics_leaves_nobody_waiting_and_is_forgotten() {
        let flights = Flights::default();
        let panics = flights.join("a", || async { panic!("on purpose") });
        assert_eq!(panics.await, None::<u32>);
        assert_eq!(flights.join("a", || async { 7 }).await, Some(7));
    }
}
