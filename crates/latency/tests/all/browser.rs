//! A real browser, headless, with the driver that moves it: one of each a test, ended with everything that they started.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::Once,
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand,
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::{ParseError, Url};

use crate::stack::LONG;

/// Set where a browser must be there: what can't be tested is an error then.
const REQUIRED: &str = "BROWSER";

const MISSING: &str =
    "the tests in a browser need chromium and chromedriver (Debian: chromium chromium-driver)";

pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    _directory: TempDir,
}

impl Browser {
    /// `None` where there is no browser, said in one line.
    pub(crate) async fn start() -> Option<Self> {
        let (Some(chromium), Some(driver)) = (program("chromium"), program("chromedriver")) else {
            let required = std::env::var(REQUIRED).is_ok_and(|value| value == "required");
            assert!(!required, "{MISSING}");
            static SAID: Once = Once::new();
            SAID.call_once(|| latency::output::say(&format!("skipped: {MISSING}")));
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("chromedriver.log");
        // In a process group of its own, to which the browser belongs.
        let driver = Command::new(driver)
            .arg("--port=0")
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let port = until("chromedriver says its port", async || {
            let text = fs::read_to_string(&log).unwrap();
            let (_, rest) = text.split_once("started successfully on port ")?;
            Some(rest.split_once('.')?.0.to_owned())
        })
        .await;
        let mut arguments = vec![
            "--headless".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!(
                "--user-data-dir={}",
                directory.path().join("profile").display()
            ),
        ];
        // Its sandbox can't be had as root.
        if rustix::process::geteuid().is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        let capabilities = json!({
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self {
            client,
            driver,
            _directory: directory,
        })
    }

    /// What the page's console was told since the last time.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(BrowserLog).await.unwrap();
        let entries = entries.as_array().unwrap();
        entries.iter().map(ToString::to_string).collect()
    }

    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// The text of the first element that fits.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
        let text = self.client.execute(script, vec![json!(css)]).await.unwrap();
        text.as_str().unwrap().to_owned()
    }

    pub(crate) async fn attribute(&self, css: &str, name: &str) -> String {
        let element = self.client.find(Locator::Css(css)).await.unwrap();
        element.attr(name).await.unwrap().unwrap_or_default()
    }

    /// An element's `computedrole` or `computedlabel`, as assistive technology has it.
    pub(crate) async fn computed(&self, element: &Element, what: &'static str) -> String {
        let command = Computed {
            element: element.element_id().to_string(),
            what,
        };
        let computed = self.client.issue_cmd(command).await.unwrap();
        computed.as_str().unwrap().to_owned()
    }

    /// Waits for a text of the first element that fits.
    pub(crate) async fn until_text(&self, css: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(&format!("{css} says what it should"), async || {
            Some(self.text(css).await).filter(|text| wanted(text))
        })
        .await
    }

    pub(crate) async fn stop(mut self) {
        self.client.clone().close().await.unwrap();
        let group = Pid::from_raw(self.driver.id().unwrap().cast_signed()).unwrap();
        kill_process_group(group, Signal::TERM).unwrap();
        self.driver.wait().await.unwrap();
    }
}

impl Drop for Browser {
    /// A test that failed leaves no browser behind either.
    fn drop(&mut self) {
        if let Some(id) = self
            .driver
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
        {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Asks until there is an answer, for a long time at most.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < LONG, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// What a console was told: chromedriver's own command, which WebDriver lacks.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "type": "browser" });
        (Method::POST, Some(body.to_string()))
    }
}

/// WebDriver's "Get Computed Role" and "Get Computed Label".
#[derive(Debug)]
struct Computed {
    element: String,
    what: &'static str,
}

impl WebDriverCompatibleCommand for Computed {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        let Self { element, what } = self;
        base.join(&format!("session/{session}/element/{element}/{what}"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::GET, None)
    }
}
