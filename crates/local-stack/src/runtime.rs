//! Which program runs a function of a runtime.

use std::path::{Path, PathBuf};

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// Why a function can't be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("runtime {0} is not supported locally")]
    Unsupported(String),
    #[error("{} is missing: run `cargo lambda build --release`", .0.display())]
    ProgramMissing(PathBuf),
}

/// The command for a deployment package in `directory`, which the template calls `code_uri`.
pub(crate) fn command(runtime: &str, directory: &Path, code_uri: &str) -> Result<Command, Error> {
    match runtime {
        // Lambda developer guide, "Using an OS-only runtime": the program is called bootstrap.
        "provided.al2023" | "provided.al2" => {
            let program = directory.join("bootstrap");
            if !program.is_file() {
                return Err(Error::ProgramMissing(Path::new(code_uri).join("bootstrap")));
            }
            Ok(Command {
                program,
                arguments: Vec::new(),
            })
        }
        _ => Err(Error::Unsupported(runtime.to_owned())),
    }
}
