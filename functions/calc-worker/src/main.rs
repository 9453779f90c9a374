//! Calculates what the messages of a queue ask for, and counts each calculation once.

mod calculation;
mod count;
mod event_handler;

use std::num::NonZeroUsize;

use function_kit::{aws, environment::variable, logs};
use lambda_runtime::{Error, run, service_fn};

use crate::count::Count;

/// How many records of a batch are in work side by side, unless `CONCURRENCY` says otherwise: a calculation that waits
/// holds no core, but its record.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let concurrency = match variable("CONCURRENCY") {
        Ok(number) => number
            .parse()
            .map_err(|_| "CONCURRENCY is not a whole number above 0")?,
        Err(_) => CONCURRENCY,
    };
    let count = Count::new(&aws::config()?, variable("DONE_TABLE_NAME")?);
    count.open_connection().await;
    run(service_fn(|event| {
        event_handler::handle(&count, concurrency, event)
    }))
    .await
}
