//! What was measured, beside its bar.

use std::fmt;

use latency::results::{Column, Row, megabytes};

use crate::ratio::Ratios;

const WHAT: Column = Column::new("what", "what", 0);
const MEASURED: Column = Column::new("measured", "measured", 2);
const RANGE: Column = Column::new("range", "range", 0);
const BAR: Column = Column::new("bar", "bar", 0);
const MET: Column = Column::new("met", "met", 0);

/// A bar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    Between(f64, f64),
    /// Measured to understand the others.
    None,
}

impl Bar {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::Between(least, most) => (least..=most).contains(&value),
            Self::None => true,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(out, "at most {most}"),
            Self::AtLeast(least) => write!(out, "at least {least}"),
            Self::Between(least, most) => write!(out, "{least} to {most}"),
            Self::None => write!(out, "–"),
        }
    }
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Measured {
    what: String,
    value: f64,
    range: String,
    bar: Bar,
}

impl Measured {
    pub(crate) fn ratio(what: impl Into<String>, ratios: &Ratios, bar: Bar) -> Self {
        let range = format!(
            "{:.2} to {:.2}",
            ratios.quantile(0.25),
            ratios.quantile(0.75)
        );
        Self {
            what: what.into(),
            value: ratios.quantile(0.5),
            range,
            bar,
        }
    }

    pub(crate) fn megabytes(what: impl Into<String>, bytes: u64, bar: Bar) -> Self {
        Self::value(what, megabytes(bytes), bar)
    }

    pub(crate) fn value(what: impl Into<String>, value: f64, bar: Bar) -> Self {
        Self {
            what: what.into(),
            value,
            range: String::new(),
            bar,
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.bar.is_met_by(self.value)
    }

    fn met(&self) -> &'static str {
        match self.bar {
            Bar::None => "–",
            _ if self.is_met() => "yes",
            _ => "no",
        }
    }

    pub(crate) fn row(&self) -> Row {
        Row::default()
            .text(WHAT, &*self.what)
            .number(MEASURED, Some(self.value))
            .text(RANGE, &*self.range)
            .text(BAR, self.bar.to_string())
            .text(MET, self.met())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_met_up_to_its_edge() {
        assert!(Bar::AtMost(0.5).is_met_by(0.5) && !Bar::AtMost(0.5).is_met_by(0.51));
        assert!(Bar::AtLeast(1.5).is_met_by(1.5) && !Bar::AtLeast(1.5).is_met_by(1.49));
        assert!(
            Bar::Between(0.95, 1.05).is_met_by(1.0) && !Bar::Between(0.95, 1.05).is_met_by(1.06)
        );
    }

    #[test]
    fn what_was_not_measured_meets_no_bar() {
        for bar in [Bar::AtMost(1.0), Bar::AtLeast(1.0), Bar::Between(0.0, 2.0)] {
            assert!(!Measured::ratio("nothing", &Ratios::default(), bar).is_met());
        }
    }
}
