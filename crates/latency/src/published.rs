//! Results that others published: other machines, other years. Shown beside ours and always named as published.

pub mod ramp;

use serde::Deserialize;

const PUBLISHED: &str = include_str!("../data/published.csv");

/// One published result.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Published {
    /// Who published it.
    pub publisher: String,
    /// The architecture, in the publisher's words.
    pub architecture: String,
    /// The functions and servers here that do the same and stand beside it, with a space between two.
    pub function: Option<String>,
    /// Mean latency in milliseconds.
    pub mean_ms: Option<f64>,
    /// Init duration in milliseconds.
    pub init_ms: Option<f64>,
    /// US dollars a month.
    pub usd_per_month: Option<f64>,
    /// US dollars per million calls.
    pub usd_per_million: Option<f64>,
    /// Where it was published.
    pub source: String,
}

/// All published results, in the order of the data file.
///
/// # Errors
/// The data file is broken.
pub fn all() -> Result<Vec<Published>, csv::Error> {
    csv::Reader::from_reader(PUBLISHED.as_bytes())
        .deserialize()
        .collect()
}

/// The published result that stands beside a function.
#[must_use]
pub fn beside<'a>(function: &str, published: &'a [Published]) -> Option<&'a Published> {
    published.iter().find(|result| {
        let mut names = result.function.iter().flat_map(|names| names.split(' '));
        names.any(|name| name == function)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rust_counter_stands_beside_the_published_rust_counter() {
        let published = all().unwrap();
        let found = beside("counter-dynamodb", &published).unwrap();
        assert_eq!(found.architecture, "Lambda Rust + DynamoDB");
        assert_eq!(found.mean_ms, Some(26.0));
        assert_eq!(found.usd_per_million, Some(3.09));
        let as_published = beside("rust-dynamodb-published", &published).unwrap();
        assert_eq!(as_published, found);
        assert_eq!(beside("counter-nowhere", &published), None);
    }

    #[test]
    fn every_published_result_says_where_and_what() {
        for result in all().unwrap() {
            assert!(result.source.starts_with("https://"), "{result:?}");
            assert!(
                result.mean_ms.or(result.init_ms).is_some(),
                "{result:?} says nothing"
            );
        }
    }
}
