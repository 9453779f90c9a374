//! Where MariaDB's programs are.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Error,
    installed::{Installed, find},
};

const MARIADB: Installed = Installed {
    server: "MariaDB",
    variable: "MARIADBD",
    remedy: "install mariadb-server (Debian or Ubuntu: sudo apt-get install mariadb-server-core mariadb-client-core)",
};

/// Finds the server: what `MARIADBD` names if it is set (none, if it is empty), or `mariadbd` in `PATH` or where systems keep servers, or a
/// `mysqld` there that is MariaDB's.
pub fn find_program() -> Result<PathBuf, Error> {
    MARIADB.find(|| find("mariadbd").or_else(|| find("mysqld").filter(|it| is_mariadb(it))))
}

/// What [`find_program`] says when there is no server.
pub fn not_installed() -> Error {
    MARIADB.missing()
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
