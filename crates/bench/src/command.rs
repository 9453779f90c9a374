//! The `latency` command as its users run it.

use std::process::Stdio;

use anyhow::Context as _;
use latency::results::Column;
use tokio::process::Command;

pub(crate) const PROGRAM: &str = "target/debug/latency";

/// The first row of what it found.
pub(crate) struct Row(serde_json::Value);

impl Row {
    /// The number in this column.
    pub(crate) fn number(&self, column: &str) -> anyhow::Result<f64> {
        let number = self.0[column].as_f64();
        number.with_context(|| format!("latency found no {column}"))
    }
}

/// Runs it, and returns the number in this column of what it found.
pub(crate) async fn number(arguments: &[&str], column: Column) -> anyhow::Result<f64> {
    run(arguments).await?.number(&column.key)
}

/// Runs it.
pub(crate) async fn run(arguments: &[&str]) -> anyhow::Result<Row> {
    let (row, ()) = run_beside(arguments, async |_| Ok(())).await?;
    Ok(row)
}

/// Runs it, and meanwhile does something with its process.
pub(crate) async fn run_beside<T>(
    arguments: &[&str],
    beside: impl AsyncFnOnce(u32) -> anyhow::Result<T>,
) -> anyhow::Result<(Row, T)> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("found.json");
    let child = Command::new(PROGRAM)
        .args(arguments)
        .arg("--export-json")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{PROGRAM} can't be started: run `make latency`"))?;
    let process_id = child.id().context("it ended at once")?;
    let output = async { Ok(child.wait_with_output().await?) };
    let (output, found_beside) = tokio::try_join!(output, beside(process_id))?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let mut found: serde_json::Value = serde_json::from_str(&text)?;
    Ok((Row(found["rows"][0].take()), found_beside))
}
