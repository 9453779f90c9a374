//! What the emulator lacks of what AWS has and the template needs: one room a gap, with what is done instead.

pub(crate) mod cache_server;
pub(crate) mod database_proxy;
pub(crate) mod database_server;
pub(crate) mod definition;
pub(crate) mod full_bucket;
pub(crate) mod maximum_concurrency;
pub(crate) mod route_settings;
pub(crate) mod service_integrations;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::{account::Account, log::say};

/// A gap, in words.
struct Gap {
    lacks: &'static str,
    instead: &'static str,
}

/// Fails if a gap is closed: then what is done instead has to go.
pub(crate) async fn still_there(account: &Account) -> anyhow::Result<()> {
    for (gap, is_there) in [
        (definition::GAP, definition::is_there(account).await?),
        (
            service_integrations::GAP,
            service_integrations::is_there(account).await?,
        ),
        (
            route_settings::GAP,
            route_settings::is_there(account).await?,
        ),
        (
            maximum_concurrency::GAP,
            maximum_concurrency::is_there(account).await?,
        ),
        (full_bucket::GAP, full_bucket::is_there(account).await?),
        (
            database_proxy::GAP,
            database_proxy::is_there(account).await?,
        ),
        (
            database_server::GAP,
            database_server::is_there(account).await?,
        ),
        (cache_server::GAP, cache_server::is_there(account).await?),
    ] {
        let Gap { lacks, instead } = gap;
        if !is_there {
            bail!("no longer true: {lacks}. Take out of the deploy test: {instead}");
        }
        say!("{lacks}: {instead}");
    }
    Ok(())
}

/// Makes a stack of one resource to try something on: the resource's physical id.
async fn made(
    account: &Account,
    stack: &str,
    kind: &str,
    properties: Value,
) -> anyhow::Result<String> {
    let template = json!({
        "Resources": { "Gap": { "Type": kind, "Properties": properties } },
        "Outputs": { "Id": { "Value": { "Ref": "Gap" } } },
    });
    let mut outputs = account.ministack().deploy(stack, &template).await?;
    outputs.remove("Id").context("the stack has an output")
}
