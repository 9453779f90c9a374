//! What is needed to watch the stack is there: logs that end, access logs, limits, a dashboard with every function.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{
    account::{APIS, Account, CLOUDWATCH, LOGS, texts},
    deployed::{Deployed, STACK},
    gaps::route_settings,
    log::say,
};

pub(crate) async fn check(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    log_groups(account, deployed).await?;
    stages(account, deployed).await?;
    dashboard(account, deployed).await
}

/// Every log group forgets, and every function logs to one of the stack's: one that Lambda makes itself never forgets, and
/// stays when the stack goes.
async fn log_groups(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    let groups = account.json(LOGS, "DescribeLogGroups", json!({})).await?;
    let groups = groups["logGroups"].as_array().cloned().unwrap_or_default();
    for group in &groups {
        let name = &group["logGroupName"];
        ensure!(
            group["retentionInDays"].is_u64(),
            "log group {name} keeps its events for ever"
        );
        ensure!(
            deployed
                .of_kind("AWS::Logs::LogGroup")
                .any(|known| *name == known.physical_id.as_str()),
            "log group {name} is not the stack's"
        );
    }
    for function in &deployed.functions {
        let name = &function.configuration["LoggingConfig"]["LogGroup"];
        ensure!(
            groups.iter().any(|group| group["logGroupName"] == *name),
            "{} logs to {name}, which the stack does not make",
            function.logical_id
        );
    }
    say!("{} log groups, each with a retention", groups.len());
    Ok(())
}

async fn stages(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for stage in deployed.of_kind("AWS::ApiGatewayV2::Stage") {
        let properties = deployed.properties(&stage.logical_id);
        let api = properties["ApiId"]["Ref"]
            .as_str()
            .with_context(|| format!("{} belongs to an API", stage.logical_id))?;
        let path = format!("{APIS}/{}/stages", deployed.physical_id(api)?);
        let stages = account.get(&path).await?;
        let found = stages["items"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|found| found["stageName"] == stage.physical_id.as_str())
            .with_context(|| format!("{api} has no stage {}", stage.physical_id))?;
        let access_logs = &found["accessLogSettings"];
        ensure!(
            access_logs["destinationArn"].is_string() && access_logs["format"].is_string(),
            "the stage of {api} writes no access logs: {found}"
        );
        for limit in ["throttlingRateLimit", "throttlingBurstLimit"] {
            let value = route_settings::limit(&found["defaultRouteSettings"], limit);
            ensure!(
                value.is_some_and(|value| value > 0.0),
                "the stage of {api} has no {limit}: {found}"
            );
        }
        say!("the stage of {api} logs accesses and has limits");
    }
    Ok(())
}

/// Every function is in a dashboard.
async fn dashboard(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    let mut bodies = String::new();
    for dashboard in deployed.of_kind("AWS::CloudWatch::Dashboard") {
        let parameters = [("DashboardName", dashboard.physical_id.as_str())];
        let answer = account
            .query(CLOUDWATCH, "GetDashboard", &parameters)
            .await?;
        let body = texts(&answer, "DashboardBody")?.concat();
        serde_json::from_str::<Value>(&body)
            .with_context(|| format!("{} is no JSON", dashboard.logical_id))?;
        bodies.push_str(&body);
    }
    // A search matches the words of a name, and those of the stack's name are how CloudFormation begins each.
    ensure!(
        bodies.contains(&format!("FunctionName={STACK}'")),
        "no dashboard searches for the functions of {STACK}"
    );
    for function in &deployed.functions {
        ensure!(
            function.physical_id.starts_with(&format!("{STACK}-")),
            "{} is called {}, which the dashboard does not find",
            function.logical_id,
            function.physical_id
        );
    }
    say!(
        "each of {} functions is in the dashboard",
        deployed.functions.len()
    );
    Ok(())
}
