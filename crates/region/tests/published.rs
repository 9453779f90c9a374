//! The model beside what others measured, with what was recorded once of our functions. `cargo latency check` records anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use region::{
    DEFAULT_REGION, Profile, Recorded,
    check::{Check, Ours, checks},
};
use serde::Deserialize;

/// `cargo latency check --recordings crates/region/tests/recordings.json`
const RECORDINGS: &str = include_str!("recordings.json");

#[derive(Deserialize)]
struct Recordings {
    kernel_ms: f64,
    empty: Recorded,
    counter_dynamodb: Recorded,
    counter_s3: Recorded,
}

fn found(profile: &Profile) -> Vec<Check> {
    let recordings: Recordings = serde_json::from_str(RECORDINGS).unwrap();
    let ours = Ours {
        empty: &recordings.empty,
        counter_dynamodb: &recordings.counter_dynamodb,
        counter_s3: &recordings.counter_s3,
        kernel_ms: recordings.kernel_ms,
    };
    checks(profile, &ours).unwrap()
}

fn profile() -> Profile {
    Profile::of(DEFAULT_REGION).unwrap()
}

#[test]
fn what_is_far_off_is_known_and_explained() {
    let checks = found(&profile());
    let independent = checks.iter().filter(|check| check.is_independent());
    let far: Vec<_> = independent.filter(|check| !check.is_near()).collect();
    for check in &far {
        assert!(!check.remark.is_empty(), "not explained: {check:#?}");
    }
    let far: Vec<_> = far.iter().map(|check| &*check.what).collect();
    assert_eq!(
        far,
        [
            "Rust + DynamoDB, read and then written (ours, with a call more)",
            "first request, TLS not warmed up",
            "first request, connection opened in the init phase",
            "first request, two batch calls, arm64, 1024 MB",
            "first request, two batch calls, arm64, 1769 MB",
            "first request, two batch calls, x86_64, 128 MB",
            "first request, two batch calls, x86_64, 256 MB",
            "first request, two batch calls, x86_64, 512 MB",
            "first request, two batch calls, x86_64, 1024 MB",
            "first request, two batch calls, x86_64, 1769 MB",
        ]
    );
}

#[test]
fn what_the_profile_is_made_of_comes_out_again() {
    for check in found(&profile()) {
        if check.remark.contains("a line of the profile") {
            assert!(check.is_near(), "{check:#?}");
        }
    }
}

#[test]
fn a_wrong_profile_shows() {
    let shares = |profile: Profile| {
        let checks = found(&profile).into_iter();
        let shares: Vec<_> = checks.filter(|check| check.unit == "core").collect();
        (
            shares.iter().filter(|check| check.is_near()).count(),
            shares.len(),
        )
    };
    assert_eq!(shares(profile()), (9, 9));
    let half_the_share = profile().with("memory of one vCPU", 1769.0 * 2.0);
    assert_eq!(shares(half_the_share), (0, 9));
}
