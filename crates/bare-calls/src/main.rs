//! The calls to a backend that a function can't do without, without the function around them: what `make bench` measures the
//! functions against. Built as they are, with the same clients and settings.
//!
//! `bare-calls CALL` makes as many calls as a line on its standard input says, one every so many microseconds as the line
//! says then, and answers with a line of their latencies in nanoseconds.

mod drain;

use std::{
    error::Error,
    io::{Write, stdin, stdout},
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_s3::primitives::ByteStream;
use function_kit::{aws, environment::variable};
use mysql_async::{Row, prelude::Queryable};
use rds_connection::ConnectionSettings;
use tokio::time::{MissedTickBehavior, interval};

type Outcome = Result<(), Box<dyn Error>>;

const QUERY: &str = "SELECT * FROM transcriptions WHERE id = 1";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    match std::env::args().nth(1).as_deref() {
        Some("update-item") => update_item().await,
        Some("put-object") => put_object().await,
        Some("query") => query().await,
        Some("connect-query-disconnect") => connect_query_disconnect().await,
        Some("receive-transact-delete") => drain::receive_transact_delete().await,
        _ => Err("usage: bare-calls update-item|put-object|query|connect-query-disconnect|receive-transact-delete".into()),
    }
}

async fn update_item() -> Outcome {
    let client = aws_sdk_dynamodb::Client::new(&aws::config()?);
    let table = variable("TABLE_NAME")?;
    repeat(async || {
        client
            .update_item()
            .table_name(&table)
            .key("id", AttributeValue::N("0".into()))
            .update_expression("ADD hits :one")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await?;
        Ok(())
    })
    .await
}

async fn put_object() -> Outcome {
    let config = aws::config()?;
    let path_style = config.endpoint_url().is_some();
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let bucket = variable("BUCKET_NAME")?;
    repeat(async || {
        client
            .put_object()
            .bucket(&bucket)
            .key("bare")
            .content_type("text/plain")
            .body(ByteStream::from_static(b"1"))
            .send()
            .await?;
        Ok(())
    })
    .await
}

async fn query() -> Outcome {
    let mut connection = ConnectionSettings::from_environment()?.connect().await?;
    repeat(async || {
        let _: Option<Row> = connection.query_first(QUERY).await?;
        Ok(())
    })
    .await
}

async fn connect_query_disconnect() -> Outcome {
    let settings = ConnectionSettings::from_environment()?;
    repeat(async || {
        let mut connection = settings.connect().await?;
        let _: Option<Row> = connection.query_first(QUERY).await?;
        connection.disconnect().await?;
        Ok(())
    })
    .await
}

/// Calls as the lines on the standard input say.
async fn repeat(mut call: impl AsyncFnMut() -> Outcome) -> Outcome {
    for line in stdin().lines() {
        let line = line?;
        let (calls, spacing) = line
            .split_once(' ')
            .ok_or("calls and spacing are missing")?;
        let mut ticks = interval(Duration::from_micros(spacing.trim().parse()?));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..calls.parse()? {
            ticks.tick().await;
            let since = Instant::now();
            call().await?;
            write!(stdout(), "{} ", since.elapsed().as_nanos())?;
        }
        writeln!(stdout())?;
    }
    Ok(())
}
