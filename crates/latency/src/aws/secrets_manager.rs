//! What Secrets Manager is asked: a secret.

use http::{Method, Request};
use serde::Deserialize;
use serde_json::json;

use super::{Aws, Error, Service};

const SECRETS_MANAGER: Service = Service {
    name: "Secrets Manager",
    id: "Secrets Manager",
    prefix: "secretsmanager",
};

/// How somebody logs in to a database. It is never shown.
#[derive(Deserialize)]
pub struct Login {
    /// Who it is.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Aws {
    /// The login that is kept in the secret with this ARN.
    ///
    /// # Errors
    /// Secrets Manager refuses: there is no such secret, or no permission to read it.
    pub async fn login(&self, secret_arn: &str) -> Result<Login, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.GetSecretValue");
        let body = json!({ "SecretId": secret_arn }).to_string();
        let answer = self.send(&SECRETS_MANAGER, "/", request, body.into_bytes());
        let answer = SECRETS_MANAGER.json(answer.await?)?;
        let secret = answer["SecretString"].as_str().unwrap_or_default();
        // The error would have parts of the secret in it.
        serde_json::from_str(secret).map_err(|_| {
            SECRETS_MANAGER.not_understood("the secret is no username with its password")
        })
    }
}
