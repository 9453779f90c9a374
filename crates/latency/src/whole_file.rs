//! Files that are there whole or not at all: whoever reads one while it is made again reads the old one.

use std::{
    fs::{self, File, Permissions},
    io::{BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

/// Puts what `content` writes into the file, in place of what was in it.
///
/// # Errors
/// It can't be written, or `content` fails: then the file is as before.
pub(crate) fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let found = fs::metadata(path).ok();
    if found.is_some_and(|found| !found.is_file()) {
        // A pipe or a terminal, say: nothing can take its place.
        let mut file = BufWriter::new(File::create(path)?);
        content(&mut file)?;
        return Ok(file.flush()?);
    }
    // The place of a link is not taken either, but that of the file it names.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|it| *it != Path::new(""));
    let mut unfinished = tempfile::Builder::new()
        // As for any new file: the umask takes from it what it takes.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    let mut file = BufWriter::new(unfinished.as_file_mut());
    content(&mut file)?;
    file.flush()?;
    drop(file);
    unfinished.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_content_fails_is_as_before_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write(&path, |file| Ok(file.write_all(b"old")?)).unwrap();
        let failed = write(&path, |file| {
            file.write_all(b"half")?;
            anyhow::bail!("no more")
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_has_the_permissions_of_any_new_one_and_a_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link, plain] = ["a", "b", "c"].map(|name| directory.path().join(name));
        File::create(&plain).unwrap();
        write(&path, |_| Ok(())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, |file| Ok(file.write_all(b"new")?)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_is_no_file_is_written_to() {
        write(Path::new("/dev/null"), |file| Ok(file.write_all(b"gone")?)).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
