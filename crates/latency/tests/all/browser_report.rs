//! The HTML report in a real browser: it sorts, its scale changes, and it needs nothing but its one file.

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::{browser::Browser, command::outcome, stack::in_its_session};

/// An export of three rows, whose numbers are sorted otherwise as texts.
fn export() -> Value {
    let column =
        |key: &str, heading: &str| json!({ "key": key, "heading": heading, "decimals": 1 });
    let row =
        |name: &str, p50: f64| json!({ "architecture": name, "p50_ms": p50, "p99_ms": 2.0 * p50 });
    json!({
        "format": 1, "title": "made up", "command": "latency made-up", "measured_at": "2030-01-01T00:00:00Z",
        "machine": "made up", "notes": [], "warnings": [],
        "columns": [column("architecture", "architecture"), column("p50_ms", "half (ms)"), column("p99_ms", "most (ms)")],
        "groups": [{ "heading": "Measured", "columns": ["architecture", "p50_ms", "p99_ms"] }],
        "rows": [row("two", 2.0), row("ten", 10.0), row("one", 1.0)],
        "latencies": [{ "row": 0, "buckets": [[2.0, 9], [4.0, 1]] }, { "row": 1, "buckets": [[10.0, 9], [20.0, 1]] }],
    })
}

#[tokio::test]
async fn a_report_is_sorted_and_its_scale_is_switched() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let [file, page] = ["a.json", "a.html"].map(|name| directory.path().join(name));
    std::fs::write(&file, export().to_string()).unwrap();
    let [file, page] = [&file, &page].map(|path| path.to_str().unwrap());
    let mut report = in_its_session(&["report", file, "--out", page]);
    outcome(report.spawn().unwrap()).await.assert_code(0);
    let page = format!("file://{page}");
    browser.client.goto(&page).await.unwrap();

    let measured = "table[data-group=\"0\"]";
    let at = format!(
        "return [...document.querySelector('{measured}').tHead.rows[0].cells]
             .findIndex((cell) => cell.textContent.includes('half'))"
    );
    let at = browser.script(&at).await.as_u64().unwrap();
    let header = format!("{measured} th:nth-child({})", at + 1);
    let button = format!("{header} button");
    let button = browser.client.find(Locator::Css(&button)).await.unwrap();
    let numbers = format!(
        "return [...document.querySelector('{measured}').tBodies[0].rows]
             .map((row) => +row.cells[{at}].dataset.value)"
    );
    let numbers =
        async || -> Vec<f64> { serde_json::from_value(browser.script(&numbers).await).unwrap() };
    let mut ascending = numbers().await;
    assert_eq!(ascending, [2.0, 10.0, 1.0], "as they were exported");
    ascending.sort_by(f64::total_cmp);
    let descending: Vec<_> = ascending.iter().rev().copied().collect();
    for (direction, order) in [("ascending", &ascending), ("descending", &descending)] {
        button.click().await.unwrap();
        assert_eq!(browser.attribute(&header, "aria-sort").await, direction);
        assert_eq!(numbers().await, *order);
    }

    let shown = "return ['.logarithmic', '.linear'].map((lanes) =>
        document.querySelector(lanes).getClientRects().length > 0)";
    assert_eq!(browser.script(shown).await, json!([true, false]));
    let scale = browser.client.find(Locator::Id("scale")).await.unwrap();
    scale.click().await.unwrap();
    assert_eq!(browser.script(shown).await, json!([false, true]));

    assert_eq!(browser.console().await, [""; 0]);
    let loaded = "return performance.getEntriesByType('resource').map((entry) => entry.name)";
    assert_eq!(browser.script(loaded).await, Value::Array(Vec::new()));
    browser.stop().await;
}
