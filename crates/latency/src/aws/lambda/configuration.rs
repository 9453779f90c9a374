//! A function's memory size, and its versions, each of which has one for good.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Aws, Error, LAMBDA, UNRESERVED, path};

/// Lambda answers these in a fraction of it. Whoever waits for an answer longer than that may as well ask again.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How a function or one of its versions is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Configuration {
    /// `$LATEST`, or the number of a version.
    version: String,
    /// The memory size in MB.
    #[serde(rename = "MemorySize")]
    pub memory_mb: u32,
    /// Every change gives it another one.
    pub revision_id: String,
    /// The hash of the code.
    pub code_sha256: String,
    /// What was said about it when it was published.
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    state_reason: Option<String>,
    #[serde(default)]
    last_update_status: Option<String>,
    #[serde(default)]
    last_update_status_reason: Option<String>,
}

/// How far Lambda is with something that takes its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is done.
    Done,
    /// Not yet.
    InProgress,
    /// It came to nothing, for this reason.
    Failed(String),
}

impl Configuration {
    /// The number of the version, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.version.parse().ok()
    }

    /// How far the last update is: `LastUpdateStatus`.
    #[must_use]
    pub fn update(&self) -> Phase {
        let reason = &self.last_update_status_reason;
        match self.last_update_status.as_deref() {
            None | Some("Successful") => Phase::Done,
            Some("InProgress") => Phase::InProgress,
            Some(status) => Phase::Failed(reason.as_deref().unwrap_or(status).to_owned()),
        }
    }

    /// How far it is with getting ready to be invoked: `State`.
    #[must_use]
    pub fn activation(&self) -> Phase {
        match self.state.as_deref() {
            // One that nobody has invoked for long is awakened by an invocation.
            None | Some("Active" | "Inactive") => Phase::Done,
            Some("Pending") => Phase::InProgress,
            Some(state) => Phase::Failed(self.state_reason.as_deref().unwrap_or(state).to_owned()),
        }
    }
}

/// A page of versions.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    versions: Vec<Configuration>,
    next_marker: Option<String>,
}

impl Aws {
    /// How a function is configured (`GetFunctionConfiguration`): `$LATEST`, or a version of it.
    ///
    /// # Errors
    /// Lambda does not say it.
    pub async fn configuration(
        &self,
        function: &str,
        version: Option<u64>,
    ) -> Result<Configuration, Error> {
        let qualifier = version.map(|version| format!("?Qualifier={version}"));
        let path = format!(
            "{}/configuration{}",
            path(function),
            qualifier.unwrap_or_default()
        );
        parsed(self.ask(Method::GET, &path, None).await?)
    }

    /// Gives `$LATEST` another memory size (`UpdateFunctionConfiguration`), if its revision still is this one. It is not in
    /// force yet: see [`Configuration::update`].
    ///
    /// # Errors
    /// Lambda refuses: with `PreconditionFailedException` if the revision is another one.
    pub async fn set_memory_size(
        &self,
        function: &str,
        memory_mb: u32,
        revision_id: &str,
    ) -> Result<(), Error> {
        let path = format!("{}/configuration", path(function));
        let body = json!({ "MemorySize": memory_mb, "RevisionId": revision_id });
        self.ask(Method::PUT, &path, Some(body)).await.map(drop)
    }

    /// Makes a version of what `$LATEST` is (`PublishVersion`), if its revision still is this one. The version may not be
    /// ready yet: see [`Configuration::activation`].
    ///
    /// When nothing has changed since the last version, Lambda makes none and answers with that one.
    ///
    /// # Errors
    /// Lambda refuses: with `PreconditionFailedException` if the revision is another one.
    pub async fn publish_version(
        &self,
        function: &str,
        revision_id: &str,
        description: &str,
    ) -> Result<Configuration, Error> {
        let path = format!("{}/versions", path(function));
        let body = json!({ "RevisionId": revision_id, "Description": description });
        parsed(self.ask(Method::POST, &path, Some(body)).await?)
    }

    /// The function's versions, `$LATEST` among them (`ListVersionsByFunction`).
    ///
    /// # Errors
    /// Lambda does not say it.
    pub async fn versions(&self, function: &str) -> Result<Vec<Configuration>, Error> {
        let all = format!("{}/versions", path(function));
        let mut versions = Vec::new();
        let mut page = all.clone();
        loop {
            let answer: Versions = parsed(self.ask(Method::GET, &page, None).await?)?;
            versions.extend(answer.versions);
            match answer.next_marker.filter(|marker| !marker.is_empty()) {
                Some(marker) => {
                    let marker = utf8_percent_encode(&marker, UNRESERVED);
                    page = format!("{all}?Marker={marker}");
                }
                None => return Ok(versions),
            }
        }
    }

    /// Deletes a version. It takes a number, because without one Lambda would delete the function.
    ///
    /// # Errors
    /// Lambda refuses: with `ResourceNotFoundException` if there is no such version.
    pub async fn delete_version(&self, function: &str, version: u64) -> Result<(), Error> {
        let path = format!("{}?Qualifier={version}", path(function));
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// What Lambda answers in time, unless it refuses.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response<Bytes>, Error> {
        let request = Request::builder()
            .method(method)
            .header("content-type", "application/json");
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = self.send(&LAMBDA, path, request, body.unwrap_or_default());
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(answer) => LAMBDA.accepted(answer?),
            Err(_) => Err(Error::Unreachable {
                endpoint: self.endpoint(&LAMBDA),
                cause: format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
            }),
        }
    }
}

fn parsed<T: DeserializeOwned>(answer: Response<Bytes>) -> Result<T, Error> {
    serde_json::from_slice(answer.body()).map_err(|error| LAMBDA.not_understood(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(more: Value) -> Configuration {
        let mut all = json!({
            "FunctionName": "counter",
            "Version": "$LATEST",
            "MemorySize": 128,
            "RevisionId": "r1",
            "CodeSha256": "hash",
        });
        let fields = all.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn only_a_number_is_a_version() {
        assert_eq!(configuration(json!({})).number(), None);
        assert_eq!(configuration(json!({ "Version": "7" })).number(), Some(7));
    }

    #[test]
    fn an_update_is_done_in_progress_or_failed() {
        let phase = |more| configuration(more).update();
        assert_eq!(phase(json!({})), Phase::Done);
        assert_eq!(
            phase(json!({ "LastUpdateStatus": "Successful" })),
            Phase::Done
        );
        assert_eq!(
            phase(json!({ "LastUpdateStatus": "InProgress" })),
            Phase::InProgress
        );
        let failed = json!({ "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no subnet" });
        assert_eq!(phase(failed), Phase::Failed("no subnet".to_owned()));
    }

    #[test]
    fn a_version_is_ready_pending_or_failed() {
        let phase = |more| configuration(more).activation();
        assert_eq!(phase(json!({ "State": "Active" })), Phase::Done);
        assert_eq!(phase(json!({ "State": "Pending" })), Phase::InProgress);
        let failed = json!({ "State": "Failed" });
        assert_eq!(phase(failed), Phase::Failed("Failed".to_owned()));
    }
}
