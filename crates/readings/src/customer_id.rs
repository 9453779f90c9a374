//! The ids of customers.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most digits of an id: those of 4294967295.
const DIGITS: usize = 10;

/// The id of a customer, 1 to 4294967295: what the column has room for. It is made of digits and nothing else, and whatever has
/// one can't be led to another key or another statement.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CustomerId(NonZeroU32);

/// What was given is no id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id is a whole number from 1 to 4294967295")]
pub struct NotAnId;

impl TryFrom<u32> for CustomerId {
    type Error = NotAnId;

    fn try_from(id: u32) -> Result<Self, NotAnId> {
        NonZeroU32::new(id).map(Self).ok_or(NotAnId)
    }
}

impl FromStr for CustomerId {
    type Err = NotAnId;

    /// From up to ten ASCII digits: [`u32::from_str`] alone would take a plus sign.
    fn from_str(digits: &str) -> Result<Self, NotAnId> {
        if digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnId);
        }
        digits.parse().map(Self).map_err(|_| NotAnId)
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_whole_number_of_its_range_is_no_id() {
        for text in [
            "",
            "0",
            "0000000000",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "1 OR 1=1",
            "1;",
            "1\r\nflush_all",
            "1\0",
            "%31",
            "4294967296",
            "18446744073709551616",
            "00000000001",
            "１",
            "٣",
            "NULL",
        ] {
            assert_eq!(text.parse::<CustomerId>(), Err(NotAnId), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_of_its_range_is_an_id(id in 1..=u32::MAX) {
            prop_assert_eq!(id.to_string().parse::<CustomerId>().unwrap().to_string(), id.to_string());
        }

        #[test]
        fn whatever_is_taken_for_an_id_is_that_number(text in "\\PC*|[0-9]{1,12}|[+-]?[0-9]{1,3}\\PC?") {
            if let Ok(id) = text.parse::<CustomerId>() {
                prop_assert_eq!(text.trim_start_matches('0'), id.to_string());
            }
        }
    }
}
