//! A connection to the database.

use std::{
    fmt,
    io::{self, ErrorKind},
    time::Duration,
};

use mysql_common::{
    collations::{Collation, CollationId},
    constants::{CapabilityFlags, StatusFlags},
    io::ParseBuf,
    packets::HandshakePacket,
    scramble::scramble_native,
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    command::Command,
    packet::{EOF, ERR, OK, Packet, Wire, error_code, frames},
    response::{Expected, Response},
    state::State,
};

/// How long the database may take to let a client in: MySQL's own default for the other side (`connect_timeout`).
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A database hangs up first and counts then: whoever connects in between finds one connection too many.
const UNTIL_UNCOUNTED: Duration = Duration::from_millis(10);

/// No packet is longer that comes outside a result.
const PACKET_LIMIT: usize = 64 * 1024;

/// The only way of authentication that goes without TLS and without another round trip.
pub(crate) const NATIVE_PASSWORD: &[u8] = b"mysql_native_password";

/// What the proxy asks for at any rate.
const ALWAYS: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_LONG_PASSWORD)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH);

/// Where the database is, and who the proxy is to it and its clients to the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// How the database greets its clients.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    pub(crate) version: Vec<u8>,
    pub(crate) capabilities: CapabilityFlags,
    pub(crate) collation: u8,
}

/// Why the database did not do what the proxy asked of it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection broke, or never came to be.
    Io(io::Error),
    /// It answered with this error packet.
    Refused(Vec<u8>),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(out),
            // After the number and the SQLSTATE.
            Self::Refused(packet) => {
                let message = packet.get(9..).unwrap_or_default();
                out.write_str(&String::from_utf8_lossy(message))
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// Whether it may be otherwise in a moment: the database starts or ends, or has no connection left.
    pub(crate) fn passes(&self) -> bool {
        // ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED
        const PASSING: [u16; 4] = [1040, 1053, 1203, 1226];
        match self {
            Self::Io(_) => true,
            Self::Refused(packet) => error_code(packet).is_some_and(|code| PASSING.contains(&code)),
        }
    }
}

/// An open connection, and what it was connected with.
#[derive(Debug)]
pub(crate) struct DatabaseConnection {
    pub(crate) wire: Wire,
    state: State,
}

impl DatabaseConnection {
    /// Connects with the state's capabilities, collation and database.
    pub(crate) async fn connect(login: &Login, state: &State) -> Result<(Self, Greeting), Failure> {
        let connecting = async {
            let stream = TcpStream::connect(&login.address).await?;
            let mut wire = Wire::new(stream)?;
            let greeting = authenticate(&mut wire, login, state).await?;
            let connection = Self {
                wire,
                state: state.clone(),
            };
            Ok((connection, greeting))
        };
        match timeout(CONNECT_LIMIT, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(io::Error::from(ErrorKind::TimedOut).into()),
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// What is to follow a command.
    pub(crate) fn response(&self, expected: Expected) -> Response {
        let deprecate_eof = CapabilityFlags::CLIENT_DEPRECATE_EOF;
        Response::new(expected, self.state.capabilities.contains(deprecate_eof))
    }

    /// Whether the database still listens. It never speaks unasked, unless to say that it hangs up.
    pub(crate) fn is_alive(&self) -> bool {
        self.wire.is_silent()
    }

    /// Reads the rest of a response for nobody.
    pub(crate) async fn finish(&mut self, mut response: Response) -> Result<(), Failure> {
        while !response.is_done() {
            self.wire.more().await?;
            let bytes = self.wire.take();
            let followed = response.follow(&bytes);
            followed.map_err(|_| unexpected("a response"))?;
        }
        Ok(())
    }

    /// Ends what is open on it, locks and transaction and all, and leaves only what it was connected with.
    pub(crate) async fn reset(&mut self) -> Result<(), Failure> {
        let Some(database) = &self.state.database else {
            // Should one be in use after all, there is no way back.
            return Err(io::Error::from(ErrorKind::Unsupported).into());
        };
        let commands = [
            Command::ResetConnection.packet(b""),
            Command::Query.packet(&set_names(self.state.collation)?),
            Command::InitDb.packet(database),
        ];
        self.wire.send(&commands.concat()).await?;
        for _ in commands {
            self.done().await?;
        }
        Ok(())
    }

    /// Asks for the status, which tells whether a transaction is open.
    pub(crate) async fn status(&mut self) -> Result<StatusFlags, Failure> {
        self.wire.send(&Command::Ping.packet(b"")).await?;
        self.done().await
    }

    /// The numbers that a query answers with in one row.
    pub(crate) async fn numbers(&mut self, query: &str) -> Result<Vec<usize>, Failure> {
        let mut response = self.response(Expected::Results);
        self.wire
            .send(&Command::Query.packet(query.as_bytes()))
            .await?;
        let mut last = Vec::new();
        while !response.is_done() {
            let packet = self.wire.packet(PACKET_LIMIT).await?;
            response
                .follow(packet.frames())
                .map_err(|_| unexpected("a result"))?;
            if !response.is_done() {
                last = packet.payload().to_owned();
            } else if response.failed() {
                return Err(Failure::Refused(packet.payload().to_owned()));
            }
        }
        let mut row = ParseBuf(&last);
        let mut numbers = Vec::new();
        while !row.is_empty() {
            let value = row
                .checked_eat_lenenc_str()
                .ok_or_else(|| unexpected("a row"))?;
            let number = std::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse().ok());
            numbers.push(number.ok_or_else(|| unexpected("a number"))?);
        }
        Ok(numbers)
    }

    /// Ends it, and returns when the database counts it no more.
    pub(crate) async fn close(mut self) {
        // Between two commands: it is not to be taken for a client that vanished.
        let _ = self.wire.send(&Command::Quit.packet(b"")).await;
        self.wire.hang_up().await;
        sleep(UNTIL_UNCOUNTED).await;
    }

    /// The status after a command that succeeded.
    async fn done(&mut self) -> Result<StatusFlags, Failure> {
        let packet = self.wire.packet(PACKET_LIMIT).await?;
        if packet.payload().first() == Some(&ERR) {
            return Err(Failure::Refused(packet.payload().to_owned()));
        }
        let mut response = self.response(Expected::Packet);
        let followed = response.follow(packet.frames());
        followed
            .ok()
            .and_then(|()| response.status())
            .ok_or_else(|| unexpected("a status"))
    }
}

/// The database's greeting, once it took the user and the password.
async fn authenticate(wire: &mut Wire, login: &Login, state: &State) -> Result<Greeting, Failure> {
    let packet = accepted(wire).await?;
    let handshake: HandshakePacket<'_> = ParseBuf(packet.payload()).parse(())?;
    let password = login.password.as_bytes();
    let mut nonce = handshake.nonce();
    wire.send(&frames(1, &handshake_response(login, state, &nonce)))
        .await?;
    let mut sequence = 2;
    loop {
        let answer = accepted(wire).await?;
        match answer.payload() {
            [OK, ..] => break,
            [EOF, switch @ ..] => {
                let mut parts = switch.splitn(2, |&byte| byte == 0);
                let plugin = parts.next().unwrap_or_default();
                if plugin != NATIVE_PASSWORD || sequence > 2 {
                    let plugin = String::from_utf8_lossy(plugin);
                    let message = format!(
                        "the account is to have mysql_native_password, the only authentication \
                         done here, and not {plugin}"
                    );
                    return Err(io::Error::new(ErrorKind::Unsupported, message).into());
                }
                nonce = parts.next().unwrap_or_default().to_owned();
                nonce.truncate(20);
                let proof = scramble_native(&nonce, password);
                sequence += 2;
                wire.send(&frames(
                    3,
                    proof.as_ref().map_or(&b""[..], |proof| &proof[..]),
                ))
                .await?;
            }
            _ => return Err(unexpected("an answer to authentication")),
        }
    }
    Ok(Greeting {
        version: handshake.server_version_ref().to_owned(),
        capabilities: handshake.capabilities(),
        collation: handshake.default_collation(),
    })
}

/// By hand, because the one of mysql_common has no say in the collation.
fn handshake_response(login: &Login, state: &State, nonce: &[u8]) -> Vec<u8> {
    let database = CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    let mut capabilities = state.capabilities | ALWAYS;
    capabilities.set(database, state.database.is_some());
    let mut payload = Vec::new();
    payload.extend(capabilities.bits().to_le_bytes());
    payload.extend(u32::MAX.to_le_bytes());
    payload.push(state.collation);
    payload.extend([0; 23]);
    payload.extend(login.user.as_bytes());
    payload.push(0);
    match scramble_native(nonce, login.password.as_bytes()) {
        Some(proof) => {
            payload.push(20);
            payload.extend(proof);
        }
        None => payload.push(0),
    }
    if let Some(database) = &state.database {
        payload.extend(database);
        payload.push(0);
    }
    payload.extend(NATIVE_PASSWORD);
    payload.push(0);
    payload
}

/// The next packet, unless it is an error.
async fn accepted(wire: &mut Wire) -> Result<Packet, Failure> {
    let packet = wire.packet(PACKET_LIMIT).await?;
    match packet.payload().first() {
        Some(&ERR) => Err(Failure::Refused(packet.payload().to_owned())),
        _ => Ok(packet),
    }
}

/// What the number of a collation in the handshake does, as a statement.
fn set_names(collation: u8) -> Result<Vec<u8>, Failure> {
    let id = CollationId::from(u16::from(collation));
    if id == CollationId::UNKNOWN_COLLATION_ID {
        return Err(io::Error::from(ErrorKind::Unsupported).into());
    }
    let collation = Collation::resolve(id);
    let (charset, collation) = (collation.charset(), collation.collation());
    Ok(format!("SET NAMES {charset} COLLATE {collation}").into_bytes())
}

fn unexpected(what: &str) -> Failure {
    let message = format!("the database did not answer with {what}");
    io::Error::new(ErrorKind::InvalidData, message).into()
}
