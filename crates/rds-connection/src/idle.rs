//! Connections that nobody uses any more: those of execution environments that are frozen, or ended without a word. Where
//! it is crowded, they are closed.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tokio::time::Instant;
use tracing::info;

/// Others look for them too.
const AT_A_TIME: usize = 8;

/// Looks for idle connections now and then.
#[derive(Debug)]
pub(crate) struct Sweep {
    max_idle: u64,
    due: Instant,
}

impl Sweep {
    /// For connections that have been idle for so many seconds. The first is due within that time: many environments that
    /// start together look one after the other.
    pub(crate) fn new(max_idle: u64) -> Self {
        Self {
            max_idle,
            due: Instant::now() + Duration::from_secs(max_idle).mul_f64(fastrand::f64()),
        }
    }

    /// Closes some of the connections of this account that have been idle for too long, if it is time to look for them.
    pub(crate) async fn run(&mut self, connection: &mut Conn) -> Result<(), mysql_async::Error> {
        if Instant::now() < self.due {
            return Ok(());
        }
        self.due = Instant::now() + Duration::from_secs(self.max_idle);
        let query = format!(
            "SELECT id FROM information_schema.processlist \
             WHERE command = 'Sleep' AND time >= {} AND user = SUBSTRING_INDEX(USER(), '@', 1) \
             ORDER BY time DESC LIMIT {AT_A_TIME}",
            self.max_idle
        );
        let idle: Vec<u64> = connection.query(query).await?;
        for id in idle {
            // Another environment may have been faster.
            if connection.query_drop(format!("KILL {id}")).await.is_ok() {
                info!(id, "an idle connection is closed");
            }
        }
        Ok(())
    }
}
