//! The `latency` command as its users run it.

use anyhow::Context as _;
use tokio::process::Command;

/// Runs it, and returns the number with this name in what it found.
pub(crate) async fn number(arguments: &[&str], name: &str) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("found.csv");
    let output = Command::new("target/local/latency")
        .args(arguments)
        .arg("--export-csv")
        .arg(&file)
        .kill_on_drop(true)
        .output()
        .await
        .context("target/local/latency can't be started: run `make latency`")?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let mut lines = text.lines().map(|line| line.split(','));
    let (names, values) = lines
        .next()
        .zip(lines.next())
        .with_context(|| format!("latency {} wrote no row", arguments.join(" ")))?;
    let mut row = names.zip(values);
    row.find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.parse().ok())
        .with_context(|| format!("latency {} wrote no {name}", arguments.join(" ")))
}
