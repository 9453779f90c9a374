//! Which memory sizes are best, and at what.

/// What a function takes and costs at one memory size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// How long an invocation takes on average, in milliseconds.
    pub(super) duration_ms: f64,
    /// What is paid for memory and time, in any unit.
    pub(super) cost: f64,
}

/// Durations that differ by no more than this part are equally good: the smaller memory size is taken.
const AS_GOOD: f64 = 0.01;

/// What to say of each size: that it is the cheapest, the fastest, or the best balance.
///
/// The best balance is where `cost ÷ highest cost + duration ÷ longest duration` is least: the strategy "balanced" of
/// aws-lambda-power-tuning with its weight of one half.
pub(super) fn named(sizes: &[Size]) -> Vec<String> {
    let most = |of: fn(&Size) -> f64| sizes.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let (longest, highest) = (most(|size| size.duration_ms), most(|size| size.cost));
    let balance = |size: &Size| size.cost / highest + size.duration_ms / longest;
    let winners = [
        ("cheapest", least(sizes, |size| size.cost, 0.0)),
        ("fastest", least(sizes, |size| size.duration_ms, AS_GOOD)),
        ("best balance", least(sizes, balance, 0.0)),
    ];
    let names = |at| {
        let names = winners.iter().filter(|(_, winner)| *winner == Some(at));
        names.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    (0..sizes.len()).map(names).collect()
}

/// The first one that has the least of something, or hardly more.
fn least(sizes: &[Size], of: impl Fn(&Size) -> f64, more: f64) -> Option<usize> {
    let least = sizes.iter().map(&of).fold(f64::INFINITY, f64::min);
    sizes
        .iter()
        .position(|size| of(size) <= least * (1.0 + more))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_of(sizes: &[(f64, f64)]) -> Vec<String> {
        let size = |(duration_ms, cost): &(f64, f64)| Size {
            duration_ms: *duration_ms,
            cost: *cost,
        };
        named(&sizes.iter().map(size).collect::<Vec<_>>())
    }

    #[test]
    fn a_function_that_waits_is_cheapest_and_best_where_it_is_smallest() {
        let sizes = [(6.8, 0.85), (6.75, 1.7), (6.75, 3.4)];
        assert_eq!(
            named_of(&sizes),
            ["cheapest, fastest, best balance", "", ""]
        );
    }

    #[test]
    fn a_function_that_computes_is_best_in_between() {
        // Twice the memory, half the time, until one core is not enough.
        let sizes = [
            (800.0, 100.0),
            (400.0, 100.1),
            (200.0, 100.2),
            (195.0, 200.0),
        ];
        assert_eq!(
            named_of(&sizes),
            ["cheapest", "", "best balance", "fastest"]
        );
    }

    #[test]
    fn where_there_is_nothing_nothing_is_best() {
        assert!(named_of(&[]).is_empty());
    }
}
