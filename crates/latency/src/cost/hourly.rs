//! What costs by the hour, whether it is used or not.

use super::{PriceError, Prices};

/// Hours of a month, as AWS counts them in its examples: 8,760 a year.
const HOURS: f64 = 730.0;

/// The template's Aurora database at rest: half a capacity unit (`MinCapacity`).
const AURORA_CAPACITY_UNITS: f64 = 0.5;

/// A proxy is charged for the capacity units of its database, but for eight at least (Amazon RDS Proxy pricing).
const PROXY_CAPACITY_UNITS: f64 = 8.0;

/// Whether what is called is paid by the hour and not by the call.
pub(super) fn is_paid_by_the_hour(service: &str) -> bool {
    !items(service).is_empty()
}

/// What the backends that are called cost in a month in US dollars, the least that the template's are charged for.
///
/// Not in it: storage, I/O, and what a database takes to grow under load.
///
/// # Errors
/// A price can't be had.
pub fn per_month<'a>(
    services: impl Iterator<Item = &'a str>,
    prices: &Prices,
) -> Result<f64, PriceError> {
    let mut used: Vec<_> = services.flat_map(items).collect();
    used.sort_by_key(|(item, _)| *item);
    used.dedup();
    let mut usd = 0.0;
    for (item, units) in used {
        usd += prices.of(item)?.usd * units * HOURS;
    }
    Ok(usd)
}

/// The items of the price list, and how many units of each run all the time.
fn items(service: &str) -> &'static [(&'static str, f64)] {
    match service {
        "mysql" => &[("aurora", AURORA_CAPACITY_UNITS)],
        "rds-proxy" => &[
            ("aurora", AURORA_CAPACITY_UNITS),
            ("rds-proxy", PROXY_CAPACITY_UNITS),
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_and_its_proxy_cost_what_they_cost_by_hand() {
        let prices = Prices::eu_west_2().unwrap();
        let month = |services: &[&str]| per_month(services.iter().copied(), &prices).unwrap();
        assert_eq!(month(&["dynamodb", "s3"]), 0.0);
        // 0.5 × $0.14 × 730.
        assert!((month(&["mysql"]) - 51.1).abs() < 1e-9);
        // The database behind it, once, and 8 × $0.018 × 730.
        assert!((month(&["mysql", "rds-proxy"]) - (51.1 + 105.12)).abs() < 1e-9);
    }
}
