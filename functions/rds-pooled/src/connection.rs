//! A connection that is kept from one invocation to the next: opened in the init phase, replaced when it is dead, and given
//! up when others need it more.
//!
//! An execution environment is frozen between invocations, so nothing happens in the background: what is to be known about
//! the connection is found out by using it.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tracing::{info, warn};
use transcriptions::{ConnectionSettings, Error, Transcription, Wanted, within};

use crate::{
    backoff::Backoff,
    utilisation::{Answer, Limits, Watch},
};

/// How long the init phase may wait for the database. Without a connection, the first invocation opens one.
const TO_OPEN: Duration = Duration::from_secs(1);

/// The connection of one execution environment.
pub(crate) struct KeptConnection {
    settings: ConnectionSettings,
    kept: Mutex<Kept>,
}

struct Kept {
    connection: Option<Conn>,
    watch: Watch,
}

impl KeptConnection {
    pub(crate) fn new(settings: ConnectionSettings, limits: Limits) -> Self {
        Self {
            settings,
            kept: Mutex::new(Kept {
                connection: None,
                watch: Watch::new(limits),
            }),
        }
    }

    /// Opens the connection, and keeps it unless too many are kept already.
    pub(crate) async fn open(&self) {
        let opened = within(TO_OPEN, async {
            let mut kept = self.kept.lock().await;
            let mut connection = self.settings.connect().await?;
            if let Some(question) = kept.watch.question() {
                let answer = connection.query_first(question).await;
                kept.answered(&mut connection, answer.map_err(Error::Query)?)
                    .await;
            }
            kept.keep(connection).await;
            Ok(())
        })
        .await;
        if let Err(error) = opened {
            warn!(%error, "no connection was opened in the init phase");
        }
    }

    /// Reads the transcription, if there is one: in one round trip on the connection that was kept, or else on a new one.
    pub(crate) async fn find(
        &self,
        wanted: Wanted,
        time_left: Duration,
    ) -> Result<Option<Transcription>, Error> {
        let deadline = Instant::now() + time_left;
        within(time_left, async {
            let mut kept = self.kept.lock().await;
            if let Some(connection) = kept.connection.take() {
                // Half the time: a connection may be dead without a sign of it.
                match within(time_left / 2, kept.ask(connection, wanted)).await {
                    Ok(found) => return Ok(found),
                    // Whatever it is: reading is safe to repeat, and a new connection knows better.
                    Err(error) => info!(%error, "the connection is replaced"),
                }
            }
            let connection = kept.connect(&self.settings, deadline).await?;
            kept.ask(connection, wanted).await
        })
        .await
    }
}

impl Kept {
    /// Connects, as soon as there is a connection to be had. When there is none until the deadline, the error says so.
    async fn connect(
        &mut self,
        settings: &ConnectionSettings,
        deadline: Instant,
    ) -> Result<Conn, Error> {
        let mut backoff = Backoff::new();
        loop {
            let error = match settings.connect().await {
                Err(error) if error.is_too_many_connections() => error,
                result => return result,
            };
            self.watch.refused();
            let wait = backoff.next();
            if Instant::now() + wait >= deadline {
                return Err(error);
            }
            sleep(wait).await;
        }
    }

    /// Reads the transcription, and now and then how many connections there are. A connection that fails is closed.
    async fn ask(
        &mut self,
        mut connection: Conn,
        wanted: Wanted,
    ) -> Result<Option<Transcription>, Error> {
        let Some(question) = self.watch.question() else {
            let found = transcriptions::find(&mut connection, wanted).await?;
            self.keep(connection).await;
            return Ok(found);
        };
        let (found, answer) =
            transcriptions::find_and::<Answer>(&mut connection, wanted, &question).await?;
        self.answered(&mut connection, answer).await;
        self.keep(connection).await;
        Ok(found)
    }

    /// Closes what nobody uses, if the answer says that there are too many connections.
    async fn answered(&mut self, connection: &mut Conn, answer: Option<Answer>) {
        let Some(answer) = answer else { return };
        for id in self.watch.answered(answer) {
            // Another environment may have been faster.
            if connection.query_drop(format!("KILL {id}")).await.is_ok() {
                info!(id, "an idle connection is closed");
            }
        }
    }

    /// Keeps the connection for the next invocation, or closes it where it is crowded.
    async fn keep(&mut self, connection: Conn) {
        if self.watch.is_crowded() {
            // It is over anyway, whether or not the database hears of it.
            let _ = connection.disconnect().await;
        } else {
            self.connection = Some(connection);
        }
    }
}
