//! A hit counter on S3.

mod contention;
mod counter;
mod http_handler;

use function_kit::{aws, environment::variable, logs};
use lambda_http::{Error, run, service_fn};

use crate::counter::Counter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let counter = Counter::new(&aws::config()?, variable("BUCKET_NAME")?);
    counter.open_connection().await;
    run(service_fn(|request| {
        http_handler::handle(&counter, request)
    }))
    .await
}
