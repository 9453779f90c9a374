//! What only an administrator may see or do, on a connection that takes no place among those of the users.

use std::time::{Duration, Instant};

use mysql_async::{Conn, prelude::Queryable as _};

use super::MariaDb;
use crate::Error;

/// How long connections that nobody uses may stay open: milliseconds are usual.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A connection of MariaDB's administrator. It is open even while no more connections are accepted.
#[derive(Debug)]
pub struct Administration {
    connection: Conn,
    user: String,
}

impl MariaDb {
    /// Connects as administrator.
    pub async fn administration(&self) -> Result<Administration, Error> {
        Ok(Administration {
            connection: Conn::new(self.administrator()).await?,
            user: self.user().to_owned(),
        })
    }
}

impl Administration {
    /// The connections of the users that take a place now. One that was closed or refused does so for a moment longer than
    /// its user knows of it.
    pub async fn connections(&mut self) -> Result<u64, Error> {
        // Not the process list: a connection leaves that before it gives back its place.
        self.global_status("Threads_connected").await
    }

    /// Waits until at most `wanted` connections of users take a place.
    pub async fn until_at_most(&mut self, wanted: u64) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            let open = self.connections().await?;
            if open <= wanted {
                return Ok(());
            }
            wait(since, open).await?;
        }
    }

    /// From now on, the most connections are counted afresh, beginning with none: waits until nobody takes a place.
    pub async fn forget_most_connections(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        loop {
            self.until_at_most(0).await?;
            self.connection.query_drop("FLUSH STATUS").await?;
            // A connection that ends leaves the one count before the other.
            let most = self.most_connections().await?;
            if most == 0 {
                return Ok(());
            }
            wait(since, most).await?;
        }
    }

    /// The most connections of users that were open at a time since this administrator last forgot them. There must be no
    /// other administrator meanwhile.
    pub async fn most_connections(&mut self) -> Result<u64, Error> {
        let most = self.global_status("Max_used_connections").await?;
        // One is ours.
        Ok(most.saturating_sub(1))
    }

    /// A number from `SHOW GLOBAL STATUS`, 0 if there is none of this name.
    pub async fn global_status(&mut self, name: &str) -> Result<u64, Error> {
        let row: Option<(String, u64)> = self
            .connection
            .query_first(format!("SHOW GLOBAL STATUS LIKE '{name}'"))
            .await?;
        Ok(row.map_or(0, |(_, number)| number))
    }

    /// Closes all connections of the users, busy or not.
    pub async fn kill_connections(&mut self) -> Result<(), Error> {
        let user = &self.user;
        Ok(self
            .connection
            .query_drop(format!("KILL CONNECTION USER {user}"))
            .await?)
    }

    /// Closes all connections of the users, waits until none takes a place, and counts the most of them afresh from there.
    pub async fn begin_afresh(&mut self) -> Result<(), Error> {
        self.kill_connections().await?;
        self.forget_most_connections().await
    }

    /// Sets a global variable, such as `wait_timeout`, for connections opened from now on.
    pub async fn set_global(&mut self, name: &str, value: u64) -> Result<(), Error> {
        let statement = format!("SET GLOBAL {name} = {value}");
        Ok(self.connection.query_drop(statement).await?)
    }

    /// The connection itself, for what has no method here.
    pub fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }
}

/// Until the next look, if there is time for one.
async fn wait(since: Instant, open: u64) -> Result<(), Error> {
    if since.elapsed() >= CLOSED_WITHIN {
        return Err(Error::StillConnected {
            open,
            waited: CLOSED_WITHIN,
        });
    }
    tokio::time::sleep(POLL_INTERVAL).await;
    Ok(())
}
