//! Where MariaDB's programs are.

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Error;

/// Where a server may be although it is not in the `PATH` of those who are not root.
const DIRECTORIES_OF_SERVERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"];

/// Finds the server: what `MARIADBD` names if it is set (none, if it is empty), or `mariadbd` in `PATH` or where systems keep servers, or a
/// `mysqld` there that is MariaDB's.
pub fn find_program() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os("MARIADBD").map(PathBuf::from) {
        return match named.is_file() {
            true => Ok(named),
            false if named.as_os_str().is_empty() => Err(not_installed()),
            false => Err(Error::NoSuchProgram {
                program: named,
                variable: "MARIADBD",
            }),
        };
    }
    find("mariadbd")
        .or_else(|| find("mysqld").filter(|program| is_mariadb(program)))
        .ok_or_else(not_installed)
}

/// What [`find_program`] says when there is no server.
pub fn not_installed() -> Error {
    Error::NotInstalled {
        server: "MariaDB",
        remedy: "install mariadb-server (Debian or Ubuntu: sudo apt-get install mariadb-server-core mariadb-client-core)",
    }
}

/// Finds the program that makes a data directory for this server: beside it, or where [`find_program`] looks.
pub(crate) fn find_installer(server: &Path) -> Result<PathBuf, Error> {
    const NAME: &str = "mariadb-install-db";
    let prefix = server.parent().and_then(Path::parent);
    let beside = prefix
        .into_iter()
        .flat_map(|prefix| ["bin", "scripts"].map(|directory| prefix.join(directory).join(NAME)));
    beside
        .into_iter()
        .find(|candidate| candidate.is_file())
        .or_else(|| find(NAME))
        .ok_or_else(not_installed)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(DIRECTORIES_OF_SERVERS.map(PathBuf::from))
        .map(|directory| directory.join(OsStr::new(name)))
        .find(|candidate| candidate.is_file())
}

/// What the server says of itself: a data directory is best used by the server that made it.
pub fn version() -> Result<String, Error> {
    version_of(&find_program()?).map_err(Error::io("MariaDB can't be started"))
}

fn is_mariadb(program: &Path) -> bool {
    version_of(program).is_ok_and(|version| version.contains("MariaDB"))
}

fn version_of(program: &Path) -> io::Result<String> {
    let output = Command::new(program)
        .args(["--no-defaults", "--version"])
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
