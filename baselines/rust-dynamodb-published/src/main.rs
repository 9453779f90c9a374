//! The hit counter on DynamoDB as it is published: read, add one, write, with the SDK as it comes.
//!
//! Two hits at the same time read the same count, and one of them is lost. See `functions/counter-dynamodb` for one that counts
//! exactly.

use std::env;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    // With the default features, `load_from_env` does the same with aws-lc.
    let https = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(https);
    let config = config.load().await;
    let client = Client::new(&config);
    let table = env::var("TABLE_NAME")?;
    run(service_fn(|event| handle(&client, &table, event))).await
}

async fn handle(client: &Client, table: &str, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let method = event.payload["requestContext"]["http"]["method"].as_str();
    if method.ok_or("not an event of an HTTP API")? != "GET" {
        return Ok(json!({ "statusCode": 405, "headers": { "Allow": "GET" } }));
    }
    let hits = hit(client, table).await?;
    Ok(json!({
        "statusCode": 200,
        "headers": { "Content-Type": "text/plain", "Cache-Control": "no-store" },
        "body": hits.to_string(),
    }))
}

/// Counts a hit. An item that is not there is none so far.
async fn hit(client: &Client, table: &str) -> Result<u64, Error> {
    // counter-dynamodb has item 0, the other baselines theirs.
    let id = AttributeValue::N("4".into());
    let item = client.get_item().table_name(table).key("id", id.clone());
    let hits = match item.send().await?.item {
        Some(item) => {
            let hits = item.get("hits").ok_or("the item has no hits")?;
            hits.as_n().map_err(|_| "hits is no number")?.parse()?
        }
        None => 0,
    };
    let hits: u64 = hits + 1;
    client
        .update_item()
        .table_name(table)
        .key("id", id)
        .update_expression("SET hits = :hits")
        .expression_attribute_values(":hits", AttributeValue::N(hits.to_string()))
        .send()
        .await?;
    Ok(hits)
}
