//! A ratio measured in turns.

/// The ratios of all turns.
#[derive(Debug, Default)]
pub(crate) struct Ratios(Vec<f64>);

impl Ratios {
    pub(crate) fn add(&mut self, ratio: f64) {
        self.0.push(ratio);
    }

    /// The given share of the turns, from 0 to 1, had a ratio of this or less. 0.5 is the median.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((share * last as f64).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_turn_does_not_move_the_median() {
        let mut ratios = Ratios::default();
        [1.1, 9.0, 1.0, 1.2, 0.9]
            .into_iter()
            .for_each(|ratio| ratios.add(ratio));
        assert_eq!(ratios.quantile(0.5), 1.1);
        assert_eq!(ratios.quantile(0.25), 1.0);
        assert_eq!(ratios.quantile(0.75), 1.2);
    }

    #[test]
    fn without_a_turn_there_is_no_ratio() {
        assert!(Ratios::default().quantile(0.5).is_nan());
    }
}
