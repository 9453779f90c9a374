//! The recorded events of each function.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::Value;

/// An event of `events/<function>/`.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// The file's name without `.json`.
    pub(crate) case: String,
    pub(crate) event: Value,
}

/// The events of the function of this local name, by their names. There must be one.
pub(crate) fn of(root: &Path, function: &str) -> anyhow::Result<Vec<Fixture>> {
    let directory = root.join("events").join(function);
    let mut fixtures = Vec::new();
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("{function} has no events in events/{function}"))?;
    for entry in entries {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        fixtures.push(Fixture {
            case: path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default(),
            event: serde_json::from_str(&text).with_context(|| path.display().to_string())?,
        });
    }
    anyhow::ensure!(!fixtures.is_empty(), "events/{function} is empty");
    fixtures.sort_by(|one, other| one.case.cmp(&other.case));
    Ok(fixtures)
}
