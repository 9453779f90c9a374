//! Data directories that were filled once, kept for the next run.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use backends::mariadb::{MariaDb, Options};
use mysql_async::{Conn, Opts, OptsBuilder};

use super::transcriptions::{Transcriptions, fill};
use crate::SCHEMA;

/// Rows that stand for all: were they made differently, the others would be too.
const SAMPLE: u64 = 100;

/// A directory of data directories, one for each number of rows. It is made when it is needed.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
}

/// Why there is no filled data directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server that is to fill it can't be had.
    #[error(transparent)]
    MariaDb(#[from] backends::Error),
    /// The table can't be filled.
    #[error(transparent)]
    Fill(#[from] seed::Error<mysql_async::Error>),
    /// The cache can't be written to.
    #[error("{} can't be written to: {cause}", directory.display())]
    Io {
        /// The cache.
        directory: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl Cache {
    /// The cache in this directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The data directory with so many transcriptions, if it was made by the same server, in the same way.
    ///
    /// # Errors
    /// There is no MariaDB.
    pub fn get(&self, rows: u64) -> Result<Option<PathBuf>, Error> {
        let path = self.path(rows)?;
        Ok(path.is_dir().then_some(path))
    }

    /// The same, which is made if it is missing.
    ///
    /// Calls `on_rows` as [`fill`](super::fill) does.
    ///
    /// # Errors
    /// There is no MariaDB, or no room.
    pub async fn get_or_fill(&self, rows: u64, on_rows: impl FnMut(u64)) -> Result<PathBuf, Error> {
        let path = self.path(rows)?;
        if path.is_dir() {
            return Ok(path);
        }
        fs::create_dir_all(&self.directory).map_err(|cause| self.io(cause))?;
        let server = MariaDb::start(Options::default()).await?;
        let options = Opts::from_url(&server.url()).map_err(mysql_async::Error::from);
        let options = OptsBuilder::from_opts(options.map_err(seed::Error::Server)?);
        let mut connection = Conn::new(options.prefer_socket(false))
            .await
            .map_err(seed::Error::Server)?;
        fill(&mut connection, rows, on_rows).await?;

        // A run that is cut short leaves no half of a directory under the name of a whole one.
        let unfinished = self
            .directory
            .join(format!("unfinished-{}", std::process::id()));
        let saved = server.save(&unfinished).await;
        let kept = saved.map_err(Error::from).and_then(|()| {
            fs::rename(&unfinished, &path).or_else(|error| match path.is_dir() {
                // Another run was quicker.
                true => Ok(()),
                false => Err(self.io(error)),
            })
        });
        // It is there unless it was renamed.
        let _ = fs::remove_dir_all(&unfinished);
        kept.map(|()| path)
    }

    fn path(&self, rows: u64) -> Result<PathBuf, Error> {
        let mut hash = DefaultHasher::new();
        backends::mariadb::version()?.hash(&mut hash);
        SCHEMA.hash(&mut hash);
        seed::insert(&Transcriptions, 1, SAMPLE, usize::MAX).hash(&mut hash);
        let name = format!("transcriptions-{rows}-{:016x}", hash.finish());
        Ok(self.directory.join(name))
    }

    fn io(&self, cause: io::Error) -> Error {
        Error::Io {
            directory: self.directory.clone(),
            cause,
        }
    }
}

impl AsRef<Path> for Cache {
    fn as_ref(&self) -> &Path {
        &self.directory
    }
}
