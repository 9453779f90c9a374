//! The page of `latency up` in a real browser: what it shows is what the server did.

use std::{fs, path::Path};

use fantoccini::{Locator, key::Key};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;

use crate::{
    browser::{Browser, until},
    command::send,
    stack::{finished, in_its_session},
};

/// `latency up`, and what its functions log.
struct Served {
    child: Child,
    url: String,
    logs: TempDir,
}

impl Served {
    /// On a free port if it is 0.
    async fn start(port: &str) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let said = tempfile::NamedTempFile::new().unwrap();
        let mut child = in_its_session(&["up", "--port", port, "--logs"]);
        let child = child
            .arg(logs.path())
            .stdout(said.reopen().unwrap())
            .spawn()
            .unwrap();
        let url = until("it serves", async || {
            let said = fs::read_to_string(said.path()).unwrap();
            let line = said.lines().find(|line| line.contains("  the page: "))?;
            let url = line.split_whitespace().nth(1)?;
            Some(url.trim_end_matches('/').to_owned())
        })
        .await;
        Self { child, url, logs }
    }

    async fn stop(self) {
        send(self.child.id().unwrap(), Signal::INT);
        assert_eq!(finished(self.child).await.code, Some(0));
    }

    /// The durations in the REPORT lines of a function's log, in milliseconds and in order.
    fn durations(&self, function: &str) -> Vec<f64> {
        durations(&self.logs.path().join(format!("{function}.log")))
    }
}

fn durations(log: &Path) -> Vec<f64> {
    let log = fs::read_to_string(log).unwrap_or_default();
    let reports = log
        .lines()
        .filter(|line| line.contains("REPORT RequestId: "));
    let duration = |line: &str| {
        line.split_once("\tDuration: ")?
            .1
            .split(' ')
            .next()?
            .parse()
            .ok()
    };
    reports.map(|line| duration(line).unwrap()).collect()
}

/// The page of a stack, in a browser. `None` where there is no browser.
async fn opened() -> Option<(Browser, Served)> {
    let browser = Browser::start().await?;
    let served = Served::start("0").await;
    browser
        .client
        .goto(&format!("{}/", served.url))
        .await
        .unwrap();
    browser
        .until_text("#counters", |text| text.contains("counter-s3"))
        .await;
    Some((browser, served))
}

/// Ends both, having looked at what the browser has to complain of.
async fn closed(browser: Browser, served: Served) {
    assert_eq!(browser.console().await, [""; 0]);
    let elsewhere = browser
        .script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)
                 .filter((name) => new URL(name).origin !== location.origin)",
        )
        .await;
    assert_eq!(elsewhere, Value::Array(Vec::new()));
    browser.stop().await;
    served.stop().await;
}

/// The focused element's text, or its id where it has none.
async fn focused(browser: &Browser) -> String {
    let script = "const it = document.activeElement; return it.textContent.trim() || it.id";
    browser.script(script).await.as_str().unwrap().to_owned()
}

async fn press(browser: &Browser, keys: &str) {
    let focused = browser.client.active_element().await.unwrap();
    focused.send_keys(keys).await.unwrap();
}

async fn tab_to(browser: &Browser, wanted: &str) {
    for _ in 0..20 {
        press(browser, &String::from(char::from(Key::Tab))).await;
        if focused(browser).await == wanted {
            return;
        }
    }
    panic!("Tab does not lead to {wanted}");
}

const ENTER: char = '\u{E007}';

/// One browser and one stack for what leaves both as they were: to start them takes longest.
#[tokio::test]
async fn what_the_page_shows_is_what_the_server_did() {
    let Some((browser, served)) = opened().await else {
        return;
    };
    every_button_counts_and_says_how_long_it_took(&browser, &served).await;
    a_comparison_shows_as_many_calls_as_the_server_reports_and_none_shorter(&browser, &served)
        .await;
    it_is_used_by_keyboard_and_read_aloud(&browser).await;
    closed(browser, served).await;
}

async fn every_button_counts_and_says_how_long_it_took(browser: &Browser, served: &Served) {
    let buttons = browser
        .client
        .find_all(Locator::Css("#counters button"))
        .await
        .unwrap();
    assert_eq!(buttons.len(), 2, "one for each counter, and none for empty");
    for count in 1..=2 {
        for (at, button) in buttons.iter().enumerate() {
            button.click().await.unwrap();
            let answer = format!("#counters li:nth-child({}) output", at + 1);
            let text = browser
                .until_text(&answer, |text| text.starts_with(&format!("{count} hits, ")))
                .await;
            let took = text.split(' ').nth(2).unwrap();
            assert!(took.parse::<f64>().unwrap() > 0.0, "{text}");
        }
    }
    for function in ["counter-dynamodb", "counter-s3"] {
        until("each call is in the log", async || {
            (served.durations(function).len() == 2).then_some(())
        })
        .await;
    }
}

async fn it_is_used_by_keyboard_and_read_aloud(browser: &Browser) {
    tab_to(browser, "Hit counter-dynamodb").await;
    let before = browser.text("#counters output").await;
    press(browser, &ENTER.to_string()).await;
    browser
        .until_text("#counters output", |text| {
            text != before && text.ends_with(" ms")
        })
        .await;
    assert_eq!(focused(browser).await, "Hit counter-dynamodb");
    tab_to(browser, "calls").await;
    let script = "document.getElementById('calls').select()";
    browser.script(script).await;
    press(browser, &format!("2000{ENTER}")).await;
    browser.until_text("#run", |text| text == "Stop").await;
    tab_to(browser, "Stop").await;
    press(browser, &ENTER.to_string()).await;
    browser
        .until_text("#progress", |text| text == "Stopped")
        .await;
    assert_eq!(focused(browser).await, "Compare");

    // By role and name, as a screen reader has it.
    for (css, role, name) in [
        ("#calls", "spinbutton", "Calls to each"),
        ("#run", "button", "Compare"),
        ("#progress", "status", ""),
        ("#problem", "alert", ""),
        ("#counters output", "status", ""),
        (
            "#results",
            "table",
            "Latency from this browser, in milliseconds; cost in US dollars",
        ),
    ] {
        let element = browser.client.find(Locator::Css(css)).await.unwrap();
        let of = async |what| browser.computed(&element, what).await;
        assert_eq!(of("computedrole").await, role, "{css}");
        assert_eq!(of("computedlabel").await, name, "{css}");
    }
    let histogram = browser.attribute("#histograms svg", "aria-label").await;
    assert!(histogram.contains("half of them within"), "{histogram}");
    // On a phone nothing but the table is wider than the screen.
    browser.client.set_window_size(360, 740).await.unwrap();
    let overflow = "return document.documentElement.scrollWidth - innerWidth";
    assert!(browser.script(overflow).await.as_f64().unwrap() <= 0.0);
}

async fn a_comparison_shows_as_many_calls_as_the_server_reports_and_none_shorter(
    browser: &Browser,
    served: &Served,
) {
    const CALLS: usize = 60;
    const FUNCTIONS: [&str; 3] = ["empty", "counter-dynamodb", "counter-s3"];
    let before = FUNCTIONS.map(|function| served.durations(function).len());
    let script = format!("document.getElementById('calls').value = {CALLS}");
    browser.script(&script).await;
    let run = browser.client.find(Locator::Id("run")).await.unwrap();
    run.click().await.unwrap();
    browser
        .until_text("#progress", |text| text.starts_with("Done: "))
        .await;
    let resolution = match browser.script("return crossOriginIsolated").await.as_bool() {
        Some(true) => 0.005,
        _ => 0.1,
    };
    for (function, before) in FUNCTIONS.into_iter().zip(before) {
        let row = format!("#results tr[data-architecture=\"{function}\"]");
        let cell = async |column: &str| {
            browser
                .text(&format!("{row} [data-column=\"{column}\"]"))
                .await
        };
        let number = async |column: &str| cell(column).await.parse::<f64>().unwrap();
        assert_eq!(number("calls").await, CALLS as f64);
        assert_eq!(number("failures").await, 0.0);
        let reported = until("each call is in the log", async || {
            // The first call is apart.
            Some(served.durations(function)).filter(|them| them.len() == before + CALLS + 1)
        })
        .await;
        let reported = &reported[before + 1..];

        let bars = format!(
            "return [...document.querySelectorAll('#histograms [data-architecture=\"{function}\"] rect')]
                 .map((bar) => [+bar.dataset.from, +bar.dataset.to, +bar.dataset.count])"
        );
        let bars: Vec<[f64; 3]> = serde_json::from_value(browser.script(&bars).await).unwrap();
        let drawn: f64 = bars.iter().map(|[_, _, count]| count).sum();
        assert_eq!(drawn, CALLS as f64, "{bars:?}");

        // The page saw each call for at least as long as the function did.
        let mut sorted = reported.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [mean, p50, p99] = [
            number("mean").await,
            number("p50").await,
            number("p99").await,
        ];
        let least_mean = reported.iter().sum::<f64>() / CALLS as f64;
        // Two decimals are shown, of a clock with steps.
        let slack = resolution + 0.01;
        assert!(mean + slack >= least_mean, "{mean} {least_mean}");
        assert!(p50 + slack >= sorted[CALLS / 2 - 1], "{p50} {sorted:?}");
        assert!(p99 + slack >= sorted[CALLS - 1], "{p99} {sorted:?}");
        assert!(p50 <= p99, "{p50} {p99}");
        // p50 stands where half of the bars' calls are, p99 of so few calls in the last bar.
        let mut below = 0.0;
        let mut bars = bars;
        bars.sort_by(|one, other| one[0].total_cmp(&other[0]));
        let median = bars.iter().find(|[_, _, count]| {
            below += count;
            below >= drawn / 2.0
        });
        let [from, to, _] = median.unwrap();
        assert!((from - 0.01..to + 0.01).contains(&p50), "{p50} {bars:?}");
        let [from, to, _] = bars.last().unwrap();
        assert!((from - 0.01..to + 0.01).contains(&p99), "{p99} {bars:?}");
    }
    let published =
        "#results tr[data-architecture=\"counter-dynamodb\"] [data-column=\"published\"]";
    assert_eq!(browser.text(published).await, "26");
    let none = "#results tr[data-architecture=\"empty\"] [data-column=\"published\"]";
    assert_eq!(browser.text(none).await, "–");
}

#[tokio::test]
async fn with_the_api_away_the_page_says_so_and_works_again_when_it_is_back() {
    let Some((browser, served)) = opened().await else {
        return;
    };
    let port = served.url.rsplit(':').next().unwrap().to_owned();
    let button = browser
        .client
        .find(Locator::Css("#counters button"))
        .await
        .unwrap();
    button.click().await.unwrap();
    browser
        .until_text("#counters output", |text| text.starts_with("1 hits, "))
        .await;
    served.stop().await;
    button.click().await.unwrap();
    browser
        .until_text("#problem", |text| text.contains("can't be reached"))
        .await;
    assert_eq!(browser.text("#counters output").await, "No answer");
    let run = browser.client.find(Locator::Id("run")).await.unwrap();
    run.click().await.unwrap();
    browser
        .until_text("#progress", |text| text.starts_with("Ended early"))
        .await;
    // The browser itself tells the console of connections that are refused.
    let told = browser.console().await;
    assert!(
        !told.is_empty() && told.iter().all(|it| it.contains("ERR_CONNECTION_REFUSED")),
        "{told:?}"
    );

    let served = Served::start(&port).await;
    button.click().await.unwrap();
    browser
        .until_text("#counters output", |text| text.starts_with("1 hits, "))
        .await;
    assert_eq!(browser.text("#problem").await, "");
    browser
        .script("document.getElementById('calls').value = 3")
        .await;
    run.click().await.unwrap();
    browser
        .until_text("#progress", |text| text.starts_with("Done: 3 calls"))
        .await;
    closed(browser, served).await;
}
