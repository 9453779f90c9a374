//! Call transcriptions from MySQL, with a connection that is kept between invocations.

mod http_handler;

use std::num::NonZeroU64;

use function_kit::logs;
use lambda_http::{Error, run, service_fn};
use rds_access::Wanted;
use rds_connection::{ConnectionSettings, KeptConnection, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    logs::init();
    let settings = ConnectionSettings::from_environment()?;
    let connection = KeptConnection::new(settings, Limits::from_environment()?);
    connection.open(&Wanted::Id(NonZeroU64::MIN)).await;
    run(service_fn(|request| {
        http_handler::handle(&connection, request)
    }))
    .await
}
