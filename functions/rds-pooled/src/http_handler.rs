//! `GET …/transcriptions/{id}` answers with a transcription, `GET …/transcriptions` with a random one.

use std::convert::Infallible;

use function_kit::deadline;
use lambda_http::{Body, Request, RequestExt, Response};
use rds_access::{response, wanted};
use rds_connection::{Database as _, KeptConnection};

/// 200 with the transcription as JSON, or a problem.
pub(crate) async fn handle(
    connection: &KeptConnection,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let wanted = match wanted(&request) {
        Ok(wanted) => wanted,
        Err(problem) => return Ok(problem.into()),
    };
    let time_left = deadline::time_left(request.lambda_context_ref());
    Ok(response(connection.ask(&wanted, time_left).await))
}

#[cfg(test)]
mod tests {
    use backends::mariadb::Options;
    use rds_access::{
        Wanted,
        testing::{assert_recorded_events_are_answered, database},
    };
    use rds_connection::Limits;

    use super::*;

    #[tokio::test]
    async fn every_recorded_event_is_answered() {
        let database = database(Options::default()).await.unwrap();
        let connection = KeptConnection::new(database.settings().unwrap(), Limits::default());
        connection.open(&Wanted::Random).await;
        let handler = |request| handle(&connection, request);
        assert_recorded_events_are_answered("rds-pooled", handler).await;
    }
}
