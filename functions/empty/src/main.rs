//! Answers nothing: what the platform itself costs.

mod http_handler;

use function_kit::logs;
use lambda_http::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    run(service_fn(http_handler::handle)).await
}
