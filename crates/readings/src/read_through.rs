//! The cache in front of the database.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rds_connection::{Database, Error};
use tracing::error;

use crate::{
    Cache, CustomerId, Key,
    cache::{Keep, Lookup},
    flights::Flights,
    record::Record,
};

/// What the cache has where the database has nothing, in JSON.
const NOTHING: Bytes = Bytes::from_static(b"null");

/// Why there is no answer: the cause is in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It heals by itself: try again.
    #[error("the database can't be reached just now")]
    ForNow,
    /// It does not.
    #[error("the database can't be read")]
    ForGood,
}

/// JSON, or nothing where there is no such customer.
pub(crate) type Answer = Result<Option<Bytes>, Refused>;

/// Customers and readings, from the cache if it has them, or else from the database, which is asked once by all who want the
/// same at a time.
#[derive(Debug)]
pub struct ReadThrough<D> {
    database: D,
    cache: Option<Cache>,
    flights: Flights<Key, Answer>,
}

impl<D: Database> ReadThrough<D> {
    /// This database behind this cache, or behind none.
    pub fn new(database: D, cache: Option<Cache>) -> Arc<Self> {
        Arc::new(Self {
            database,
            cache,
            flights: Flights::default(),
        })
    }

    /// The JSON of what there is of a customer.
    pub(crate) async fn find<R: Record>(
        self: &Arc<Self>,
        id: CustomerId,
        time_left: Duration,
    ) -> Answer {
        let key = R::key(id);
        let lookup = match &self.cache {
            Some(cache) => cache.get(key).await,
            None => Lookup::Away,
        };
        if let Lookup::Hit(json) = &lookup {
            if *json == NOTHING {
                return Ok(None);
            }
            // What somebody else has written there, or half of it, is as good as nothing.
            if serde_json::from_slice(json).is_ok_and(|record: R| record.may_be_of(id)) {
                return Ok(Some(json.clone()));
            }
        }
        let is_asked = lookup != Lookup::Away;
        let this = self.clone();
        let fetch = || async move { this.fetch::<R>(id, time_left, is_asked).await };
        let answer = self.flights.join(key, fetch).await;
        answer.unwrap_or(Err(Refused::ForGood))
    }

    /// From the database, and into the cache if that is there.
    async fn fetch<R: Record>(
        &self,
        id: CustomerId,
        time_left: Duration,
        into_cache: bool,
    ) -> Answer {
        let question = R::question(id);
        let json = match self.database.ask(&question, time_left).await {
            Ok(None) => None,
            Ok(Some(record)) => match serde_json::to_vec(&record) {
                Ok(json) => Some(Bytes::from(json)),
                Err(error) => {
                    error!(%error, "there is no JSON for a record");
                    return Err(Refused::ForGood);
                }
            },
            Err(error) => return Err(refused(&error)),
        };
        if let Some(cache) = self.cache.as_ref().filter(|_| into_cache) {
            let (value, keep) = match &json {
                Some(json) => (json.clone(), Keep::Answer),
                None => (NOTHING, Keep::Nothing),
            };
            cache.set(R::key(id), value, keep).await;
        }
        Ok(json)
    }
}

fn refused(error: &Error) -> Refused {
    error!(%error, "nothing was read");
    match error.is_transient() {
        true => Refused::ForNow,
        false => Refused::ForGood,
    }
}
