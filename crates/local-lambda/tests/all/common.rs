//! What the tests of this crate share: a function in Python, and waiting for a condition.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use local_lambda::Function;

/// A function that does what each event asks of it, as `function.py` says.
pub(crate) fn function(name: &str) -> Function {
    Function {
        name: name.to_owned(),
        program: "/usr/bin/env".into(),
        arguments: vec!["python3".to_owned(), script().display().to_string()],
        directory: script().parent().unwrap().to_owned(),
        handler: "bootstrap".to_owned(),
        environment: BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]),
        runtime_variables: BTreeMap::new(),
        memory_mb: 128,
        timeout: Duration::from_secs(10),
        reserved_concurrency: None,
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/function.py")
}

/// Waits until the condition holds; a test that waits for ever is a failed one.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "never came true: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
