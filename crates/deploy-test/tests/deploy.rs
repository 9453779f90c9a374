//! `make test-deploy`. It needs the functions, built for Lambda, and the tools in `.tools/`.

use std::{path::Path, process::ExitCode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match deploy_test::run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deploy test: {error:#}");
            ExitCode::FAILURE
        }
    }
}
