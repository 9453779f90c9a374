//! Connections, in the time that an invocation has.

use std::time::Duration;

use mysql_async::Conn;
use tokio::time::timeout;

use crate::{ConnectionSettings, Error, Transcription, Wanted, find};

impl ConnectionSettings {
    /// Opens a connection. Nothing is asked on it: the round trips are those of TCP, of TLS where it is used, and of
    /// authentication.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or lets nobody in.
    pub async fn connect(&self) -> Result<Conn, Error> {
        Conn::new(self.options()?).await.map_err(Error::Connect)
    }
}

/// What the future returns, or [`Error::TimedOut`] when it takes longer.
///
/// # Errors
///
/// Those of the future, and that one.
pub async fn within<T>(
    time: Duration,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(time, future).await.unwrap_or(Err(Error::TimedOut))
}

/// Connects, reads the transcription, and disconnects, all in the time that is left.
///
/// # Errors
///
/// When one of the first two fails, or takes longer.
pub async fn connect_and_find(
    settings: &ConnectionSettings,
    wanted: Wanted,
    time_left: Duration,
) -> Result<Option<Transcription>, Error> {
    within(time_left, async {
        let mut connection = settings.connect().await?;
        let found = find(&mut connection, wanted).await?;
        // It is over anyway, whether or not the database hears of it.
        let _ = connection.disconnect().await;
        Ok(found)
    })
    .await
}
