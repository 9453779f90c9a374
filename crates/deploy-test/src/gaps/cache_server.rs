//! A cache cluster is a description without a server.

use anyhow::Context as _;
use backends::memcached::Memcached;
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Gap;
use crate::{
    account::{Account, ELASTICACHE, FUNCTIONS, members},
    deployed::Deployed,
};

pub(super) const GAP: Gap = Gap {
    lacks: "a cache cluster has no server",
    instead: "functions are led to a memcached through Lambda's own API",
};

/// The variable that leads to it.
pub(crate) const ADDRESS: &str = "CACHE_ADDRESS";

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let template = json!({
        "Resources": { "Gap": {
            "Type": "AWS::ElastiCache::CacheCluster",
            "Properties": { "Engine": "memcached", "CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1 },
        } },
        "Outputs": {
            "Host": { "Value": { "Fn::GetAtt": ["Gap", "ConfigurationEndpoint.Address"] } },
            "Port": { "Value": { "Fn::GetAtt": ["Gap", "ConfigurationEndpoint.Port"] } },
        },
    });
    let outputs = account.ministack().deploy("gap-cache", &template).await?;
    let address = format!("{}:{}", outputs["Host"], outputs["Port"]);
    Ok(TcpStream::connect(address).await.is_err())
}

/// Where the clusters of the account would be.
pub(crate) async fn endpoints(account: &Account) -> anyhow::Result<Vec<String>> {
    let clusters = account
        .query(
            ELASTICACHE,
            "DescribeCacheClusters",
            &[("ShowCacheNodeInfo", "true")],
        )
        .await?;
    let endpoints = members(&clusters, ["Address", "Port"])?;
    Ok(endpoints
        .into_iter()
        .map(|[host, port]| format!("{host}:{port}"))
        .collect())
}

/// Leads each function that asks a cache to a memcached, which lives as long as what is given back.
pub(crate) async fn lead_to_memcached(
    account: &Account,
    deployed: &Deployed,
) -> anyhow::Result<Option<Memcached>> {
    let mut cache = None;
    for function in &deployed.functions {
        let path = format!("{FUNCTIONS}/{}/configuration", function.physical_id);
        // As they are now: those of the database have been changed.
        let configuration: Value = account.get(&path).await?;
        let mut variables = configuration["Environment"]["Variables"].clone();
        if variables.get(ADDRESS).is_none() {
            continue;
        }
        if cache.is_none() {
            cache = Some(Memcached::start().await?);
        }
        variables[ADDRESS] = cache.as_ref().context("it was started")?.address().into();
        let changed = json!({ "Environment": { "Variables": variables } });
        account.rest(Method::PUT, &path, Some(changed)).await?;
    }
    Ok(cache)
}
