//! What there is to call: made from the stack, never a list of its own.

use std::{collections::BTreeMap, fs, path::Path};

use load::Url;
use serde::{Deserialize, Serialize};

use crate::published;

/// Where `latency compare` writes what a call costs, unless it is told otherwise.
const COMPARED: &str = "out/compare.json";

/// The file `architectures.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Architectures {
    /// The Region that is run in, or modelled.
    pub region: String,
    /// In the template's order.
    pub architectures: Vec<Architecture>,
}

/// Something to call, by GET.
#[derive(Clone, Debug, Serialize)]
pub struct Architecture {
    /// The name of its row in `latency compare`.
    pub name: String,
    /// In the template's words.
    pub description: Option<String>,
    /// Where: a path where it is the page's own origin, or else a URL.
    pub url: String,
    /// Whether it counts, and answers with the count.
    pub counts: bool,
    /// What others measured.
    pub published: Option<Figure>,
    /// What a million calls cost.
    pub usd_per_million: Option<Cost>,
}

/// A published result.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The mean latency in milliseconds.
    pub mean_ms: f64,
    /// The architecture, in the publisher's words.
    #[serde(rename = "as")]
    pub architecture: String,
    /// Who published it.
    pub by: String,
    /// Where it was published.
    pub source: String,
}

/// What a million calls cost.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// US dollars.
    pub usd: f64,
    /// How it was found: `modelled`.
    pub kind: &'static str,
    /// What found it, and when.
    pub from: String,
}

impl Architecture {
    /// With nothing known of it but what it is called and where it is.
    #[must_use]
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            url: url.to_owned(),
            counts: counts(url),
            published: published_mean(name),
            usd_per_million: None,
        }
    }
}

/// A counter is called at `…/hits`, as the published ones are, and answers with the count.
fn counts(url: &str) -> bool {
    url.rsplit('/').next() == Some("hits")
}

fn published_mean(name: &str) -> Option<Figure> {
    let published = published::all().unwrap_or_default();
    let beside = published::beside(name, &published)?;
    Some(Figure {
        mean_ms: beside.mean_ms?,
        architecture: beside.architecture.clone(),
        by: beside.publisher.clone(),
        source: beside.source.clone(),
    })
}

impl Architectures {
    /// With what their calls cost.
    #[must_use]
    pub fn with(mut self, costs: &Costs) -> Self {
        for architecture in &mut self.architectures {
            architecture.usd_per_million = costs.of(&architecture.name);
        }
        self
    }

    /// The origins that are called besides the page's own.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let urls = self.architectures.iter();
        let mut origins: Vec<_> = urls
            .filter_map(|it| it.url.parse::<Url>().ok())
            .map(|url| url.origin().to_string())
            .collect();
        origins.sort();
        origins.dedup();
        origins
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// What the last comparison said of costs.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    from: String,
    usd_per_million: BTreeMap<String, f64>,
}

/// What is read of an exported comparison.
#[derive(Deserialize)]
struct Compared {
    measured_at: Option<String>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    architecture: String,
    modelled_usd_per_million: Option<f64>,
}

impl Costs {
    /// Those of the last comparison, if there was one in this directory and it can be read: the page does without.
    #[must_use]
    pub fn last() -> Self {
        Self::from_file(Path::new(COMPARED)).unwrap_or_default()
    }

    fn from_file(file: &Path) -> Option<Self> {
        let compared: Compared = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let day = compared
            .measured_at
            .and_then(|at| Some(at.split_once('T')?.0.to_owned()));
        let rows = compared.rows.into_iter();
        Some(Self {
            from: match day {
                Some(day) => format!("latency compare, {day}"),
                None => "latency compare".to_owned(),
            },
            usd_per_million: rows
                .filter_map(|row| Some((row.architecture, row.modelled_usd_per_million?)))
                .collect(),
        })
    }

    fn of(&self, name: &str) -> Option<Cost> {
        Some(Cost {
            usd: *self.usd_per_million.get(name)?,
            kind: "modelled",
            from: self.from.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_null() {
        let empty = Architecture::new("nowhere", "/nowhere");
        let expected = json!({
            "name": "nowhere", "description": null, "url": "/nowhere", "counts": false,
            "published": null, "usd_per_million": null,
        });
        assert_eq!(json!(empty), expected);
        let counter = json!(Architecture::new("counter-dynamodb", "/dynamodb/hits"));
        assert_eq!(counter["counts"], true);
        assert_eq!(counter["published"]["mean_ms"], 26.0);
        assert_eq!(counter["published"]["as"], "Lambda Rust + DynamoDB");
    }

    #[test]
    fn costs_are_those_of_the_last_comparison() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("compare.json");
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            Costs::from_file(&file)
        };
        let costs = read(
            r#"{"measured_at": "2026-11-28T02:00:00Z", "rows": [
                {"architecture": "empty", "modelled_usd_per_million": 1.36, "p50_ms": 1},
                {"architecture": "counter-s3", "modelled_usd_per_million": null}
            ]}"#,
        );
        let costs = costs.unwrap();
        let cost = json!(costs.of("empty"));
        assert_eq!(
            cost,
            json!({"usd": 1.36, "kind": "modelled", "from": "latency compare, 2026-11-28"})
        );
        assert!(costs.of("counter-s3").is_none() && costs.of("nowhere").is_none());
        assert!(read("{").is_none(), "truncated");
        assert!(read("[]").is_none(), "foreign");
        assert!(Costs::from_file(Path::new("/nowhere/compare.json")).is_none());
    }
}
