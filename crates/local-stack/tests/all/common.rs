//! The stack that the tests run: the repository's own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use local_lambda::HostSettings;
use local_stack::{DatabaseSettings, Distances, Settings, Stack};

/// The repository's root, where the template lies.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The repository's own template on a free port.
pub(crate) fn settings() -> Settings {
    Settings {
        template: root().join("template.yaml"),
        parameters: BTreeMap::new(),
        port: 0,
        host: HostSettings::default(),
        ministack: backends::ministack::find_program(&root()).unwrap(),
        tools: local_stack::find_tools(&root()).unwrap(),
        durable: false,
        distances: Distances::default(),
        database: DatabaseSettings::default(),
    }
}

/// The same with a database and the functions that read it.
pub(crate) fn settings_with_database() -> Settings {
    Settings {
        parameters: BTreeMap::from([("Database".to_owned(), "aurora".to_owned())]),
        database: DatabaseSettings {
            required: true,
            ..DatabaseSettings::default()
        },
        ..settings()
    }
}

/// The repository's own template, running. The functions must be built: the error says how.
pub(crate) async fn start(settings: Settings) -> Stack {
    match Stack::start(settings).await {
        Ok(stack) => stack,
        Err(error) => panic!("{error}"),
    }
}
