//! The file that keeps the count.
//!
//! It has the count twice, each copy in a block of its own with a checksum. Both are overwritten in place, the first before
//! the second, and `fdatasync` puts them on the disk before a hit is answered. Whatever happens in between, and whichever copy
//! it breaks, the other one has all hits that were answered:
//!
//! - while the first is written, the second has the count before it;
//! - while the second is written, the first has the new count, whose hits were not answered yet;
//! - after that, both have the same.
//!
//! If both are whole, the higher count is right: at worst its hits were not answered, so a number is left out, but none is
//! given twice. If both are broken, nobody knows the count, and the server does not start.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Where the copies begin. A disk writes 4 KiB at once, at most: it breaks no two copies with one blow.
const COPIES: [u64; 2] = [0, 4096];

const LENGTH: u64 = 8192;

/// A copy: what it is, the version of its format, the count, and the CRC-32 of all that.
const RECORD_LENGTH: usize = 47;

/// Why there is no state, or no new one, in one line each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {what}: {cause}", path.display())]
    Io {
        path: PathBuf,
        what: &'static str,
        cause: io::Error,
    },
    #[error("{} is damaged: neither of its copies of the count is whole. Put a backup in its place, or move it away to count from 0", .0.display())]
    Damaged(PathBuf),
    #[error("{} is not a file", .0.display())]
    NotFile(PathBuf),
    #[error("{} is of a newer version: start the newer counter-server", .0.display())]
    Newer(PathBuf),
    #[error("{} is in use: end the other counter-server first", .0.display())]
    InUse(PathBuf),
    #[error("{} can't count further", .0.display())]
    Full(PathBuf),
}

/// The file, held for this process alone.
#[derive(Debug)]
pub(crate) struct StateFile {
    file: File,
    path: PathBuf,
    count: u64,
    warning: Option<String>,
}

impl StateFile {
    /// Opens the file, or makes it if there is none; its directory must be there.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut state = match Self::existing(path)? {
            Some(state) => state,
            None => Self::new(path)?,
        };
        // Both copies whole again, and a disk that can't be written found out before anybody counts on it.
        state.add(0)?;
        Ok(state)
    }

    /// All hits that were ever answered, and maybe some that were not.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// What was found wrong with the file, and is mended.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Puts the count with so many hits more on the disk. After an error, the disk has the count before or after: try again.
    pub(crate) fn add(&mut self, hits: u64) -> Result<(), Error> {
        let count = self.count.checked_add(hits);
        let count = count.ok_or_else(|| Error::Full(self.path.clone()))?;
        let record = record(count);
        COPIES
            .into_iter()
            .try_for_each(|at| self.file.write_all_at(&record, at))
            .and_then(|()| self.file.sync_data())
            .map_err(io_error(&self.path, "the count can't be written"))?;
        self.count = count;
        Ok(())
    }

    fn existing(path: &Path) -> Result<Option<Self>, Error> {
        let file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                return Err(Error::NotFile(path.to_owned()));
            }
            Err(error) => return Err(io_error(path, "the state can't be opened")(error)),
        };
        let about = file.metadata();
        if !about
            .map_err(io_error(path, "the state can't be read"))?
            .is_file()
        {
            return Err(Error::NotFile(path.to_owned()));
        }
        lock(&file, path)?;
        let mut counts = Vec::new();
        for at in COPIES {
            let mut copy = [0; RECORD_LENGTH];
            match file.read_exact_at(&mut copy, at) {
                // A file that was cut short has fewer copies.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
                read => read.map_err(io_error(path, "the state can't be read"))?,
            }
            match count(&copy) {
                Copy::Whole(count) => counts.push(count),
                Copy::Newer => return Err(Error::Newer(path.to_owned())),
                Copy::Broken => {}
            }
        }
        let Some(count) = counts.iter().copied().max() else {
            return Err(Error::Damaged(path.to_owned()));
        };
        let warning = (counts.len() < COPIES.len()).then(|| {
            let path = path.display();
            format!("{path}: one of two copies of the count was broken; the other says {count}")
        });
        Ok(Some(Self {
            file,
            path: path.to_owned(),
            count,
            warning,
        }))
    }

    /// Makes the file whole before it has its name: there is no moment when it looks damaged.
    fn new(path: &Path) -> Result<Self, Error> {
        let failed = || io_error(path, "the state can't be made");
        let directory = match path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        let mut unnamed = NamedTempFile::new_in(directory).map_err(failed())?;
        let block = vec![0; LENGTH as usize];
        unnamed.write_all(&block).map_err(failed())?;
        for at in COPIES {
            let made = unnamed.as_file().write_all_at(&record(0), at);
            made.map_err(failed())?;
        }
        unnamed.as_file().sync_all().map_err(failed())?;
        lock(unnamed.as_file(), path)?;
        let file = match unnamed.persist_noclobber(path) {
            Ok(file) => file,
            Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::InUse(path.to_owned()));
            }
            Err(error) => return Err(failed()(error.error)),
        };
        // The name as well, or a power loss takes it away.
        let named = fs::File::open(directory).and_then(|directory| directory.sync_all());
        named.map_err(failed())?;
        Ok(Self {
            file,
            path: path.to_owned(),
            count: 0,
            warning: None,
        })
    }
}

/// Two processes on one file would give the same numbers.
fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => {
            Err(io_error(path, "the file system can't lock it")(error))
        }
    }
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |cause| Error::Io { path, what, cause }
}

fn record(count: u64) -> Vec<u8> {
    let text = format!("counter-server 1 {count:020}");
    let checksum = crc32fast::hash(text.as_bytes());
    format!("{text} {checksum:08x}\n").into_bytes()
}

/// What a copy says.
enum Copy {
    Whole(u64),
    Newer,
    Broken,
}

fn count(copy: &[u8; RECORD_LENGTH]) -> Copy {
    let digits = std::str::from_utf8(copy).ok().and_then(|text| {
        let mut words = text.strip_prefix("counter-server ")?.split(' ');
        Some((words.next()?.parse::<u32>().ok()?, words.next()?))
    });
    match digits {
        Some((1, digits)) => match digits.parse() {
            Ok(count) if record(count) == copy => Copy::Whole(count),
            _ => Copy::Broken,
        },
        Some((2.., _)) => Copy::Newer,
        _ => Copy::Broken,
    }
}
