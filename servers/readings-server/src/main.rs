//! Customers and the readings of their meters on a plain server.

mod cli;

use std::{process::ExitCode, time::Instant};

use clap::Parser as _;
use environment::variable;
use rds_connection::{ConnectionSettings, Pool, SettingsError};
use readings::{Cache, Filled, ReadThrough, fill, router};
use server_kit::{CutOff, Events, Listener, Log, NotListening, Signals};
use tracing::{info, warn};

use crate::cli::Arguments;

// One thread: a hit takes less of it than handing the hit to another thread would. Where there are more cores, there is a
// process for each, behind a load balancer.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("readings-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the server can't start, or can't end as it should.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("signals can't be waited for: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    Listen(#[from] NotListening),
    #[error(transparent)]
    CutOff(#[from] CutOff),
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let mut signals = Signals::new().map_err(Error::Signals)?;
    let settings = ConnectionSettings::from_environment()?;
    let log = Log::start();
    // Nobody else takes them.
    let _ = Events::to(&log);
    let cache = variable("CACHE_ADDRESS").ok().map(|address| {
        let connections = arguments.cache_connections.get();
        Cache::new(&address, connections, arguments.cache_deadline)
    });
    if let Some(cache) = &cache {
        tokio::select! {
            () = fill_and_open(&settings, cache) => {}
            () = signals.end() => {
                log.message("INFO", "ended before it listened");
                log.flush();
                return Ok(());
            }
        }
    }
    let database = Pool::new(settings, arguments.database_connections.get());
    let listener = Listener::bind(&arguments.server).await?;
    let app = router(ReadThrough::new(database, cache));
    listener
        .serve(app, &arguments.server, &log, signals.end())
        .await?;
    Ok(())
}

/// A cache or a database that is away is no reason not to start: what is missing is read when it is asked for.
async fn fill_and_open(settings: &ConnectionSettings, cache: &Cache) {
    let since = Instant::now();
    match fill(settings, cache).await {
        Ok(Filled::Here {
            customers,
            readings,
        }) => {
            let seconds = since.elapsed().as_secs_f64();
            info!(customers, readings, seconds, "the cache is filled");
        }
        Ok(Filled::Elsewhere) => info!("the cache is filled by another process"),
        Err(error) => warn!(%error, "the cache is not filled"),
    }
    cache.open().await;
}
