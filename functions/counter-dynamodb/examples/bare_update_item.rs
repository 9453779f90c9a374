//! The counter's one call without the function around it: what `make bench` measures the function against.
//!
//! Makes as many calls as a line on the standard input says and answers with a line of their latencies in nanoseconds.

use std::{
    error::Error,
    io::{Write, stdin, stdout},
    time::Instant,
};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValue},
};
use function_kit::{aws, environment::variable};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(&aws::config()?);
    let table = variable("TABLE_NAME")?;
    for line in stdin().lines() {
        for _ in 0..line?.trim().parse()? {
            let since = Instant::now();
            client
                .update_item()
                .table_name(&table)
                .key("id", AttributeValue::N("0".into()))
                .update_expression("ADD hits :one")
                .expression_attribute_values(":one", AttributeValue::N("1".into()))
                .return_values(ReturnValue::UpdatedNew)
                .send()
                .await?;
            write!(stdout(), "{} ", since.elapsed().as_nanos())?;
        }
        writeln!(stdout())?;
    }
    Ok(())
}
