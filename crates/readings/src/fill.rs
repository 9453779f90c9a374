//! The cache filled from the database: all customers and all their readings, in two queries, as they come.

use std::time::Duration;

use async_memcached::{AsciiProtocol as _, Client, Error as ClientError, Status};
use mysql_async::{Conn, Row, prelude::Queryable};
use rds_connection::{ConnectionSettings, Error as DatabaseError};
use tokio::time::{Instant, timeout};
use tracing::info;

use crate::{
    Cache, CustomerId, Reading,
    cache::{Error as CacheError, Keep, is_too_large, set},
    record::{Customer, Readings, Record},
    repository::{all_customers, all_readings, customer, in_order, reading},
};

/// The most values that are written together.
const VALUES: usize = 512;
/// The most bytes that are, give or take one value: what is kept in memory.
const BYTES: usize = 1 << 20;
/// How long the database or the cache may be silent. A server that fills the cache does not listen yet.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the log says how far it is.
const NEWS: Duration = Duration::from_secs(2);

/// Who writes this first fills the cache; those who start meanwhile, or a little later, need not.
const MARK: &str = "customers_filled";
/// How long that holds.
const MARK_KEPT: Duration = Duration::from_secs(60);

/// What became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Filled {
    /// The cache has all of these now.
    Here {
        /// Customers, and as many lists of readings.
        customers: u64,
        /// Readings in those lists.
        readings: u64,
    },
    /// Another process fills it, or has done so within the last minute.
    Elsewhere,
}

/// Why the cache is not filled.
#[derive(Debug, thiserror::Error)]
pub enum NotFilled {
    /// The database can't be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The cache can't be written to.
    #[error("the cache can't be written to: {0}")]
    Cache(String),
}

impl From<CacheError> for NotFilled {
    fn from(error: CacheError) -> Self {
        Self::Cache(error.to_string())
    }
}

/// Fills the cache with what a [`ReadThrough`](crate::ReadThrough) would write there. What is larger than a value may be is left
/// out.
///
/// # Errors
/// The database can't be read, or the cache can't be written to.
pub async fn fill(settings: &ConnectionSettings, cache: &Cache) -> Result<Filled, NotFilled> {
    let url = format!("tcp://{}", cache.address());
    let mut client = in_time(Client::new(url)).await?;
    let seconds = MARK_KEPT.as_secs().try_into().unwrap_or(i64::MAX);
    match in_time(client.add(MARK, "", Some(seconds), None)).await {
        Err(CacheError::Client(ClientError::Protocol(Status::NotStored))) => {
            return Ok(Filled::Elsewhere);
        }
        added => added?,
    }
    let mut filling = Filling {
        client,
        values: Vec::with_capacity(VALUES),
        bytes: 0,
        customers: 0,
        readings: 0,
        next_news: Instant::now() + NEWS,
    };
    let filled = filling.run(settings).await;
    if filled.is_err() {
        // The next to start tries again, if the cache is there to hear of it.
        let _ = in_time(filling.client.delete(MARK)).await;
    }
    filled
}

struct Filling {
    client: Client,
    /// Keys and values that are written together.
    values: Vec<(String, Vec<u8>)>,
    bytes: usize,
    customers: u64,
    readings: u64,
    next_news: Instant,
}

impl Filling {
    async fn run(&mut self, settings: &ConnectionSettings) -> Result<Filled, NotFilled> {
        let mut connection = silent(settings.connect()).await?;
        self.write_customers(&mut connection).await?;
        self.write_readings(&mut connection).await?;
        self.flush().await?;
        // It is over anyway, whether or not the database hears of it.
        let _ = connection.disconnect().await;
        Ok(Filled::Here {
            customers: self.customers,
            readings: self.readings,
        })
    }

    async fn write_customers(&mut self, connection: &mut Conn) -> Result<(), NotFilled> {
        let mut rows = query(connection, all_customers()).await?;
        while let Some(row) = next(&mut rows).await? {
            let customer = customer(row)?;
            self.customers += 1;
            self.write::<Customer>(customer.id, &customer).await?;
        }
        Ok(())
    }

    async fn write_readings(&mut self, connection: &mut Conn) -> Result<(), NotFilled> {
        let mut rows = query(connection, all_readings()).await?;
        let mut of: Option<(CustomerId, Vec<Reading>)> = None;
        while let Some(row) = next(&mut rows).await? {
            let (id, reading) = reading(row)?;
            self.readings += u64::from(reading.is_some());
            match &mut of {
                Some((last, measures)) if *last == id => measures.extend(reading),
                _ => {
                    let before = of.replace((id, reading.into_iter().collect()));
                    self.write_readings_of(before).await?;
                }
            }
        }
        self.write_readings_of(of).await
    }

    async fn write_readings_of(
        &mut self,
        of: Option<(CustomerId, Vec<Reading>)>,
    ) -> Result<(), NotFilled> {
        match of {
            Some((id, measures)) => self.write::<Readings>(id, &in_order(measures)).await,
            None => Ok(()),
        }
    }

    async fn write<R: Record>(&mut self, id: CustomerId, record: &R) -> Result<(), NotFilled> {
        let json = serde_json::to_vec(record).map_err(|_| DatabaseError::Row)?;
        if is_too_large(&json) {
            return Ok(());
        }
        self.bytes += json.len();
        self.values.push((R::key(id).to_string(), json));
        if self.values.len() >= VALUES || self.bytes >= BYTES {
            self.flush().await?;
        }
        if Instant::now() >= self.next_news {
            self.next_news += NEWS;
            let (customers, readings) = (self.customers, self.readings);
            info!(customers, readings, "the cache is being filled");
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), CacheError> {
        let values: Vec<(&str, &[u8])> = self
            .values
            .iter()
            .map(|(key, value)| (key.as_str(), &value[..]))
            .collect();
        if !values.is_empty() {
            in_time(set(&mut self.client, &values, Keep::Answer)).await?;
        }
        self.values.clear();
        self.bytes = 0;
        Ok(())
    }
}

type Rows<'a> = mysql_async::QueryResult<'a, 'static, mysql_async::TextProtocol>;

async fn query(connection: &mut Conn, statement: String) -> Result<Rows<'_>, DatabaseError> {
    silent(async {
        connection
            .query_iter(statement)
            .await
            .map_err(DatabaseError::Query)
    })
    .await
}

/// The next row. They are not gathered: as many are in memory as a packet has.
async fn next(rows: &mut Rows<'_>) -> Result<Option<Row>, DatabaseError> {
    silent(async { rows.next().await.map_err(DatabaseError::Query) }).await
}

async fn silent<T>(
    answer: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    rds_connection::within(PATIENCE, answer).await
}

async fn in_time<T>(answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, CacheError> {
    let answer = timeout(PATIENCE, answer).await;
    Ok(answer.map_err(|_| CacheError::TimedOut(PATIENCE))??)
}
