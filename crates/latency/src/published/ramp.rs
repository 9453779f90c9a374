//! The step load that others published: four architectures that answer with a customer's meter readings, each under 50 to
//! 1,500 users (Locust, 2020; eu-central-1, t3.micro, MariaDB on RDS).

use serde::Deserialize;

/// Where it was published.
pub const SOURCE: &str = "https://pgrunm.github.io/posts/aws_scaling_comparison";

const PUBLISHED: &str = include_str!("../../data/published-ramp.csv");

/// What was published of an architecture under so many users.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct PublishedLevel {
    /// The function or server here that does the same.
    pub subject: String,
    /// How many users.
    pub users: u64,
    /// Requests in 3 minutes.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// Median latency in milliseconds.
    pub median_ms: f64,
    /// Mean latency in milliseconds.
    pub mean_ms: f64,
    /// Requests a second.
    pub requests_per_second: f64,
}

/// All that was published.
///
/// # Errors
/// The data file is broken.
pub fn all() -> Result<Vec<PublishedLevel>, csv::Error> {
    csv::Reader::from_reader(PUBLISHED.as_bytes())
        .deserialize()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_architectures_were_published_under_six_numbers_of_users() {
        let all = all().unwrap();
        let mut subjects: Vec<_> = all.iter().map(|level| &*level.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        assert_eq!(subjects.len(), 4);
        for subject in subjects {
            let levels = all.iter().filter(|level| level.subject == subject);
            let users: Vec<_> = levels.map(|level| level.users).collect();
            assert_eq!(users, [50, 100, 200, 400, 800, 1500], "{subject}");
        }
    }

    #[test]
    fn requests_and_their_rate_agree_with_three_minutes() {
        for level in all().unwrap() {
            let seconds = level.requests as f64 / level.requests_per_second;
            assert!((178.0..182.0).contains(&seconds), "{level:?}: {seconds} s");
        }
    }
}
