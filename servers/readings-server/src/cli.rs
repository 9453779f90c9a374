//! The command line.

use std::{num::NonZeroUsize, time::Duration};

use clap::Parser;

/// Customers and the readings of their meters: GET /customer/{id} and GET /customerdata/{id}
///
/// The database is where the environment variables DATABASE_HOST, DATABASE_NAME, DATABASE_USER and DATABASE_PASSWORD say; without
/// the last, login is by IAM. CACHE_ADDRESS is HOST:PORT of a memcached, which is filled before the server listens; without it,
/// there is no cache.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) server: server_kit::Arguments,
    /// How many connections to the database there may be at a time. Who waits for one longer than 250 ms is told to try again
    #[arg(long, value_name = "NUMBER", default_value = "10")]
    pub(crate) database_connections: NonZeroUsize,
    /// How many connections to the cache there are
    #[arg(long, value_name = "NUMBER", default_value = "4")]
    pub(crate) cache_connections: NonZeroUsize,
    /// How long the cache may take for an answer; then the database is asked
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = humantime::parse_duration)]
    pub(crate) cache_deadline: Duration,
}
