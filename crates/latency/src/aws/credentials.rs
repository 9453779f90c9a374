//! Credentials, Region and endpoints: from the variables that every AWS tool knows, or from the AWS CLI, which knows profiles,
//! single sign-on, roles and whatever else there is. Nothing of that is repeated here.

use std::{
    env,
    process::Stdio,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_smithy_types::date_time::{DateTime, Format};
use serde::Deserialize;
use tokio::process::Command;

use super::{Error, one_line};

/// Credentials that end sooner are asked for again.
const LEFT: Duration = Duration::from_secs(60);

/// What `aws configure export-credentials --format process` prints (AWS CLI reference, "export-credentials").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

/// The Region that the variables or the AWS CLI name.
pub(super) async fn region() -> Result<String, Error> {
    if let Some(region) = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")) {
        return Ok(region);
    }
    let printed = aws(&["configure", "get", "region"]).await;
    printed
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|region| !region.is_empty())
        .ok_or(Error::NoRegion)
}

/// The credentials that the variables hold or the AWS CLI gives.
pub(super) async fn credentials() -> Result<Credentials, Error> {
    if let (Some(id), Some(secret)) = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    ) {
        let token = variable("AWS_SESSION_TOKEN");
        return Ok(Credentials::new(id, secret, token, None, "environment"));
    }
    let printed = aws(&["configure", "export-credentials", "--format", "process"]).await?;
    let exported: Exported = serde_json::from_str(&printed).map_err(|error| {
        Error::NoCredentials(format!("the AWS CLI printed no credentials: {error}"))
    })?;
    let expiration = exported
        .expiration
        .and_then(|text| DateTime::from_str(&text, Format::DateTimeWithOffset).ok())
        .and_then(|time| SystemTime::try_from(time).ok());
    Ok(Credentials::new(
        exported.access_key_id,
        exported.secret_access_key,
        exported.session_token,
        expiration,
        "aws configure export-credentials",
    ))
}

/// Whether credentials will do for a request that is made now.
pub(super) fn are_valid(credentials: &Credentials) -> bool {
    credentials
        .expiry()
        .is_none_or(|end| end > SystemTime::now() + LEFT)
}

/// The endpoint that is configured for the service of this id, such as `RDS Data`, or for all.
pub(super) fn endpoint(service: &str) -> Option<String> {
    let name = service.to_uppercase().replace(' ', "_");
    variable(&format!("AWS_ENDPOINT_URL_{name}")).or_else(|| variable("AWS_ENDPOINT_URL"))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

async fn aws(arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new("aws")
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(Error::NoCredentials(format!(
            "the AWS CLI says: {}",
            one_line(&String::from_utf8_lossy(&output.stderr))
        ))),
        Err(_) => Err(Error::NoCredentials(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install the AWS CLI, which is asked for them"
                .to_owned(),
        )),
    }
}
