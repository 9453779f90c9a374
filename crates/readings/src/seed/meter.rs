//! A customer's meter.

use fastrand::Rng;

/// What the meters begin with, in kilowatt hours.
const FIRST: std::ops::Range<u64> = 1_000..60_000;

/// What a household takes a month, in kilowatt hours.
const A_MONTH: std::ops::RangeInclusive<u64> = 80..=450;

/// One customer's meter, read once a month.
pub(super) struct Meter {
    customer: u64,
    first: u64,
    a_month: u64,
    /// The day of the month on which it is read: one that every month has.
    pub(super) day: u8,
}

impl Meter {
    pub(super) fn of(customer: u64) -> Self {
        let mut random = Rng::with_seed(customer);
        Self {
            customer,
            first: random.u64(FIRST),
            a_month: random.u64(A_MONTH),
            day: random.u8(1..=28),
        }
    }

    /// What it shows after so many months, in kilowatt hours. It does not go back: of a month's consumption, half
    /// may fall into the next.
    pub(super) fn after(&self, months: u64) -> u64 {
        let late = Rng::with_seed(self.customer << 32 | months).u64(..=self.a_month / 2);
        self.first + self.a_month * months + late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_never_goes_back_and_fits_its_column() {
        for customer in 1..=200 {
            let meter = Meter::of(customer);
            assert!((1..500).all(|month| meter.after(month - 1) < meter.after(month)));
            assert!(u32::try_from(meter.after(100_000)).is_ok());
            assert!((1..=28).contains(&meter.day));
        }
    }
}
