//! A database cluster is a description without a server, and so nobody asks a function for its token.

use anyhow::{Context as _, ensure};
use backends::mariadb::{MariaDb, Options};
use backends::ministack::{ACCOUNT_ID, REGION};
use http::Method;
use serde_json::{Value, json};

use super::Gap;
use crate::{
    account::{Account, FUNCTIONS, RDS, texts},
    checks::roles::{CONNECT, Policies, role_of},
    deployed::{Deployed, DeployedFunction},
    log::say,
};

pub(super) const GAP: Gap = Gap {
    lacks: "a database cluster has no server",
    instead: "functions are led to a MariaDB through Lambda's own API, and whether they may log in is looked at",
};

/// The recorded events ask for the second.
const ROWS: u64 = 3;

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let template = json!({
        "Resources": { "Gap": {
            "Type": "AWS::RDS::DBCluster",
            "Properties": { "Engine": "aurora-mysql", "MasterUsername": "a", "MasterUserPassword": "b" },
        } },
        "Outputs": { "Host": { "Value": { "Fn::GetAtt": ["Gap", "Endpoint.Address"] } } },
    });
    let outputs = account.ministack().deploy("gap-cluster", &template).await?;
    Ok(outputs["Host"].ends_with(".rds.amazonaws.com"))
}

/// Where the clusters of the account would be.
pub(crate) async fn endpoints(account: &Account) -> anyhow::Result<Vec<String>> {
    texts(
        &account.query(RDS, "DescribeDBClusters", &[]).await?,
        "Endpoint",
    )
}

/// Each function that logs in to a database by IAM may do so, as the one user that it is.
pub(crate) async fn may_be_used(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for function in readers(deployed) {
        let id = &function.logical_id;
        let user = variables(function)["DATABASE_USER"]
            .as_str()
            .with_context(|| format!("{id} has a user of the database"))?;
        let role = role_of(&function.configuration)?;
        let resources = Policies::of(account, role).await?.resources(CONNECT);
        let [resource] = &resources[..] else {
            anyhow::bail!("{id} may log in to {resources:?}, not to one database as one user");
        };
        let database = resource
            .strip_prefix(&format!("arn:aws:rds-db:{REGION}:{ACCOUNT_ID}:dbuser:"))
            .and_then(|rest| rest.strip_suffix(&format!("/{user}")));
        ensure!(
            database.is_some_and(|id| !id.is_empty() && !id.contains(['/', '*'])),
            "{id} is {user}, and may log in as {resource}"
        );
        say!("{id} may log in as {resource}");
    }
    Ok(())
}

/// Leads each function that reads a database to a MariaDB, which lives as long as what is given back.
pub(crate) async fn lead_to_mariadb(
    account: &Account,
    deployed: &Deployed,
) -> anyhow::Result<Option<MariaDb>> {
    if readers(deployed).next().is_none() {
        return Ok(None);
    }
    let server = MariaDb::start(Options::default()).await?;
    let mut administration = server.administration().await?;
    rds_access::seed::fill(administration.connection(), ROWS, |_| {}).await?;
    readings::seed::fill(administration.connection(), ROWS, 1, |_| {}).await?;
    for function in readers(deployed) {
        let mut variables = variables(function).clone();
        variables["DATABASE_HOST"] = server.address().into();
        variables["DATABASE_NAME"] = server.database().into();
        variables["DATABASE_USER"] = server.user().into();
        variables["DATABASE_PASSWORD"] = server.password().into();
        let path = format!("{FUNCTIONS}/{}/configuration", function.physical_id);
        let changed = json!({ "Environment": { "Variables": variables } });
        account.rest(Method::PUT, &path, Some(changed)).await?;
    }
    Ok(Some(server))
}

fn readers(deployed: &Deployed) -> impl Iterator<Item = &DeployedFunction> {
    let functions = deployed.functions.iter();
    functions.filter(|function| variables(function).get("DATABASE_HOST").is_some())
}

fn variables(function: &DeployedFunction) -> &Value {
    &function.configuration["Environment"]["Variables"]
}
