//! What virtual machines do when they start: the emulator has none, so their script is looked at, and what it fetches.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use backends::ministack::{ACCOUNT_ID, REGION};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use tokio::process::Command;

use super::roles::{CONNECT, Policies};
use crate::{
    account::{Account, EC2, LAYERS, texts},
    deployed::Deployed,
    log::say,
};

/// What is run there.
const PROGRAM: &str = "readings-server";

pub(crate) async fn check(account: &Account, deployed: &Deployed) -> anyhow::Result<()> {
    for template in deployed.of_kind("AWS::EC2::LaunchTemplate") {
        let id = &template.logical_id;
        let parameters = [("LaunchTemplateId", template.physical_id.as_str())];
        let versions = account
            .query(EC2, "DescribeLaunchTemplateVersions", &parameters)
            .await?;
        let script = texts(&versions, "userData")?.pop();
        let script = script.with_context(|| format!("{id} has no user data"))?;
        let script = String::from_utf8(BASE64_STANDARD.decode(script.trim())?)?;
        understood_by_bash(&script).await?;
        ensure!(!script.contains("${"), "{id}: not filled in: {script}");

        let layers: Vec<&str> = script
            .split_ascii_whitespace()
            .map(|word| word.trim_end_matches(';'))
            .filter(|word| word.starts_with("arn:aws:lambda:"))
            .collect();
        let mut has_program = false;
        for layer in &layers {
            has_program |= contents(account, layer).await?.contains(PROGRAM);
        }
        ensure!(has_program, "{id}: {PROGRAM} is in none of {layers:?}");

        for role in roles(deployed, id)? {
            let policies = Policies::of(account, deployed.physical_id(role)?).await?;
            for layer in &layers {
                ensure!(
                    policies.allow("lambda:GetLayerVersion", layer),
                    "{role}: {id} fetches {layer}, and may not"
                );
            }
            let user = script
                .lines()
                .find_map(|line| line.strip_prefix("Environment=DATABASE_USER="))
                .with_context(|| format!("{id} has no user of the database"))?;
            let logins = policies.resources(CONNECT);
            let prefix = format!("arn:aws:rds-db:{REGION}:{ACCOUNT_ID}:dbuser:");
            ensure!(
                matches!(&logins[..], [one] if one.starts_with(&prefix) && one.ends_with(&format!("/{user}"))),
                "{id} is {user}, and may log in as {logins:?}"
            );
            say!("{id} fetches {PROGRAM} and logs in as {user}");
        }
    }
    Ok(())
}

/// The roles of its instances.
fn roles<'a>(deployed: &'a Deployed, template: &str) -> anyhow::Result<Vec<&'a str>> {
    let data = &deployed.properties(template)["LaunchTemplateData"];
    let profile = data["IamInstanceProfile"]["Arn"]["Fn::GetAtt"][0].as_str();
    let profile = profile.with_context(|| format!("{template} has an instance profile"))?;
    let roles = deployed.properties(profile)["Roles"].as_array();
    let roles = roles.into_iter().flatten();
    Ok(roles.filter_map(|role| role["Ref"].as_str()).collect())
}

/// The package of a layer as it is, in which the names of its files stand.
async fn contents(account: &Account, layer: &str) -> anyhow::Result<String> {
    let mut parts = layer.rsplit(':');
    let (version, name) = parts.next().zip(parts.next()).context("a layer's ARN")?;
    let version: Value = account
        .get(&format!("{LAYERS}/{name}/versions/{version}"))
        .await?;
    let location = version["Content"]["Location"].as_str();
    let location = location.with_context(|| format!("{layer} has no location"))?;
    account.download(location).await
}

async fn understood_by_bash(script: &str) -> anyhow::Result<()> {
    ensure!(script.starts_with("#!/bin/bash"), "no script: {script}");
    let output = Command::new("bash")
        .args(["-n", "-c", script])
        .stdin(Stdio::null())
        .output()
        .await?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "bash: {complaint}\n{script}");
    Ok(())
}
