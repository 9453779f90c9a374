//! `GET …/transcriptions/{id}` answers with a transcription, `GET …/transcriptions` with a random one.

use std::convert::Infallible;

use function_kit::deadline;
use lambda_http::{Body, Request, RequestExt, Response};
use transcriptions::{response, wanted};

use crate::connection::KeptConnection;

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
    Ok(response(connection.find(wanted, time_left).await))
}
