//! Call transcriptions from MySQL, by way of RDS Proxy.

mod http_handler;

use function_kit::logs;
use lambda_http::{Error, run, service_fn};
use rds_connection::ConnectionSettings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let settings = ConnectionSettings::from_environment()?;
    run(service_fn(|request| {
        http_handler::handle(&settings, request)
    }))
    .await
}
