//! Call transcriptions from MySQL, with a connection that is kept between invocations.

mod backoff;
mod connection;
mod http_handler;
mod idle;
mod utilisation;

use function_kit::logs;
use lambda_http::{Error, run, service_fn};
use rds_access::ConnectionSettings;

use crate::{connection::KeptConnection, utilisation::Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let settings = ConnectionSettings::from_environment()?;
    let connection = KeptConnection::new(settings, Limits::from_environment()?);
    connection.open().await;
    run(service_fn(|request| {
        http_handler::handle(&connection, request)
    }))
    .await
}
