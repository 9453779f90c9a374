//! The `latency` command as its users run it.

use anyhow::Context as _;
use latency::results::Column;
use tokio::process::Command;

const PROGRAM: &str = "target/debug/latency";

/// Runs it, and returns the number in this column of what it found.
pub(crate) async fn number(arguments: &[&str], column: Column) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("found.json");
    let output = Command::new(PROGRAM)
        .args(arguments)
        .arg("--export-json")
        .arg(&file)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{PROGRAM} can't be started: run `make latency`"))?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let found: serde_json::Value = serde_json::from_str(&text)?;
    found["rows"][0][&*column.key]
        .as_f64()
        .with_context(|| format!("latency {} found no {}", arguments.join(" "), column.key))
}
