//! What costs by the hour, whether it is used or not.

use super::{PriceError, Prices};

/// Hours of a month, as AWS counts them in its examples: 8,760 a year.
const HOURS: f64 = 730.0;

/// The template's Aurora database at rest: half a capacity unit (`MinCapacity`).
const AURORA_CAPACITY_UNITS: f64 = 0.5;

/// A proxy is charged for the capacity units of its database, but for eight at least (Amazon RDS Proxy pricing).
const PROXY_CAPACITY_UNITS: f64 = 8.0;

/// An item of the price list, and how much of it is used all the time.
type Item = (&'static str, f64);

/// Whether what is called is paid by the hour and not by the call.
pub(super) fn is_paid_by_the_hour(service: &str) -> bool {
    !items_of_backend(service).is_empty()
}

/// What the backends that are called cost in a month in US dollars, the least that the template's are charged for.
///
/// Not in it: storage, I/O, and what a database takes to grow under load.
///
/// # Errors
/// A price can't be had.
pub fn backends_per_month<'a>(
    services: impl Iterator<Item = &'a str>,
    prices: &Prices,
) -> Result<f64, PriceError> {
    let mut used: Vec<_> = services.flat_map(items_of_backend).collect();
    used.sort_by_key(|(item, _)| *item);
    used.dedup();
    per_month(used.into_iter().copied(), prices)
}

/// What items of the price list cost in a month in US dollars, so many units of each being there all the time.
///
/// # Errors
/// A price can't be had.
pub fn per_month<'a>(
    items: impl Iterator<Item = (&'a str, f64)>,
    prices: &Prices,
) -> Result<f64, PriceError> {
    let mut usd = 0.0;
    for (item, units) in items {
        let price = prices.of(item)?;
        // A volume is paid by the month.
        let times = if price.unit.ends_with("month") {
            1.0
        } else {
            HOURS
        };
        usd += price.usd * units * times;
    }
    Ok(usd)
}

fn items_of_backend(service: &str) -> &'static [Item] {
    match service {
        "mysql" => &[("aurora", AURORA_CAPACITY_UNITS)],
        // In front of the database, which is there although few calls get that far.
        "memcached" => &[("aurora", AURORA_CAPACITY_UNITS), ("cache-t4g.micro", 1.0)],
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

    #[track_caller]
    fn assert_dollars(found: Result<f64, PriceError>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn a_database_and_its_proxy_cost_what_they_cost_by_hand() {
        let prices = Prices::eu_west_2().unwrap();
        let month = |services: &[&str]| backends_per_month(services.iter().copied(), &prices);
        assert_dollars(month(&["dynamodb", "s3"]), 0.0);
        // 0.5 × $0.14 × 730.
        assert_dollars(month(&["mysql"]), 51.1);
        // 730 × $0.018, and the database behind it.
        assert_dollars(month(&["memcached"]), 13.14 + 51.1);
        // The database behind it, once, and 8 × $0.018 × 730.
        assert_dollars(month(&["mysql", "rds-proxy"]), 51.1 + 105.12);
    }

    #[test]
    fn a_server_costs_what_it_costs_by_hand() {
        let prices = Prices::eu_west_2().unwrap();
        let month = |items: &[(&'static str, f64)]| per_month(items.iter().copied(), &prices);
        // 730 × $0.0118, 8 GB × $0.0928, 730 × $0.005.
        let instance = [
            ("ec2-t3.micro", 1.0),
            ("ebs-gp3", 8.0),
            ("public-ipv4", 1.0),
        ];
        assert_dollars(month(&instance), 8.614 + 0.7424 + 3.65);
        // 730 × (0.25 × $0.04656 + 0.5 × $0.00511).
        let task = [("fargate-vcpu", 0.25), ("fargate-gb", 0.5)];
        assert_dollars(month(&task), 8.4972 + 1.86515);
        // The published load balancer, $19.32, cost the same.
        assert_dollars(month(&[("load-balancer", 1.0)]), 19.3158);
        let unknown = month(&[("ec2-x9.nano", 1.0)]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "the price list has no item 'ec2-x9.nano'"
        );
    }
}
