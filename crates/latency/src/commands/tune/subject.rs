//! The function that is tuned.

use std::time::Duration;

use anyhow::bail;

use super::patience::{Patience, is_busy};
use crate::aws::{Aws, Configuration, Phase};

/// How long an update or a new version may take. Lambda needs seconds, in a VPC a minute or two.
pub(super) const WITHIN: Duration = Duration::from_secs(300);

/// A function as it is called here, and in Lambda.
pub(super) struct Subject<'a> {
    pub(super) aws: &'a Aws,
    pub(super) name: &'a str,
    pub(super) function: &'a str,
}

impl Subject<'_> {
    /// The configuration of `$LATEST`, or of a version, once this phase of it is done.
    pub(super) async fn once(
        &self,
        version: Option<u64>,
        phase: impl Fn(&Configuration) -> Phase,
    ) -> anyhow::Result<Configuration> {
        let mut patience = Patience::new(WITHIN);
        let of_version = match version {
            Some(number) => format!(", version {number}"),
            None => String::new(),
        };
        loop {
            let why_not = match self.aws.configuration(self.function, version).await {
                Ok(configuration) => match phase(&configuration) {
                    Phase::Done => return Ok(configuration),
                    Phase::InProgress => "it is still in progress".to_owned(),
                    Phase::Failed(reason) => {
                        bail!("function {}{of_version}: {reason}", self.name)
                    }
                },
                Err(error) if is_busy(&error) => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            if !patience.wait().await {
                let limit = WITHIN.as_secs();
                bail!(
                    "function {}{of_version}: given up after {limit} s: {why_not}",
                    self.name
                );
            }
        }
    }
}
