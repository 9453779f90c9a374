//! Data directories: made by MariaDB's own installer, or copied.

use std::{fs, io, path::Path};

/// What the installer has to be told.
pub(crate) fn installer_arguments(data: &Path) -> Vec<String> {
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", data.display()),
        // No plugin that the server may not have.
        "--auth-root-authentication-method=normal".to_owned(),
        "--skip-test-db".to_owned(),
        LOG_FILE_SIZE.to_owned(),
    ];
    arguments.extend(user());
    arguments
}

/// A redo log of the default size would be most of an empty data directory.
pub(crate) const LOG_FILE_SIZE: &str = "--innodb-log-file-size=32M";

/// MariaDB does not run as root unless it is told to.
pub(crate) fn user() -> Option<String> {
    rustix::process::geteuid()
        .is_root()
        .then(|| "--user=root".to_owned())
}

/// Copies a directory with everything in it. The copy must not exist.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            self::copy(&entry.path(), &copy)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}
