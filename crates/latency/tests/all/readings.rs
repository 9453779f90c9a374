//! Customers and readings in a comparison: the programs (`cargo lambda build --release`, `make servers`) with what they need.

use serde_json::Value;

use crate::{
    command::json,
    stack::{finished, in_its_session},
};

const ARCHITECTURES: [&str; 4] = [
    "readings",
    "readings-server",
    "readings-server-memcached",
    "readings-load-balancer",
];

/// The rows of the four architectures, in this order.
async fn compared(variables: &[(&str, &str)]) -> [Value; 4] {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = in_its_session(&[
        "compare",
        "--burst=0",
        "--parameter=Database=aurora",
        "--parameter=Readings=all",
        "--parameter=ReadingsServers=2",
        "-n=20",
        "--starts=1",
        "--out",
        out.to_str().unwrap(),
    ]);
    command.env_remove("DATABASE_URL");
    command.envs(variables.iter().copied());
    finished(command.spawn().unwrap()).await.assert_code(0);
    let json = json(&out.join("compare.json"));
    let rows = json["rows"].as_array().unwrap();
    ARCHITECTURES.map(|name| {
        let row = rows.iter().find(|row| row["architecture"] == name);
        row.unwrap_or_else(|| panic!("there is no {name} in {json}"))
            .clone()
    })
}

#[tokio::test]
async fn all_four_architectures_are_measured_modelled_and_paid_by_the_hour() {
    let rows = compared(&[]).await;
    for row in &rows {
        assert!(row["p50_ms"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(
            row["failures"]["total"].as_u64().unwrap_or_default(),
            0,
            "{row}"
        );
    }
    let dollars = rows
        .each_ref()
        .map(|row| row["modelled_usd_by_the_hour"].as_f64().unwrap());
    // 0.5 × $0.14 × 730 for the database, $0.018 × 730 for the cache, $0.02646 × 730 for the load balancer; for a server
    // $0.0118 × 730 and 8 × $0.0928, and $0.005 × 730 for each address.
    let (database, cache, balancer) = (51.1, 13.14, 19.3158);
    let (instance, address) = (8.614 + 0.7424, 3.65);
    let by_hand = [
        database + cache,
        database + instance + address,
        database + cache + instance + address,
        database + cache + balancer + 2.0 * (instance + address) + 2.0 * address,
    ];
    for (found, expected) in dollars.iter().zip(by_hand) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    // A caller waits for the database or the cache, and for the load balancer too.
    let modelled = rows
        .each_ref()
        .map(|row| row["modelled_p50_ms"].as_f64().unwrap());
    for row in 1..4 {
        let here = rows[row]["p50_ms"].as_f64().unwrap();
        let waits = [1.0, 0.66, 2.66][row - 1];
        assert!(
            (modelled[row] - 13.0 - here - waits).abs() < 0.01,
            "{}",
            rows[row]
        );
    }
}

#[tokio::test]
async fn what_a_machine_lacks_a_cache_or_a_load_balancer_for_is_skipped_and_says_so() {
    let [function, server, cached, balanced] = compared(&[("MEMCACHED", ""), ("NGINX", "")]).await;
    assert!(server["p50_ms"].as_f64().unwrap() > 0.0, "{server}");
    for row in [function, cached, balanced] {
        let remark = row["remark"].as_str().unwrap();
        assert!(row["p50_ms"].is_null(), "{row}");
        assert!(
            remark.starts_with("skipped: memcached is not installed: install "),
            "{remark}"
        );
    }
}
