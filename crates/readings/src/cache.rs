//! The cache: memcached, asked within a deadline, and never an error.
//!
//! Each connection has a task, which takes all questions that came meanwhile and asks them together: one round trip. What it
//! began it ends, whoever has stopped waiting, and a connection on which something was not answered in time is thrown away:
//! the next question would get that answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_memcached::{AsciiProtocol as _, Client, Error as ClientError, Status};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::{Key, circuit::Circuit};

/// How long the cache may take for what is asked together, connecting included: a hit inside an Availability Zone takes less
/// than one millisecond, a query a few. Who comes while others are asked for waits for them first, so a request waits for the
/// cache for twice this at most.
pub const DEADLINE: Duration = Duration::from_millis(5);

/// How long [`Cache::open`] may take: a name is looked up for the first time.
const TO_OPEN: Duration = Duration::from_secs(1);

/// The most that is asked together. What a round trip costs is then nothing beside it.
const TOGETHER: usize = 128;
/// The most that waits for one connection. Who comes then does without the cache.
const WAITING: usize = 4096;

/// The largest value that is cached, in bytes: memcached's `item_size_max` is 1 MiB, with the key and what is about it.
const LARGEST: usize = 1_000_000;

/// How long an answer is kept. Each a little shorter, so that what was written together is not gone together.
const KEPT: Duration = Duration::from_secs(60 * 60);
const KEPT_SPREAD: f64 = 0.1;
/// How long it is kept that there is nothing: short, since there may be something soon.
const NOTHING_KEPT: Duration = Duration::from_secs(5);

/// A cache. Its clones share its connections.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: String,
    connections: Vec<mpsc::Sender<Job>>,
    next: AtomicUsize,
    circuit: Arc<Circuit>,
}

/// What the cache says of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Lookup {
    /// It has this.
    Hit(Bytes),
    /// It has nothing.
    Miss,
    /// Nobody knows: it was not asked, or has not answered in time.
    Away,
}

/// How long a value is to be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keep {
    Answer,
    Nothing,
}

impl Keep {
    /// In seconds, as memcached takes it.
    pub(crate) fn seconds(self) -> i64 {
        let kept = match self {
            Self::Answer => KEPT.mul_f64(1.0 - KEPT_SPREAD * fastrand::f64()),
            Self::Nothing => NOTHING_KEPT,
        };
        kept.as_secs().try_into().unwrap_or(i64::MAX)
    }
}

enum Job {
    Open(oneshot::Sender<()>),
    Get(Key, oneshot::Sender<Option<Bytes>>),
    Set(Key, Bytes, Keep, oneshot::Sender<()>),
}

impl Job {
    /// Whether nobody waits for it any more.
    fn is_given_up(&self) -> bool {
        match self {
            Self::Get(_, answer) => answer.is_closed(),
            Self::Open(_) | Self::Set(..) => false,
        }
    }
}

impl Cache {
    /// The memcached at `HOST:PORT`, over so many connections, each of which has this deadline ([`DEADLINE`] is a good one).
    /// None is open yet. Needs a Tokio runtime.
    #[must_use]
    pub fn new(address: &str, connections: usize, deadline: Duration) -> Self {
        let circuit = Arc::<Circuit>::default();
        let connections = (0..connections.max(1)).map(|_| {
            let (jobs, waiting) = mpsc::channel(WAITING);
            let connection = Connection {
                url: format!("tcp://{address}"),
                client: None,
                deadline,
                circuit: circuit.clone(),
            };
            tokio::spawn(connection.run(waiting));
            jobs
        });
        Self(Arc::new(Shared {
            address: address.to_owned(),
            connections: connections.collect(),
            next: AtomicUsize::new(0),
            circuit,
        }))
    }

    /// Opens the connections, with more patience than a request has. Where that fails, requests try again.
    pub async fn open(&self) {
        let opened: Vec<_> = self
            .0
            .connections
            .iter()
            .map(|jobs| {
                let (done, opened) = oneshot::channel();
                // Full is busy: it is open.
                let _ = jobs.try_send(Job::Open(done));
                opened
            })
            .collect();
        for opened in opened {
            let _ = opened.await;
        }
    }

    /// Where it is: `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.0.address
    }

    /// What it has.
    pub(crate) async fn get(&self, key: Key) -> Lookup {
        let (answer, value) = oneshot::channel();
        if !self.send(Job::Get(key, answer)) {
            return Lookup::Away;
        }
        match value.await {
            Ok(Some(value)) => Lookup::Hit(value),
            Ok(None) => Lookup::Miss,
            Err(_) => Lookup::Away,
        }
    }

    /// Has it keep this, if it can and will.
    pub(crate) async fn set(&self, key: Key, value: Bytes, keep: Keep) {
        if is_too_large(&value) {
            return;
        }
        let (done, stored) = oneshot::channel();
        if self.send(Job::Set(key, value, keep, done)) {
            let _ = stored.await;
        }
    }

    fn send(&self, job: Job) -> bool {
        let Shared {
            connections,
            next,
            circuit,
            ..
        } = &*self.0;
        let turn = next.fetch_add(1, Ordering::Relaxed) % connections.len();
        circuit.allows(Instant::now()) && connections[turn].try_send(job).is_ok()
    }
}

/// Whether memcached would refuse it.
pub(crate) fn is_too_large(value: &[u8]) -> bool {
    value.len() > LARGEST
}

/// Why something was not answered. For the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("an answer that nobody asked for")]
    Unasked,
}

struct Connection {
    url: String,
    client: Option<Client>,
    deadline: Duration,
    circuit: Arc<Circuit>,
}

impl Connection {
    async fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(TOGETHER);
        while waiting.recv_many(&mut jobs, TOGETHER).await > 0 {
            jobs.retain(|job| !job.is_given_up());
            if jobs.is_empty() {
                continue;
            }
            let is_opening = jobs.iter().any(|job| matches!(job, Job::Open(_)));
            let deadline = if is_opening { TO_OPEN } else { self.deadline };
            // Whoever is not answered when this ends is told so by that.
            let done = timeout(deadline, self.work(std::mem::take(&mut jobs))).await;
            match done.unwrap_or(Err(Error::TimedOut(deadline))) {
                Ok(()) => self.circuit.succeeded(),
                Err(error) => {
                    self.client = None;
                    self.circuit.failed(&error, Instant::now());
                }
            }
        }
    }

    async fn work(&mut self, jobs: Vec<Job>) -> Result<(), Error> {
        // Away while it is worked with: whatever ends this early, it is not used again.
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::new(&self.url).await?,
        };
        let (mut gets, mut sets, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Get(key, answer) => gets.push((key.to_string(), answer)),
                Job::Set(key, value, keep, done) => sets.push((key.to_string(), value, keep, done)),
                Job::Open(done) => opened.push(done),
            }
        }
        if !gets.is_empty() {
            get(&mut client, gets).await?;
        }
        for keep in [Keep::Answer, Keep::Nothing] {
            let of_these = sets.iter().filter(|(.., it, _)| *it == keep);
            let values: Vec<(&str, &[u8])> = of_these
                .map(|(key, value, ..)| (key.as_str(), &value[..]))
                .collect();
            if !values.is_empty() {
                set(&mut client, &values, keep).await?;
            }
        }
        self.client = Some(client);
        Ok(())
    }
}

/// Writes all of these in one round trip. What the server does not keep is a miss, and no error.
pub(crate) async fn set(
    client: &mut Client,
    values: &[(&str, &[u8])],
    keep: Keep,
) -> Result<(), ClientError> {
    client.set_multi(values, Some(keep.seconds()), None).await?;
    Ok(())
}

/// Asks for all of these in one round trip. The values come in the order of the keys, without those that are missing.
async fn get(
    client: &mut Client,
    gets: Vec<(String, oneshot::Sender<Option<Bytes>>)>,
) -> Result<(), Error> {
    let keys: Vec<&str> = gets.iter().map(|(key, _)| key.as_str()).collect();
    let values = match client.get_multi(keys).await {
        Err(ClientError::Protocol(Status::NotFound)) => Vec::new(),
        values => values?,
    };
    let mut values = values.into_iter().peekable();
    for (key, answer) in gets {
        let value = values.next_if(|value| value.key == key.as_bytes());
        // Who no longer waits does without.
        let _ = answer.send(value.map(|value| value.data.unwrap_or_default().into()));
    }
    match values.next() {
        None => Ok(()),
        Some(_) => Err(Error::Unasked),
    }
}

#[cfg(test)]
mod tests {
    use backends::memcached::Memcached;
    use tokio::{task::JoinSet, time::sleep};

    use super::*;

    /// Long enough that only what never answers is late.
    const PATIENT: Duration = Duration::from_secs(5);

    fn key(id: u32) -> Key {
        Key::Readings(id.try_into().unwrap())
    }

    fn value(id: u32) -> Bytes {
        Bytes::from(format!("value of {id}"))
    }

    async fn until_hit(cache: &Cache, id: u32) {
        let since = Instant::now();
        loop {
            match cache.get(key(id)).await {
                Lookup::Hit(found) => return assert_eq!(found, value(id)),
                Lookup::Miss => cache.set(key(id), value(id), Keep::Answer).await,
                Lookup::Away => sleep(Duration::from_millis(20)).await,
            }
            assert!(since.elapsed() < Duration::from_secs(20), "no hit");
        }
    }

    #[tokio::test]
    async fn what_was_set_is_found_and_what_was_not_is_missed() {
        let memcached = Memcached::start().await.unwrap();
        let cache = Cache::new(&memcached.address(), 2, PATIENT);
        cache.open().await;
        assert_eq!(cache.get(key(1)).await, Lookup::Miss);
        cache.set(key(1), value(1), Keep::Answer).await;
        cache.set(key(2), value(2), Keep::Nothing).await;
        for id in [1, 2] {
            assert_eq!(cache.get(key(id)).await, Lookup::Hit(value(id)));
        }
    }

    #[tokio::test]
    async fn many_at_once_get_what_is_theirs() {
        let memcached = Memcached::start().await.unwrap();
        let cache = Cache::new(&memcached.address(), 2, PATIENT);
        // Every other one is there, and each is asked for twice.
        for id in (2..=400).step_by(2) {
            cache.set(key(id), value(id), Keep::Answer).await;
        }
        let mut asking = JoinSet::new();
        for id in (1..=400).chain(1..=400) {
            let cache = cache.clone();
            asking.spawn(async move { (id, cache.get(key(id)).await) });
        }
        for (id, found) in asking.join_all().await {
            let expected = match id % 2 {
                0 => Lookup::Hit(value(id)),
                _ => Lookup::Miss,
            };
            assert_eq!(found, expected, "{id}");
        }
    }

    #[tokio::test]
    async fn a_value_may_have_a_megabyte_and_no_more() {
        let memcached = Memcached::start().await.unwrap();
        let cache = Cache::new(&memcached.address(), 1, PATIENT);
        for (length, is_kept) in [(0, true), (LARGEST, true), (LARGEST + 1, false)] {
            let value = Bytes::from(vec![b'x'; length]);
            cache.set(key(1), value.clone(), Keep::Answer).await;
            let found = cache.get(key(1)).await;
            assert_eq!(found == Lookup::Hit(value), is_kept, "{length}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_came_too_late_is_nobodys() {
        let memcached = Memcached::start().await.unwrap();
        let deadline = Duration::from_millis(30);
        let cache = Cache::new(&memcached.address(), 2, deadline);
        for id in 1..=50 {
            until_hit(&cache, id).await;
        }
        for _ in 0..5 {
            memcached.freeze().unwrap();
            let mut asking = JoinSet::new();
            for id in 1..=50 {
                let cache = cache.clone();
                asking.spawn(async move { (id, cache.get(key(id)).await) });
            }
            // Late answers come while others are asked for.
            sleep(deadline * 2).await;
            memcached.thaw().unwrap();
            for (id, found) in asking.join_all().await {
                let is_own = found == Lookup::Hit(value(id));
                assert!(is_own || found == Lookup::Away, "{id}: {found:?}");
            }
            // Each has its own again.
            for id in (1..=50).rev() {
                until_hit(&cache, id).await;
            }
        }
    }

    #[tokio::test]
    async fn one_that_is_frozen_costs_its_deadline_a_few_times_and_then_nothing() {
        let memcached = Memcached::start().await.unwrap();
        let deadline = Duration::from_millis(300);
        let cache = Cache::new(&memcached.address(), 1, deadline);
        until_hit(&cache, 1).await;
        memcached.freeze().unwrap();
        // It may have been asked before it stopped.
        while cache.get(key(1)).await != Lookup::Away {}
        let mut late = 1;
        // As many as open the circuit; the rest are not asked.
        for _ in 0..20 {
            let since = Instant::now();
            assert_eq!(cache.get(key(1)).await, Lookup::Away);
            late += u32::from(since.elapsed() >= deadline);
        }
        // After the pause one more is: this machine may be slow.
        assert!((3..10).contains(&late), "{late}");
        memcached.thaw().unwrap();
        until_hit(&cache, 1).await;
    }

    #[tokio::test]
    async fn one_that_was_killed_is_away_until_it_is_back_and_empty() {
        let mut memcached = Memcached::start().await.unwrap();
        let cache = Cache::new(&memcached.address(), 1, PATIENT);
        until_hit(&cache, 1).await;
        memcached.kill().await.unwrap();
        for _ in 0..20 {
            assert_eq!(cache.get(key(1)).await, Lookup::Away);
            cache.set(key(1), value(1), Keep::Answer).await;
        }
        memcached.restart().await.unwrap();
        let since = Instant::now();
        let found = loop {
            match cache.get(key(1)).await {
                Lookup::Away => sleep(Duration::from_millis(20)).await,
                found => break found,
            }
            assert!(since.elapsed() < Duration::from_secs(20));
        };
        assert_eq!(found, Lookup::Miss);
        until_hit(&cache, 1).await;
    }

    #[tokio::test]
    async fn opening_one_that_is_not_there_ends() {
        let cache = Cache::new("127.0.0.1:1", 4, PATIENT);
        cache.open().await;
        assert_eq!(cache.get(key(1)).await, Lookup::Away);
    }

    #[test]
    fn answers_are_kept_for_about_an_hour_each_for_another_time() {
        let seconds: std::collections::BTreeSet<i64> =
            (0..1000).map(|_| Keep::Answer.seconds()).collect();
        assert!(seconds.len() > 100);
        assert!(
            seconds
                .iter()
                .all(|seconds| (3239..=3600).contains(seconds))
        );
        assert_eq!(Keep::Nothing.seconds(), 5);
    }
}
