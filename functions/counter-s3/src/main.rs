//! A hit counter on S3.

mod contention;
mod counter;
mod http_handler;

use aws_sdk_s3::{Client, config::Builder};
use function_kit::{aws, environment::variable, logs};
use lambda_http::{Error, run, service_fn};

use crate::counter::Counter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let config = aws::config()?;
    let s3 = Builder::from(&config)
        // An endpoint of one's own has no name for every bucket.
        .force_path_style(config.endpoint_url().is_some())
        .build();
    let counter = Counter::new(Client::from_conf(s3), variable("BUCKET_NAME")?);
    counter.open_connection().await;
    run(service_fn(|request| {
        http_handler::handle(&counter, request)
    }))
    .await
}
