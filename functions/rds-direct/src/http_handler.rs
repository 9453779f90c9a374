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
    use function_kit::testing::{answer, assert_damaged_events_do_no_harm, recorded_events};
    use rds_access::testing::{assert_recorded_events_are_answered, database, settings};

    use super::*;

    #[tokio::test]
    async fn every_recorded_event_is_answered() {
        let database = database(Options::default()).await.unwrap();
        let settings = database.settings().unwrap();
        assert_recorded_events_are_answered("rds-direct", |request| handle(&settings, request))
            .await;
    }

    #[tokio::test]
    async fn a_bad_id_never_reaches_the_database() {
        let nobody = settings(&nowhere()).unwrap();
        for (file, event) in recorded_events("rds-direct").unwrap() {
            let answer = answer(&event, |request| handle(&nobody, request))
                .await
                .unwrap();
            let status = match file.split_once('-') {
                Some(("bad", _)) => 400,
                Some(("delete" | "head" | "post", _)) => 405,
                _ => 503,
            };
            assert_eq!(answer["statusCode"], status, "{file}");
        }
    }

    #[tokio::test]
    async fn a_damaged_event_is_an_answer_or_an_error() {
        let nobody = settings(&nowhere()).unwrap();
        let handler = |request| handle(&nobody, request);
        assert_damaged_events_do_no_harm("rds-direct", &[400, 405, 503], handler).await;
    }

    /// The variables of a database where nobody listens.
    fn nowhere() -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_HOST", "127.0.0.1:1".to_owned()),
            ("DATABASE_NAME", "calls".to_owned()),
            ("DATABASE_USER", "calls".to_owned()),
            ("DATABASE_PASSWORD", "secret".to_owned()),
        ]
    }
}
