//! The SAM CLI of `.tools/`, with the emulator for AWS.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, bail};
use tokio::process::Command;

pub(crate) struct Sam {
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Sam {
    /// `root` is the repository's, `endpoint` the emulator's.
    pub(crate) fn new(root: &Path, endpoint: &str) -> anyhow::Result<Self> {
        let program = root.join(".tools/sam/bin/sam");
        anyhow::ensure!(
            program.is_file(),
            "the SAM CLI is not installed: run `make test-deploy`"
        );
        Ok(Self {
            program: std::path::absolute(program)?,
            variables: backends::ministack::variables(endpoint).into(),
        })
    }

    /// `sam deploy`, with what the copy's `samconfig.toml` says: what it printed.
    pub(crate) async fn deploy(
        &self,
        project: &Path,
        parameters: &BTreeMap<String, String>,
    ) -> anyhow::Result<String> {
        let mut arguments = vec!["deploy".to_owned(), "--no-progressbar".to_owned()];
        if !parameters.is_empty() {
            arguments.push("--parameter-overrides".to_owned());
            let overrides = parameters
                .iter()
                .map(|(name, value)| format!("ParameterKey={name},ParameterValue=\"{value}\""));
            arguments.extend(overrides);
        }
        self.run(project, &arguments).await
    }

    /// `sam delete`: what it printed.
    pub(crate) async fn delete(&self, project: &Path) -> anyhow::Result<String> {
        let arguments = ["delete", "--no-prompts"].map(str::to_owned);
        self.run(project, &arguments).await
    }

    async fn run(&self, project: &Path, arguments: &[String]) -> anyhow::Result<String> {
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(project)
            // None of the caller's credentials, profiles and endpoints.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", project)
            // What it leaves behind goes with the copy.
            .env("TMPDIR", project)
            .env("SAM_CLI_TELEMETRY", "0")
            // Seconds between two looks at the stack. The emulator makes it in one.
            .env("SAM_CLI_POLL_DELAY", "0.2")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("sam can't be run")?;
        let printed = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if !output.status.success() {
            bail!("sam {} failed:\n{printed}", arguments.join(" "));
        }
        Ok(printed)
    }
}
