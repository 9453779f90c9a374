//! For the tests of functions: a MariaDB of their own with a few transcriptions, and what the recorded events are answered.

use std::convert::Infallible;

use backends::{
    Error,
    mariadb::{MariaDb, Options},
};
use function_kit::testing::{answers, header};
use lambda_http::{Body, Request, Response};
use mysql_async::prelude::Queryable;
pub use rds_connection::testing::{TestDatabase, limit_account, settings};
use serde_json::{Value, json};

use crate::SCHEMA;

/// The transcriptions 1 to [`ROWS`].
const TRANSCRIPTIONS: &str = "INSERT INTO transcriptions VALUES
    (1, '0b6c1f0e-6a3f-4d8e-9c55-2b1f6d7a8e90', 'Zoë', 'en-GB', '2024-11-22 15:22:26.123', 12.345, 0.9876,
        'It\\'s \"50 %\"; -- he said', 'Ordered'),
    (2, '2f9d7c3a-1b5e-4f60-8a7d-c0e1f2a3b4c5', '山田', 'ja', '1999-12-31 23:59:59.999', 0.000, 0.0000,
        'もしもし 👩‍👩‍👧 𝄞', NULL),
    (3, 'ffffffff-ffff-4fff-bfff-ffffffffffff', '', 'x', '2024-02-29 00:00:00.000', 99999.999, 1.0000, '', '')";

/// How many transcriptions there are.
pub const ROWS: u64 = 3;

/// A database with the transcriptions 1 to [`ROWS`].
///
/// # Errors
///
/// When the server cannot be started.
pub async fn database(options: Options) -> Result<TestDatabase, Error> {
    let database = TestDatabase::start(options).await?;
    fill(&database.server).await?;
    Ok(database)
}

/// Makes the table, with the transcriptions 1 to [`ROWS`].
///
/// # Errors
///
/// When the server does not run.
pub async fn fill(server: &MariaDb) -> Result<(), Error> {
    let mut administration = server.administration().await?;
    for statement in [
        SCHEMA,
        // The rows are to be there after a crash.
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        TRANSCRIPTIONS,
    ] {
        administration.connection().query_drop(statement).await?;
    }
    Ok(())
}

/// Makes each query for a transcription take this long, in seconds, by the table being a view.
///
/// # Errors
///
/// When the server does not run.
pub async fn slow_down(server: &MariaDb, seconds: f64) -> Result<(), Error> {
    let mut administration = server.administration().await?;
    let view =
        format!("CREATE VIEW transcriptions AS SELECT * FROM fast WHERE SLEEP({seconds}) = 0");
    for statement in ["RENAME TABLE transcriptions TO fast", &view] {
        administration.connection().query_drop(statement).await?;
    }
    Ok(())
}

/// The second transcription, as a caller sees it.
#[must_use]
pub fn second() -> Value {
    json!({
        "id": 2,
        "call_id": "2f9d7c3a-1b5e-4f60-8a7d-c0e1f2a3b4c5",
        "agent": "山田",
        "language": "ja",
        "started_at": "1999-12-31T23:59:59.999Z",
        "duration": 0.0,
        "confidence": 0.0,
        "text": "もしもし 👩‍👩‍👧 𝄞",
        "summary": null,
    })
}

/// Fails unless this is the answer to the recorded event in this file of one of the functions.
///
/// # Panics
///
/// If it is not.
pub fn assert_answer(file: &str, answer: &Value) {
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{file}: {answer}"));
    let (kind, _) = file.split_once('-').unwrap_or_default();
    let status = match kind {
        "bad" => 400,
        "unknown" => 404,
        "delete" | "head" | "post" => 405,
        _ => 200,
    };
    assert_eq!(answer["statusCode"], status, "{file}: {answer}");
    assert_eq!(header(answer, "cache-control"), Some("no-store"), "{file}");
    let content = match status {
        200 => "application/json",
        _ => "application/problem+json",
    };
    assert_eq!(header(answer, "content-type"), Some(content), "{file}");
    match (status, kind) {
        (200, "random") => {
            let id = body["id"].as_u64();
            assert!(id.is_some_and(|id| (1..=ROWS).contains(&id)), "{file}");
        }
        (200, _) => assert_eq!(body, second(), "{file}"),
        _ => assert_eq!(body["status"], status, "{file}"),
    }
}

/// Feeds a function's recorded events to its handler and fails unless they are answered as they should be.
///
/// # Panics
///
/// If one is not.
pub async fn assert_recorded_events_are_answered<H, F>(function: &str, handler: H)
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let answers = answers(function, handler).await;
    let answers = answers.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        answers.len() >= 20,
        "{function} has {} events",
        answers.len()
    );
    for (file, answer) in answers {
        assert_answer(&file, &answer);
    }
}
