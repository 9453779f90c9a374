//! A client's session: its commands to the database, the responses back.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use mysql_common::constants::StatusFlags;
use tokio::{sync::watch, time::timeout};

use crate::{
    command::Command,
    metrics::{Counted, Gauges},
    packet::{Packet, Wire, error, frames, ok},
    pool::{BorrowError, Borrowed, Pool},
    response::Response,
    state::State,
    statement::pins,
};

/// How much a client may send ahead while it waits for a response.
const AHEAD: usize = 64 * 1024;

/// How long a client may leave a response unread: the database's own patience with the proxy (`net_write_timeout`).
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Arc<Pool>,
    pub(crate) gauges: Gauges,
    pub(crate) idle_client_timeout: Duration,
    /// The longest packet that the database takes.
    pub(crate) max_allowed_packet: usize,
    /// Set when no more commands are to be begun.
    pub(crate) is_stopping: watch::Receiver<bool>,
}

/// The session has ended: the client is gone or was sent away, or the database connection it had borrowed broke.
#[derive(Debug)]
struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    client: Wire,
    shared: Arc<Shared>,
    state: State,
    /// What the database last said.
    status: StatusFlags,
    borrowed: Option<Borrowed>,
    pinned: Option<Counted>,
    /// What is yet to come on the borrowed connection.
    under_way: Option<Response>,
}

impl Session {
    pub(crate) fn new(client: Wire, shared: Arc<Shared>, state: State) -> Self {
        Self {
            client,
            shared,
            state,
            status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
            borrowed: None,
            pinned: None,
            under_way: None,
        }
    }

    /// Serves the client until it goes.
    pub(crate) async fn run(mut self) {
        while let Ok(packet) = self.next_command().await {
            if self.serve(&packet).await.is_err() {
                break;
            }
        }
        if let Some(borrowed) = self.borrowed {
            borrowed.undo(self.under_way);
        }
    }

    async fn next_command(&mut self) -> Result<Packet, Ended> {
        let mut is_stopping = self.shared.is_stopping.clone();
        let is_free = self.borrowed.is_none();
        let next = self.client.packet(self.shared.max_allowed_packet);
        let next = timeout(self.shared.idle_client_timeout, next);
        let next = tokio::select! {
            biased;
            next = next => next,
            _ = is_stopping.wait_for(|is_stopping| *is_stopping), if is_free => return Err(Ended),
        };
        match next {
            Ok(Ok(packet)) => Ok(packet),
            Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => {
                let message = "Got a packet bigger than 'max_allowed_packet' bytes";
                self.answer(&self::error(1153, "08S01", message)).await?;
                Err(Ended)
            }
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }

    async fn serve(&mut self, packet: &Packet) -> Result<(), Ended> {
        let (&byte, argument) = packet.payload().split_first().ok_or(Ended)?;
        let Some(command) = Command::from_byte(byte) else {
            return self.answer(&error(1047, "08S01", "Unknown command")).await;
        };
        match command {
            Command::Quit => Err(Ended),
            Command::ResetConnection => self.reset().await,
            Command::Ping if self.borrowed.is_none() => self.answer(&ok(self.status.bits())).await,
            // There is no such statement: those prepared are on the connection that the session is pinned to.
            Command::StmtClose | Command::StmtSendLongData if self.borrowed.is_none() => Ok(()),
            Command::Query => self.relay(command, packet, pins(argument)).await,
            Command::InitDb | Command::StmtPrepare => self.relay(command, packet, true).await,
            _ => self.relay(command, packet, false).await,
        }
    }

    /// The session begins anew, with what it was connected with. What it left behind is undone in its own time.
    async fn reset(&mut self) -> Result<(), Ended> {
        if let Some(borrowed) = self.borrowed.take() {
            borrowed.undo(None);
        }
        self.pinned = None;
        self.status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        self.answer(&ok(self.status.bits())).await
    }

    /// Sends a command on, and what the database says to it back.
    async fn relay(&mut self, command: Command, packet: &Packet, pins: bool) -> Result<(), Ended> {
        if self.borrowed.is_none() {
            self.borrowed = self.borrow().await?;
        }
        if self.borrowed.is_none() {
            return Ok(());
        }
        let gauges = &self.shared.gauges;
        gauges.change(|metrics| metrics.query_requests += 1);
        if pins {
            self.pin();
        }
        let last = self.exchange(command, packet).await?;
        // Before the client has all of it: it can't be the reason why the next one waits.
        let concluded = self.conclude().await;
        send(&mut self.client, &last).await?;
        concluded
    }

    /// Keeps the borrowed connection until the client goes.
    fn pin(&mut self) {
        let gauges = &self.shared.gauges;
        if self.pinned.is_none() {
            gauges.change(|metrics| metrics.sessions_pinned += 1);
            self.pinned = Some(
                gauges.count(|metrics| &mut metrics.database_connections_currently_session_pinned),
            );
        }
    }

    /// A connection to the database, unless the client had to be told that there is none.
    async fn borrow(&mut self) -> Result<Option<Borrowed>, Ended> {
        let lent = tokio::select! {
            biased;
            lent = self.shared.pool.borrow(&self.state) => lent,
            () = self.client.gone(AHEAD) => return Err(Ended),
        };
        let refusal = match lent {
            Ok(borrowed) => return Ok(Some(borrowed)),
            Err(BorrowError::TimedOut) => {
                self.shared
                    .gauges
                    .change(|metrics| metrics.borrow_timeouts += 1);
                // As RDS Proxy says it ("Troubleshooting for RDS Proxy", Amazon RDS User Guide).
                let message = "Timed-out waiting to acquire database connection";
                error(9501, "HY000", message)
            }
            Err(BorrowError::Refused(packet)) => packet,
        };
        self.answer(&refusal).await?;
        Ok(None)
    }

    /// Relays command and response, byte for byte, but for the last bytes: they are returned.
    async fn exchange(&mut self, command: Command, packet: &Packet) -> Result<BytesMut, Ended> {
        let Some(borrowed) = &mut self.borrowed else {
            return Err(Ended);
        };
        let response = borrowed.connection.response(command.expected());
        let response = self.under_way.insert(response);
        let database = &mut borrowed.connection.wire;
        database.send(packet.frames()).await?;
        let mut bytes = BytesMut::new();
        while !response.is_done() {
            send(&mut self.client, &bytes).await?;
            tokio::select! {
                biased;
                read = database.more() => read?,
                () = self.client.gone(AHEAD) => return Err(Ended),
            }
            bytes = database.take();
            response.follow(&bytes).map_err(|_| Ended)?;
        }
        Ok(bytes)
    }

    /// Takes note of what a command has done, and gives the connection back if nothing ties the session to it.
    async fn conclude(&mut self) -> Result<(), Ended> {
        let (Some(borrowed), Some(response)) = (&mut self.borrowed, self.under_way.take()) else {
            return Err(Ended);
        };
        let connection = &mut borrowed.connection;
        if let Some(status) = response.status() {
            self.status = status;
        }
        if response.failed() && self.pinned.is_none() {
            // An error does not say whether a transaction is open.
            self.status = connection.status().await.map_err(|_| Ended)?;
        }
        if response.inserted() {
            // The client may ask for the id that was made.
            self.pin();
        }
        let in_transaction = StatusFlags::SERVER_STATUS_IN_TRANS;
        let is_tied = self.pinned.is_some() || self.status.contains(in_transaction);
        if let Some(borrowed) = self.borrowed.take_if(|_| !is_tied) {
            borrowed.give_back();
        }
        Ok(())
    }

    async fn answer(&mut self, payload: &[u8]) -> Result<(), Ended> {
        send(&mut self.client, &frames(1, payload)).await
    }
}

async fn send(client: &mut Wire, bytes: &[u8]) -> Result<(), Ended> {
    match timeout(WRITE_LIMIT, client.send(bytes)).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(Ended),
    }
}
