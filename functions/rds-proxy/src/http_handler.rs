//! `GET …/transcriptions/{id}` answers with a transcription, `GET …/transcriptions` with a random one.

use std::convert::Infallible;

use function_kit::deadline;
use lambda_http::{Body, Request, RequestExt, Response};
use rds_access::{response, wanted};
use rds_connection::{ConnectionSettings, connect_and_ask};

/// 200 with the transcription as JSON, or a problem.
pub(crate) async fn handle(
    settings: &ConnectionSettings,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    let wanted = match wanted(&request) {
        Ok(wanted) => wanted,
        Err(problem) => return Ok(problem.into()),
    };
    let time_left = deadline::time_left(request.lambda_context_ref());
    let found = connect_and_ask(settings, &wanted, time_left).await;
    Ok(response(found))
}

#[cfg(test)]
mod tests {
    use backends::mariadb::Options;
    use rds_access::testing::{assert_recorded_events_are_answered, database};

    use super::*;

    #[tokio::test]
    async fn every_recorded_event_is_answered() {
        let database = database(Options::default()).await.unwrap();
        let settings = database.settings().unwrap();
        assert_recorded_events_are_answered("rds-proxy", |request| handle(&settings, request))
            .await;
    }
}
