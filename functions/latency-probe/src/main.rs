//! The latency test, from where Lambda runs it.

mod allow_list;
mod event_handler;

use function_kit::{environment::variable, logs};
use lambda_runtime::{Error, run, service_fn};

use crate::allow_list::AllowList;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let allowed: AllowList = variable("ALLOWED_ORIGINS")?.parse()?;
    run(service_fn(|event| event_handler::handle(&allowed, event))).await
}
