//! Programs that come with the system's packages.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::Error;

/// Where a server may be although it is not in the `PATH` of those who are not root.
const DIRECTORIES_OF_SERVERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"];

/// A server that is installed, or is not.
pub(crate) struct Installed {
    pub(crate) server: &'static str,
    /// The environment variable that names its program.
    pub(crate) variable: &'static str,
    pub(crate) remedy: &'static str,
}

impl Installed {
    /// What its variable names if that is set (none, if it is empty), or what `search` finds.
    pub(crate) fn find(&self, search: impl FnOnce() -> Option<PathBuf>) -> Result<PathBuf, Error> {
        match env::var_os(self.variable).map(PathBuf::from) {
            None => search().ok_or_else(|| self.missing()),
            Some(named) if named.as_os_str().is_empty() => Err(self.missing()),
            Some(named) if named.is_file() => Ok(named),
            Some(program) => Err(Error::NoSuchProgram {
                program,
                variable: self.variable,
            }),
        }
    }

    pub(crate) fn missing(&self) -> Error {
        Error::NotInstalled {
            server: self.server,
            remedy: self.remedy,
        }
    }
}

/// Where a program of this name is: in `PATH`, or where systems keep servers.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(DIRECTORIES_OF_SERVERS.map(PathBuf::from))
        .map(|directory| directory.join(Path::new(name)))
        .find(|candidate| candidate.is_file())
}
