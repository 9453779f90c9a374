//! Which program runs a function of a runtime.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A program, its arguments, and the variables that its runtime sets, unless the function has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

/// Why a function can't be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("runtime {0} is not supported locally")]
    Unsupported(String),
    #[error("{} is missing: run `cargo lambda build --release`, for a baseline `make baselines`", .0.display())]
    ProgramMissing(PathBuf),
    /// Not on this machine.
    #[error("{0}")]
    NotHere(String),
}

/// Beside a program that could not be built, and in its place: a line that says why.
const REASON: &str = "bootstrap.missing";

/// Where the tools are installed that run functions of managed runtimes: `.tools` in `start` or the nearest directory above it
/// that has one, else `.tools` in `start`, whether or not it is there.
///
/// # Errors
/// `start` is relative, and the working directory can't be read.
pub fn find_tools(start: &Path) -> std::io::Result<PathBuf> {
    let start = std::path::absolute(start)?;
    let mut all = start
        .ancestors()
        .map(|directory| directory.join(".tools"))
        .filter(|tools| tools.is_dir());
    let nearest = all.next();
    Ok(nearest.unwrap_or_else(|| start.join(".tools")))
}

/// The command for a deployment package in `directory`, which the template calls `code_uri`, with this handler. `tools` is as
/// in [`find_tools`].
pub(crate) fn command(
    runtime: &str,
    handler: &str,
    directory: &Path,
    code_uri: &str,
    tools: &Path,
) -> Result<Command, Error> {
    match runtime {
        "provided.al2023" | "provided.al2" => bootstrap(directory, code_uri),
        _ if is_version(runtime, "python3.", "") => python(runtime, handler, tools),
        _ if is_version(runtime, "nodejs", ".x") => javascript(runtime, directory, tools),
        _ => Err(Error::Unsupported(runtime.to_owned())),
    }
}

/// Lambda developer guide, "Using an OS-only runtime": the program is called bootstrap.
fn bootstrap(directory: &Path, code_uri: &str) -> Result<Command, Error> {
    let program = directory.join("bootstrap");
    if program.is_file() {
        return Ok(Command {
            program,
            ..Command::default()
        });
    }
    Err(match fs::read_to_string(directory.join(REASON)) {
        Ok(reason) => Error::NotHere(format!("it is not built: {}", reason.trim())),
        Err(_) => Error::ProgramMissing(Path::new(code_uri).join("bootstrap")),
    })
}

/// By the runtime interface client of the `.tools`, on whichever Python they were installed with.
fn python(runtime: &str, handler: &str, tools: &Path) -> Result<Command, Error> {
    Ok(Command {
        program: installed(runtime, "lambda-python", "bin/python", tools)?,
        arguments: ["-m", "awslambdaric", handler].map(str::to_owned).into(),
        variables: vec![
            execution_environment(runtime),
            // On Lambda the function's directory can't be written to.
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ],
    })
}

/// By the runtime interface client of the `.tools`, on their Node.js.
fn javascript(runtime: &str, directory: &Path, tools: &Path) -> Result<Command, Error> {
    const TOOL: &str = "lambda-javascript";
    let program = installed(runtime, TOOL, "bin/node", tools)?;
    let text = |path: PathBuf| path.display().to_string();
    let modules = tools.join(TOOL).join("node_modules");
    Ok(Command {
        program,
        arguments: vec![
            "--import".to_owned(),
            text(tools.join(TOOL).join("node-path.mjs")),
            text(modules.join("aws-lambda-ric/index.mjs")),
        ],
        variables: vec![
            execution_environment(runtime),
            // As /var/runtime/node_modules and /var/task on Lambda.
            (
                "NODE_PATH".to_owned(),
                format!("{}:{}", modules.display(), directory.display()),
            ),
        ],
    })
}

/// Lambda developer guide, "Defined runtime environment variables": managed runtimes have it, OS-only ones do not.
fn execution_environment(runtime: &str) -> (String, String) {
    (
        "AWS_EXECUTION_ENV".to_owned(),
        format!("AWS_Lambda_{runtime}"),
    )
}

/// A tool's program. Its installation is complete once there is a file that says so.
fn installed(runtime: &str, tool: &str, program: &str, tools: &Path) -> Result<PathBuf, Error> {
    let path = tools.join(tool).join(program);
    if tools.join(format!("{tool}.installed")).is_file() && path.is_file() {
        return Ok(path);
    }
    Err(Error::NotHere(format!(
        "what runs {runtime} is not installed: `make baselines` installs it, or says why it can't"
    )))
}

/// Whether this is `prefix`, a whole number, `suffix`.
fn is_version(runtime: &str, prefix: &str, suffix: &str) -> bool {
    let version = runtime
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix));
    version.is_some_and(|version| version.parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(runtime: &str, directory: &Path, tools: &Path) -> Result<Command, String> {
        let command = command(runtime, "hits.handler", directory, "functions/one", tools);
        command.map_err(|error| error.to_string())
    }

    fn make(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn a_managed_runtime_is_run_by_its_client_in_the_tools() {
        let root = tempfile::tempdir().unwrap();
        let tools = root.path();
        for file in [
            "lambda-python/bin/python",
            "lambda-python.installed",
            "lambda-javascript/bin/node",
            "lambda-javascript.installed",
        ] {
            make(&tools.join(file));
        }
        let python = of("python3.13", Path::new("/task"), tools).unwrap();
        assert_eq!(python.program, tools.join("lambda-python/bin/python"));
        assert_eq!(python.arguments, ["-m", "awslambdaric", "hits.handler"]);
        assert!(python.variables.contains(&(
            "AWS_EXECUTION_ENV".to_owned(),
            "AWS_Lambda_python3.13".to_owned()
        )));
        let node = of("nodejs22.x", Path::new("/task"), tools).unwrap();
        assert_eq!(node.program, tools.join("lambda-javascript/bin/node"));
        let modules = tools.join("lambda-javascript/node_modules");
        assert!(node.variables.contains(&(
            "NODE_PATH".to_owned(),
            format!("{}:/task", modules.display())
        )));
    }

    #[test]
    fn a_runtime_whose_client_is_not_wholly_installed_can_not_run_here() {
        let root = tempfile::tempdir().unwrap();
        make(&root.path().join("lambda-python/bin/python"));
        for runtime in ["python3.13", "nodejs22.x"] {
            assert_eq!(
                of(runtime, Path::new("/task"), root.path()).unwrap_err(),
                format!(
                    "what runs {runtime} is not installed: `make baselines` installs it, or says why it can't"
                )
            );
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_unless_it_could_not_be_built() {
        let package = tempfile::tempdir().unwrap();
        let tools = Path::new("/nowhere");
        assert_eq!(
            of("provided.al2023", package.path(), tools).unwrap_err(),
            "functions/one/bootstrap is missing: run `cargo lambda build --release`, for a baseline `make baselines`"
        );
        fs::write(package.path().join(REASON), "there is no compiler\n").unwrap();
        assert_eq!(
            of("provided.al2023", package.path(), tools).unwrap_err(),
            "it is not built: there is no compiler"
        );
        make(&package.path().join("bootstrap"));
        assert!(of("provided.al2023", package.path(), tools).is_ok());
    }

    #[test]
    fn other_runtimes_are_not_supported() {
        for runtime in ["ruby3.4", "python2.7", "python3.x", "nodejs22", "nodejs.x"] {
            let error = of(runtime, Path::new("/task"), Path::new("/tools")).unwrap_err();
            assert_eq!(error, format!("runtime {runtime} is not supported locally"));
        }
    }

    #[test]
    fn the_tools_of_the_nearest_directory_above_are_found() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("crates/one");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir_all(root.path().join(".tools")).unwrap();
        assert_eq!(find_tools(&below).unwrap(), root.path().join(".tools"));
    }
}
