//! What costs by the hour, whether it is used or not.

use super::{PriceError, Prices};

/// Hours of a month, as AWS counts them in its examples: 8,760 a year.
const HOURS: f64 = 730.0;

/// The template's Aurora database at rest: half a capacity unit (`MinCapacity`).
const AURORA_CAPACITY_UNITS: f64 = 0.5;

/// A proxy is charged for the capacity units of its database, but for eight at least (Amazon RDS Proxy pricing).
const PROXY_CAPACITY_UNITS: f64 = 8.0;

/// The volume that an instance starts from, in GB: that of Amazon Linux.
const VOLUME_GB: f64 = 8.0;

/// The smallest task of Fargate (Amazon ECS developer guide, "Task size").
const TASK_VCPU: f64 = 0.25;
const TASK_GB: f64 = 0.5;

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
    per_month(used, prices)
}

/// What a server costs in a month in US dollars: `fargate` is the smallest task there, everything else the type of an EC2
/// instance. Each has a public address and no load balancer.
///
/// Not in it: data transfer.
///
/// # Errors
/// A price can't be had.
pub fn server_per_month(runs_on: &str, prices: &Prices) -> Result<f64, PriceError> {
    let address = ("public-ipv4", 1.0);
    if runs_on == "fargate" {
        let task = [
            ("fargate-vcpu", TASK_VCPU),
            ("fargate-gb", TASK_GB),
            address,
        ];
        return per_month(&task, prices);
    }
    let instance = prices.of(&format!("ec2-{runs_on}"))?.usd * HOURS;
    // By the month as it is.
    let volume = prices.of("ebs-gp3")?.usd * VOLUME_GB;
    Ok(instance + volume + per_month(&[address], prices)?)
}

/// What a load balancer costs in a month in US dollars when nobody uses it.
///
/// # Errors
/// A price can't be had.
pub fn load_balancer_per_month(prices: &Prices) -> Result<f64, PriceError> {
    per_month(&[("load-balancer", 1.0)], prices)
}

fn per_month<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    prices: &Prices,
) -> Result<f64, PriceError> {
    let mut usd = 0.0;
    for (item, units) in items {
        usd += prices.of(item)?.usd * units * HOURS;
    }
    Ok(usd)
}

fn items_of_backend(service: &str) -> &'static [Item] {
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
        // The database behind it, once, and 8 × $0.018 × 730.
        assert_dollars(month(&["mysql", "rds-proxy"]), 51.1 + 105.12);
    }

    #[test]
    fn a_server_costs_what_it_costs_by_hand() {
        let prices = Prices::eu_west_2().unwrap();
        // 730 × $0.0118, 8 GB × $0.0928, 730 × $0.005.
        assert_dollars(server_per_month("t3.micro", &prices), 8.614 + 0.7424 + 3.65);
        // 730 × (0.25 × $0.04656 + 0.5 × $0.00511 + $0.005).
        assert_dollars(
            server_per_month("fargate", &prices),
            8.4972 + 1.86515 + 3.65,
        );
        // The published load balancer, $19.32, cost the same.
        assert_dollars(load_balancer_per_month(&prices), 19.3158);
        let unknown = server_per_month("x9.nano", &prices).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "the price list has no item 'ec2-x9.nano'"
        );
    }
}
