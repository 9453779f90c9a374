//! Where the ministack program is.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::Error;

/// Finds the program: `MINISTACK` if set, or `.tools/ministack/bin/ministack` in `start` or the nearest directory above
/// it, or `ministack` in `PATH`.
pub fn find_program(start: &Path) -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os("MINISTACK").map(PathBuf::from) {
        return match named.is_file() {
            true => absolute(&named),
            false => Err(Error::NoSuchProgram {
                program: named,
                variable: "MINISTACK",
            }),
        };
    }
    let start = absolute(start)?;
    let installed = start
        .ancestors()
        .map(|directory| directory.join(".tools/ministack/bin/ministack"));
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|directory| directory.join("ministack"));
    installed
        .chain(in_path)
        .find(|candidate| candidate.is_file())
        .ok_or(Error::NotInstalled {
            server: "ministack",
            remedy: "run `make tools`, or give its path in MINISTACK",
        })
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(Error::io("the working directory can't be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_the_nearest_directory_above_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(".tools/ministack/bin/ministack");
        let below = directory.path().join("crates/one");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(&program, "").unwrap();
        assert_eq!(find_program(&below).unwrap(), program);
    }
}
