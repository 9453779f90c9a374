//! What Lambda knows of a function: its program, its environment variables and its limits.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A function as it was configured.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name under which it is invoked.
    pub name: String,
    /// The program that speaks the Runtime API: `bootstrap`, or an interpreter with a runtime interface client.
    pub program: PathBuf,
    /// The program's arguments.
    pub arguments: Vec<String>,
    /// Where the deployment package lies: the working directory and `LAMBDA_TASK_ROOT`.
    pub directory: PathBuf,
    /// The handler setting, given to the program as `_HANDLER`.
    pub handler: String,
    /// The function's own environment variables.
    pub environment: BTreeMap<String, String>,
    /// What its runtime sets, unless the function has its own.
    pub runtime_variables: BTreeMap<String, String>,
    /// Memory size in MB. Reported, not enforced.
    pub memory_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Reserved concurrency: the most environments of this function at once.
    pub reserved_concurrency: Option<u32>,
}

impl Function {
    /// The variables of an environment: the function's own, and those that Lambda sets and no function can override.
    pub(crate) fn variables<'a>(
        &'a self,
        runtime_api: &'a str,
        log_stream: &'a str,
    ) -> BTreeMap<&'a str, String> {
        let runtime = self.runtime_variables.iter();
        let mut variables: BTreeMap<&str, String> = runtime
            .chain(&self.environment)
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        let directory = self.directory.display().to_string();
        for (key, value) in [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
        ] {
            variables.entry(key).or_insert_with(|| value.to_owned());
        }
        variables.extend([
            ("_HANDLER", self.handler.clone()),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                self.memory_mb.to_string(),
            ),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{}", self.name),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
            ("LAMBDA_TASK_ROOT", directory),
        ]);
        variables
    }
}
