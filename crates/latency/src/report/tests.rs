//! Pages of made-up exports.

use serde_json::{Value, json};

use super::*;

const ATTACK: &str = "</script><script>alert(1)</script>\"'&";

/// A server and two functions that never were.
fn export(measured_at: &str) -> Value {
    let column =
        |key: &str, decimals: u8| json!({"key": key, "heading": key, "decimals": decimals});
    let row = |name: &str, p50: f64, by_the_hour: Value, per_million: f64| {
        json!({
            "architecture": name, "p50_ms": p50, "p50_low_ms": p50 * 0.9, "p50_high_ms": p50 * 1.1, "p99_ms": p50 * 3.0,
            "init_ms": 10.0 * p50, "peak_memory_mb": 5.0 + p50, "failures": {}, "modelled_usd_by_the_hour": by_the_hour,
            "modelled_usd_per_million": per_million
        })
    };
    json!({
        "format": 1, "title": "latency made-up", "command": "latency made-up --of nothing", "measured_at": measured_at,
        "machine": "made-up machine",
        "columns": [
            column("architecture", 0), column("p50_ms", 2), column("p50_low_ms", 2), column("p50_high_ms", 2),
            column("p99_ms", 2), column("init_ms", 1), column("peak_memory_mb", 1), column("failures", 0),
            column("modelled_usd_by_the_hour", 2), column("modelled_usd_per_million", 2)
        ],
        "groups": [
            {"heading": "Measured", "columns": ["architecture", "p50_ms", "p99_ms", "failures"]},
            {"heading": "Modelled", "columns": ["architecture", "modelled_usd_per_million", "not_in_this_run"]}
        ],
        "rows": [row("server", 1.0, json!(10), 0.0), row("quick", 2.0, json!(null), 2.5), row(ATTACK, 4.0, json!(20), 1.0)],
        "latencies": [{"row": 0, "buckets": [[1.0, 90], [3.0, 9], [50.0, 1]]}, {"row": 2, "buckets": [[4.0, 10]]}],
        "notes": ["a note"], "warnings": ["a warning"]
    })
}

fn document(export: &Value) -> Document {
    Document::from_json(export.to_string().as_bytes()).unwrap()
}

fn html(exports: &[&Value]) -> String {
    page(
        &exports
            .iter()
            .map(|export| document(export))
            .collect::<Vec<_>>(),
    )
}

fn pages() -> [String; 2] {
    let [one, other] = ["2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z"].map(export);
    [html(&[&one]), html(&[&one, &other])]
}

/// What stands between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

#[test]
fn the_same_export_gives_the_same_bytes() {
    assert_eq!(pages(), pages());
}

#[test]
fn everything_that_an_export_says_is_on_its_page() {
    let [page, _] = pages();
    for part in [
        "<title>latency made-up</title>",
        "latency made-up --of nothing",
        "made-up machine",
        "2030-01-01 00:00:00 UTC",
        "<li>a note</li>",
        "<li>a warning</li>",
        "id=\"latencies\"",
        "id=\"memory\"",
        "id=\"break-even\"",
        "id=\"all\"",
        "data-value=\"3\">3.00</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let measured = between(&page, "data-group=\"0\"", "</table>");
    let modelled = between(&page, "data-group=\"1\"", "</table>");
    assert!(measured.contains(">p50_ms</th>") && !measured.contains("modelled"));
    assert!(modelled.contains(">modelled_usd_per_million</th>") && !modelled.contains("p50"));
    assert!(!measured.contains("failures"), "a column that says nothing");
}

#[test]
fn a_break_even_is_the_one_worked_out_by_hand() {
    // $10 a month against $2.50 a million calls: 4 million calls. A database for $20 a month is dearer from the first call on.
    let [page, _] = pages();
    let table = between(
        &page,
        "aria-labelledby=\"break-even-heading\"><thead>",
        "</table>",
    );
    assert!(
        table.contains("server is cheaper from (million calls/month)"),
        "{table}"
    );
    assert!(table.contains("data-value=\"4\">4.00</td>"), "{table}");
    assert!(table.contains(">always</td>"), "{table}");
    assert_eq!(page.matches("class=\"crossing\"").count(), 1);
}

#[test]
fn a_picture_whose_columns_are_missing_is_left_out() {
    let mut export = export("2030-01-01T00:00:00Z");
    export["columns"] = json!([{"key": "architecture", "heading": "architecture", "decimals": 0}]);
    export["groups"] = json!([]);
    export["rows"] = json!([{"architecture": "a"}]);
    export["latencies"] = json!([]);
    let page = html(&[&export]);
    assert!(
        !page.contains("<figure") && !page.contains("<details"),
        "{page}"
    );
    assert!(page.contains("data-group=\"0\""), "{page}");
    export["rows"] = json!([]);
    html(&[&export]);
    let compared = html(&[&export, &export]);
    assert!(compared.contains("No run has a p50."), "{compared}");
}

#[test]
fn numbers_beyond_all_measure_do_no_harm() {
    for number in [0.0, -1.0, 5e-324, 1e-300, 1e300, f64::MAX, u64::MAX as f64] {
        let mut export = export("2030-01-01T00:00:00Z");
        for row in export["rows"].as_array_mut().unwrap() {
            for (key, value) in row.as_object_mut().unwrap() {
                if key != "architecture" {
                    *value = json!(number);
                }
            }
        }
        export["latencies"] = json!([{"row": 0, "buckets": [[number.abs(), u64::MAX]]}]);
        for page in [html(&[&export]), html(&[&export, &export])] {
            let page = page.to_lowercase();
            assert!(
                !page.contains("=\"nan") && !page.contains("=\"inf") && !page.contains("nan%"),
                "{number}: {page}"
            );
        }
    }
}

#[test]
fn what_an_export_says_is_text_and_nothing_else() {
    let mut export = export("2030-01-01T00:00:00Z");
    for key in ["title", "command", "machine"] {
        export[key] = json!(ATTACK);
    }
    for key in ["notes", "warnings"] {
        export[key] = json!([ATTACK]);
    }
    export["columns"][1]["heading"] = json!(ATTACK);
    export["groups"][0]["heading"] = json!(ATTACK);
    export["rows"][0]["failures"] = json!({ATTACK: 3});
    for page in [html(&[&export]), html(&[&export, &export])] {
        assert!(
            page.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;"),
            "{page}"
        );
        assert!(!page.contains("<script>alert"), "{page}");
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("</script>").count(), 1);
    }
}

#[test]
fn a_page_asks_nobody_for_anything() {
    for page in pages() {
        for reference in [
            "src=", "url(", "@import", "http://", "https://", "style=", " onclick", "<a ",
        ] {
            assert!(!page.contains(reference), "{reference}");
        }
        assert_eq!(
            page.matches("href=").count(),
            page.matches("href=\"data:,\"").count()
        );
    }
}

#[test]
fn the_policy_names_the_style_and_the_script_of_the_page() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use sha2::{Digest as _, Sha256};

    for page in pages() {
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for kind in ["style", "script"] {
            let text = between(&page, &format!("<{kind}>"), &format!("</{kind}>"));
            let hash = BASE64_STANDARD.encode(Sha256::digest(text));
            assert!(
                policy.contains(&format!("{kind}-src 'sha256-{hash}'")),
                "{policy}"
            );
        }
    }
}

#[test]
fn runs_are_compared_in_the_order_in_which_they_were_measured() {
    let mut early = export("2030-01-01T00:00:00Z");
    let mut late = export("2030-02-01T00:00:00Z");
    early["machine"] = json!("early machine");
    late["machine"] = json!("late machine");
    // 1 ms ± 10 % against 2 ms ± 10 %; the others stay as they are.
    for (key, ms) in [
        ("p50_ms", 2.0),
        ("p50_low_ms", 1.8),
        ("p50_high_ms", 2.2),
        ("p99_ms", 1.5),
    ] {
        late["rows"][0][key] = json!(ms);
    }
    late["rows"][1]["architecture"] = json!("new");
    early["notes"] = json!(["an early note"]);
    let page = html(&[&late, &early]);
    let runs = between(&page, "aria-labelledby=\"runs\"><thead>", "</table>");
    assert!(
        runs.find("early machine") < runs.find("late machine"),
        "{runs}"
    );
    let table = between(&page, "data-group=\"0\"", "</table>");
    let row = table
        .split("<tr>")
        .find(|row| row.contains(">server<") && row.contains("data-value=\"2\">2<"))
        .unwrap();
    for part in [
        ">2.000<",
        ">1.800 to 2.200<",
        ">+100.0<",
        ">slower<",
        ">-50.0<",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert_eq!(table.matches(">slower<").count(), 1);
    assert_eq!(table.matches(">not told apart<").count(), 1);
    assert_eq!(table.matches(">quick<").count(), 1);
    assert_eq!(table.matches(">new<").count(), 1);
    assert!(page.contains("Warnings of runs 1, 2") && page.contains("Notes of run 1<"));
}

#[test]
fn what_is_no_file_is_told_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let told = |path: &Path| read(path).unwrap_err().to_string();
    let missing = directory.path().join("missing.json");
    assert!(told(&missing).starts_with(&format!("{} can't be read: ", missing.display())));
    assert!(told(directory.path()).contains("can't be read: Is a directory"));
    std::fs::write(&missing, "{").unwrap();
    assert!(told(&missing).starts_with(&format!("{} is cut off: ", missing.display())));
}
