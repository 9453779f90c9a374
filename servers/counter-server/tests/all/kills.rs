//! Kills under load.

use load::testing::kills::{Kept, under_load};

use crate::client::program;

#[test]
fn no_hit_is_lost_and_no_number_given_twice_in_fifty_kills() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("hits").display().to_string();
    let kept = under_load(
        program(),
        &["--port=0", "--quiet", "--state", &state],
        50,
        8,
    );
    let right = Kept {
        acknowledged: kept.acknowledged,
        twice: 0,
        lost: 0,
        invented: 0,
    };
    assert_eq!(kept, right);
    assert!(kept.acknowledged > 50, "{kept:?}");
}

#[test]
fn a_counter_that_forgets_is_found_out() {
    let kept = under_load(program(), &["--port=0", "--quiet"], 3, 8);
    assert!(kept.twice > 0 && kept.lost > 0, "{kept:?}");
}
