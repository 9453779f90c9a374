//! What the tests have in common.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use backends::{mariadb::Options, memcached::Memcached};
use http_body_util::BodyExt as _;
use rds_connection::{Database, Error, Pool, Question};
use readings::{
    Cache, ReadThrough, router,
    testing::{TestDatabase, ask_memcached, database, memcached_counts},
};
use tower_service::Service as _;

/// Long enough that only what never answers is late.
const PATIENT: Duration = Duration::from_secs(5);

/// A database whose questions are counted.
pub(crate) struct Counted {
    pool: Pool,
    asked: Arc<AtomicU64>,
}

impl Database for Counted {
    async fn ask<Q: Question>(
        &self,
        question: &Q,
        time_left: Duration,
    ) -> Result<Q::Answer, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.pool.ask(question, time_left).await
    }
}

/// A router, what is behind it, and how often the database was asked.
pub(crate) struct House {
    pub(crate) database: TestDatabase,
    pub(crate) memcached: Memcached,
    pub(crate) cache: Cache,
    router: Router,
    asked: Arc<AtomicU64>,
}

impl House {
    pub(crate) async fn start() -> Self {
        let database = database(Options::default()).await.unwrap();
        let memcached = Memcached::start().await.unwrap();
        let cache = Cache::new(&memcached.address(), 2, PATIENT);
        let asked = Arc::<AtomicU64>::default();
        let counted = Counted {
            pool: Pool::new(database.settings().unwrap(), 10),
            asked: asked.clone(),
        };
        Self {
            router: router(ReadThrough::new(counted, Some(cache.clone()))),
            database,
            memcached,
            cache,
            asked,
        }
    }

    /// How often the database was asked so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let mut router = self.router.clone();
        async move {
            let (head, body) = router.call(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: String::from_utf8(body.into()).unwrap(),
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).await
    }

    /// What the cache has under this key.
    pub(crate) async fn cached(&self, key: &str) -> Option<String> {
        let command = format!("get {key}");
        let answer = ask_memcached(&self.memcached.address(), &command)
            .await
            .unwrap();
        let (_, value) = answer.strip_prefix("VALUE ")?.split_once("\r\n")?;
        Some(value.strip_suffix("\r\nEND\r\n").unwrap().to_owned())
    }

    /// Writes this into the cache, as somebody else might.
    pub(crate) async fn write(&self, key: &str, value: &str) {
        let command = format!("set {key} 0 0 {}\r\n{value}", value.len());
        let answer = ask_memcached(&self.memcached.address(), &command).await;
        assert_eq!(answer.unwrap(), "STORED\r\n");
    }

    /// How many keys the cache was asked for so far.
    pub(crate) async fn lookups(&self) -> u64 {
        let address = self.memcached.address();
        memcached_counts(&address, "cmd_get").await.unwrap()
    }
}

/// What the router answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
