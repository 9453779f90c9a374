//! The AWS emulator with the resources of the repository's own `template.yaml`.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

pub use backends::ministack::Ministack;
use backends::{Error, ministack};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::{
    aws::{self, SdkConfig},
    environment::MissingVariable,
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The emulator that all tests of a binary share. It ends with the process.
///
/// # Errors
///
/// When it cannot be started.
pub async fn shared() -> Result<&'static Ministack, Error> {
    static SHARED: OnceCell<Ministack> = OnceCell::const_new();
    SHARED
        .get_or_try_init(async || {
            Ministack::start(&ministack::find_program(Path::new(HERE))?).await
        })
        .await
}

/// An emulator of one's own, which may be suspended and has its state back when it is resumed.
///
/// # Errors
///
/// When it cannot be started.
pub async fn durable() -> Result<Ministack, Error> {
    Ministack::start_durable(&ministack::find_program(Path::new(HERE))?).await
}

/// Makes the table, bucket or queue with this logical id in the template, and returns what `Ref` gives for it. Each call
/// makes another one, so that tests which share an emulator share nothing in it.
///
/// # Errors
///
/// When the template has no such resource, or the emulator refuses it.
pub async fn make(emulator: &Ministack, logical_id: &str) -> Result<String, String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let template = local_stack::to_json(&Path::new(HERE).join("../../template.yaml"));
    let template = template.map_err(|error| error.to_string())?;
    let resource = template["Resources"]
        .get(logical_id)
        .ok_or_else(|| format!("the template has no {logical_id}"))?;
    let template = json!({
        "Resources": { logical_id: resource },
        "Outputs": { "Made": { "Value": { "Ref": logical_id } } },
    });
    let stack = format!("test-{}", MADE.fetch_add(1, Ordering::Relaxed));
    let outputs = emulator.deploy(&stack, &template).await;
    let mut outputs: BTreeMap<_, _> = outputs.map_err(|error| error.to_string())?;
    outputs
        .remove("Made")
        .ok_or_else(|| format!("{logical_id} has no name"))
}

/// The configuration of AWS clients that call this endpoint in place of AWS.
///
/// # Errors
///
/// Those of [`aws::config`].
pub fn config(endpoint: &str) -> Result<SdkConfig, MissingVariable> {
    let variables = ministack::variables(endpoint);
    aws::config_from(|name| {
        let variable = variables.iter().find(|(set, _)| *set == name);
        variable
            .map(|(_, value)| value.clone())
            .ok_or(MissingVariable(name))
    })
}
