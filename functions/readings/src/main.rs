//! Customers and the readings of their meters, from a cache and, where it has none, from MySQL.

mod http_handler;

use function_kit::{environment::variable, logs};
use lambda_http::{Error, run, service_fn};
use rds_connection::{ConnectionSettings, KeptConnection, Limits};
use readings::{Cache, DEADLINE, ReadThrough, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    // Connected to at the first miss: most environments never have one.
    let settings = ConnectionSettings::from_environment()?;
    let database = KeptConnection::new(settings, Limits::from_environment()?);
    // One request at a time needs one connection.
    let cache = variable("CACHE_ADDRESS").map(|address| Cache::new(&address, 1, DEADLINE));
    let cache = cache.ok();
    if let Some(cache) = &cache {
        cache.open().await;
    }
    let router = router(ReadThrough::new(database, cache));
    run(service_fn(|request| {
        http_handler::handle(router.clone(), request)
    }))
    .await
}
