//! Dollars a month, over calls a month: what is paid by the hour, and what is paid by the call.

/// What something costs in a month, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Monthly {
    /// Whether it is called or not.
    pub by_the_hour: f64,
    /// For each million calls.
    pub per_million: f64,
}

impl Monthly {
    /// With so many millions of calls a month.
    #[must_use]
    pub fn usd(self, million_calls: f64) -> f64 {
        self.by_the_hour + million_calls * self.per_million
    }

    /// From how many million calls a month it is cheaper than `other`: where the two lines cross, or 0 if it always is. None if
    /// it never is.
    #[must_use]
    pub fn cheaper_from_millions(self, other: Self) -> Option<f64> {
        let more_by_the_hour = self.by_the_hour - other.by_the_hour;
        let less_per_million = other.per_million - self.per_million;
        if less_per_million <= 0.0 {
            return None;
        }
        Some((more_by_the_hour / less_per_million).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A t3.micro with its volume and its address.
    const SERVER: Monthly = Monthly {
        by_the_hour: 13.0064,
        per_million: 0.0,
    };

    #[test]
    fn a_server_breaks_even_where_it_does_by_hand() {
        // The counter on DynamoDB, 2 ms billed: $2.106466675 a million.
        let function = Monthly {
            by_the_hour: 0.0,
            per_million: 2.106_466_675,
        };
        // $13.0064 ÷ $2.106466675 = 6.174510… million calls.
        let millions = SERVER.cheaper_from_millions(function).unwrap();
        assert!((millions - 6.174_510).abs() < 1e-6, "{millions}");
        let (below, above) = (6.174, 6.175);
        assert!(function.usd(below) < SERVER.usd(below));
        assert!(function.usd(above) > SERVER.usd(above));
    }

    #[test]
    fn what_costs_more_by_the_hour_already_is_never_cheaper() {
        let with_database = Monthly {
            by_the_hour: 51.1,
            per_million: 1.37,
        };
        assert_eq!(SERVER.cheaper_from_millions(with_database), Some(0.0));
        assert_eq!(with_database.cheaper_from_millions(SERVER), None);
    }
}
