//! Which medians this run tells apart.

use load::Latencies;

use crate::{columns, results::Row};

/// Adds to each row which others have a median that may be the same: their 95 % intervals overlap.
pub(super) fn beside(rows: Vec<Row>, latencies: &[&Latencies], names: &[&str]) -> Vec<Row> {
    let same = same_median(latencies);
    let rows = rows.into_iter().zip(same);
    rows.map(|(row, same)| {
        let same: Vec<_> = same.into_iter().map(|at| names[at]).collect();
        row.text(columns::SAME_P50_AS, same.join(", "))
    })
    .collect()
}

/// For each of these, where the others are whose median it may have.
fn same_median(latencies: &[&Latencies]) -> Vec<Vec<usize>> {
    let intervals: Vec<_> = latencies.iter().map(|it| it.median_interval()).collect();
    let overlap = |one: usize, other: usize| {
        let (Some((low, high)), Some((other_low, other_high))) = (intervals[one], intervals[other])
        else {
            return false;
        };
        one != other && low <= other_high && other_low <= high
    };
    let all = 0..intervals.len();
    all.clone()
        .map(|one| all.clone().filter(|other| overlap(one, *other)).collect())
        .collect()
}

/// What the column means.
pub(super) const NOTE: &str = "not told apart: where the 95 % confidence intervals of two medians overlap (order statistics), this \
    run does not say which is faster.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn medians_are_told_apart_where_their_intervals_do_not_overlap() {
        let around = |center: u64| -> Latencies {
            (0..200)
                .map(|at| Duration::from_micros(center + at))
                .collect()
        };
        let (fast, alike, slow) = (around(1_000), around(1_010), around(2_000));
        // Five say nothing with 95 % confidence.
        let few: Latencies = (0..5).map(|at| Duration::from_micros(1_000 + at)).collect();
        let same = same_median(&[&fast, &alike, &slow, &few]);
        assert_eq!(same, [vec![1], vec![0], vec![], vec![]]);
    }
}
