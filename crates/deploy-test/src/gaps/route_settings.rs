//! A stage's route settings are kept as CloudFormation got them, not with the API's names and types.

use serde_json::{Value, json};

use super::{Gap, made};
use crate::account::{APIS, Account};

pub(super) const GAP: Gap = Gap {
    lacks: "a stage's route settings have the template's names, and parameters stay texts",
    instead: "the limits are read as such",
};

pub(super) async fn is_there(account: &Account) -> anyhow::Result<bool> {
    let properties = json!({ "Name": "gap", "ProtocolType": "HTTP" });
    let api = made(account, "gap-api", "AWS::ApiGatewayV2::Api", properties).await?;
    let properties = json!({
        "ApiId": api,
        "StageName": "gap",
        "DefaultRouteSettings": { "ThrottlingRateLimit": "7" },
    });
    let stage = made(account, "gap-stage", "AWS::ApiGatewayV2::Stage", properties).await?;
    let stage = account.get(&format!("{APIS}/{api}/stages/{stage}")).await?;
    Ok(stage["defaultRouteSettings"]["throttlingRateLimit"] != 7)
}

/// The setting that API Gateway calls `throttlingRateLimit`, and so on.
pub(crate) fn limit(settings: &Value, name: &str) -> Option<f64> {
    let (first, rest) = name.split_at_checked(1)?;
    let name = format!("{}{rest}", first.to_ascii_uppercase());
    settings[name].as_str()?.parse().ok()
}
