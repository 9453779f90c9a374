//! The names of cached answers.

use std::fmt;

use crate::CustomerId;

/// Under which name the cache has an answer. There are no others: what comes from a caller is a number in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Key {
    /// A customer: `customerData_id_N`, the published name.
    Customer(CustomerId),
    /// A customer's readings: `customerReadings_id_N`, the published name.
    Readings(CustomerId),
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(out, "customerData_id_{id}"),
            Self::Readings(id) => write!(out, "customerReadings_id_{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_has_nothing_in_it_that_could_end_it(text in "\\PC*|[0-9]{1,10}|[0-9]{1,3}[\\x00-\\x20][a-z]*") {
            if let Ok(id) = text.parse::<CustomerId>() {
                for key in [Key::Customer(id).to_string(), Key::Readings(id).to_string()] {
                    // memcached's limit is 250 bytes.
                    prop_assert!(key.len() <= 250);
                    prop_assert!(key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()), "{key:?}");
                }
            }
        }
    }
}
