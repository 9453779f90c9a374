//! Axes with round marks: 1, 2 or 5 times a power of ten.

/// The values that a picture shows. What lies outside is no time, size or price of anything, but would be far away.
const DRAWN: std::ops::Range<f64> = 1e-6..1e15;

/// More marks than this are a fence.
const MOST_MARKS: usize = 12;

/// From a value to its place.
pub(super) struct Axis {
    low: f64,
    high: f64,
    is_logarithmic: bool,
    marks: Vec<Mark>,
}

/// A place on an axis that has a label.
pub(super) struct Mark {
    pub(super) value: f64,
    pub(super) label: String,
}

impl Axis {
    /// Whether a value can be drawn on a logarithmic axis.
    pub(super) fn draws(value: f64) -> bool {
        DRAWN.contains(&value)
    }

    /// From 0 to the first mark that is not below `most`.
    pub(super) fn linear(most: f64) -> Self {
        let step = step(most);
        let count = (most / step).ceil().max(1.0);
        let decimals = decimals(step);
        let marks = (0..=count as u32).map(|at| {
            let value = f64::from(at) * step;
            Mark {
                value,
                label: format!("{value:.decimals$}"),
            }
        });
        Self {
            low: 0.0,
            high: count * step,
            is_logarithmic: false,
            marks: marks.collect(),
        }
    }

    /// Between the marks around all these values; none if there are none.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (least, most) = values
            .filter(|value| Self::draws(*value))
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
                (least.min(value), most.max(value))
            });
        if most == 0.0 {
            return None;
        }
        let first = 3 * least.log10().floor() as i32;
        let last = 3 * most.log10().ceil() as i32;
        let low = (first..=last)
            .rev()
            .find(|at| rung(*at) <= least * (1.0 + 1e-9));
        let high = (first..=last).find(|at| rung(*at) >= most * (1.0 - 1e-9));
        let low = low.unwrap_or(first);
        let high = high.unwrap_or(last).max(low + 1);
        let mut every = 1;
        let marks = loop {
            let marks = (low..=high).filter(|at| at % every == 0);
            if marks.clone().count() <= MOST_MARKS {
                break marks;
            }
            every = if every == 1 { 3 } else { every + 3 };
        };
        let marks = marks.map(|at| {
            let value = rung(at);
            let decimals = decimals(value);
            Mark {
                value,
                label: format!("{value:.decimals$}"),
            }
        });
        Some(Self {
            low: rung(low),
            high: rung(high),
            is_logarithmic: true,
            marks: marks.collect(),
        })
    }

    /// Where a value is: 0 at the beginning, 1 at the end, and never beyond.
    pub(super) fn place(&self, value: f64) -> f64 {
        let scaled = |value: f64| match self.is_logarithmic {
            true => value.max(DRAWN.start).ln(),
            false => value,
        };
        let (low, high) = (scaled(self.low), scaled(self.high));
        ((scaled(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// The value at this place.
    pub(super) fn value(&self, place: f64) -> f64 {
        match self.is_logarithmic {
            true => self.low * (self.high / self.low).powf(place),
            false => self.low + (self.high - self.low) * place,
        }
    }

    pub(super) fn low(&self) -> f64 {
        self.low
    }

    pub(super) fn high(&self) -> f64 {
        self.high
    }

    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }
}

/// The values that marks have, in their order: …, 0.5, 1, 2, 5, 10, …
fn rung(at: i32) -> f64 {
    [1.0, 2.0, 5.0][at.rem_euclid(3) as usize] * 10_f64.powi(at.div_euclid(3))
}

/// How many decimals a mark needs.
fn decimals(mark: f64) -> usize {
    (-(mark.log10() + 1e-9).floor()).max(0.0) as usize
}

/// A round step between the marks of an axis, for at most ten of them.
pub(crate) fn step(longest: f64) -> f64 {
    let least = longest.clamp(1e-3, DRAWN.end) / 10.0;
    let magnitude = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|&step| step >= least)
        .unwrap_or(10.0 * magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.marks()
            .iter()
            .map(|mark| mark.label.as_str())
            .collect()
    }

    #[test]
    fn a_linear_axis_has_a_few_round_marks() {
        for (longest, expected) in [(0.9, 0.1), (1.3, 0.2), (3.3, 0.5), (7.0, 1.0), (42.0, 5.0)] {
            let step = step(longest);
            assert!((step - expected).abs() < 1e-9, "{step} for {longest}");
            assert!((2.0..=10.0).contains(&(longest / step)), "{longest}");
        }
        assert_eq!(
            labels(&Axis::linear(0.7)),
            ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
        );
        assert_eq!(labels(&Axis::linear(0.0)), ["0.0000", "0.0001"]);
    }

    #[test]
    fn a_logarithmic_axis_has_a_few_round_marks_around_its_values() {
        let axis = |values: &[f64]| Axis::logarithmic(values.iter().copied()).unwrap();
        assert_eq!(
            labels(&axis(&[0.3, 7.0])),
            ["0.2", "0.5", "1", "2", "5", "10"]
        );
        assert_eq!(labels(&axis(&[0.2, 3_000.0])), ["1", "10", "100", "1000"]);
        assert_eq!(labels(&axis(&[1.0])), ["1", "2"]);
        assert!(axis(&[1e-6, 9e14]).marks().len() <= MOST_MARKS);
        assert!(Axis::logarithmic([0.0, f64::NAN, 1e300].into_iter()).is_none());
    }

    #[test]
    fn a_value_has_a_place_and_the_place_that_value() {
        for axis in [
            Axis::linear(9.0),
            Axis::logarithmic([0.5, 60.0].into_iter()).unwrap(),
        ] {
            for value in [0.5, 1.0, 7.5] {
                assert!(
                    (axis.value(axis.place(value)) - value).abs() < 1e-9,
                    "{value}"
                );
            }
            assert_eq!(axis.place(1e9), 1.0);
            assert_eq!(axis.place(0.0), 0.0);
        }
    }
}
