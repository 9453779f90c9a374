//! Readings, made up from their ids: those of the first customer, then those of the second.

use std::fmt::Write as _;

use seed::Table;

use super::meter::Meter;

/// The year of the first reading.
const FIRST_YEAR: u64 = 2020;

/// One a month, up to the last year that a DATE has.
pub(super) const MOST_READINGS_EACH: u64 = (9999 - FIRST_YEAR + 1) * 12;

/// Made-up readings.
pub(super) struct Readings {
    /// How many a customer has.
    pub(super) readings_each: u64,
}

impl Table for Readings {
    const NAME: &'static str = "Readings";
    const COLUMNS: &'static str = "Measure_ID, Customers_ID_FK, Measure_Date, Value";

    fn write_values(&self, sql: &mut String, id: u64) {
        let before = id - 1;
        let (customer, month) = (before / self.readings_each + 1, before % self.readings_each);
        let meter = Meter::of(customer);
        // Writing to a string does not fail.
        let _ = write!(
            sql,
            "({id},{customer},'{}-{:02}-{:02}',{})",
            FIRST_YEAR + month / 12,
            month % 12 + 1,
            meter.day,
            meter.after(month)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(readings_each: u64, id: u64) -> String {
        let mut sql = String::new();
        Readings { readings_each }.write_values(&mut sql, id);
        sql
    }

    #[test]
    fn readings_are_a_month_apart_and_the_last_there_can_be_has_a_date() {
        for (id, month) in [(11, "2020-11"), (12, "2020-12"), (13, "2021-01")] {
            let values = values(MOST_READINGS_EACH, id);
            assert!(
                values.starts_with(&format!("({id},1,'{month}-")),
                "{values}"
            );
        }
        let last = values(MOST_READINGS_EACH, MOST_READINGS_EACH);
        assert!(last.starts_with("(95760,1,'9999-12-"), "{last}");
    }

    #[test]
    fn customers_come_one_after_the_other() {
        assert!(values(10, 10).starts_with("(10,1,'2020-10-"));
        assert!(values(10, 11).starts_with("(11,2,'2020-01-"));
    }
}
