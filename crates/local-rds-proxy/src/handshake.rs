//! How a client gets in.

use std::io::{self, ErrorKind};

use mysql_common::{
    constants::{CapabilityFlags, StatusFlags},
    io::ParseBuf,
    packets::{HandshakePacket, HandshakeResponse},
    proto::MySerialize as _,
    scramble::scramble_native,
};

use crate::{
    database_connection::{Greeting, Login, NATIVE_PASSWORD},
    packet::{EOF, Wire, error, frames, ok},
    state::State,
};

/// No client has more to say at this point.
const PACKET_LIMIT: usize = 64 * 1024;

/// What a client may ask for that decides how its session goes. Compression RDS Proxy does not do either; TLS, files of
/// the client's and what is MariaDB's own are left out here.
const OF_SESSION: CapabilityFlags = CapabilityFlags::CLIENT_FOUND_ROWS
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_IGNORE_SPACE)
    .union(CapabilityFlags::CLIENT_PROTOCOL_41)
    .union(CapabilityFlags::CLIENT_INTERACTIVE)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// What matters for the handshake alone.
const OF_HANDSHAKE: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS);

const NONCE: usize = 20;

/// How a handshake ended.
#[derive(Debug)]
pub(crate) enum Handshake {
    /// The client is in, and this is what it asked for.
    Accepted(State),
    /// It is not who it says it is, and was told so.
    Denied,
}

/// Lets a client in that knows the user and the password of the database.
pub(crate) async fn shake_hands(
    client: &mut Wire,
    greeting: &Greeting,
    login: &Login,
    connection_id: u32,
) -> io::Result<Handshake> {
    let nonce: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(b'!'..=b'~'))
        .take(NONCE)
        .collect();
    let offered = greeting.capabilities & OF_SESSION | OF_HANDSHAKE;
    client
        .send(&frames(0, &greet(greeting, offered, connection_id, &nonce)))
        .await?;

    let packet = client.packet(PACKET_LIMIT).await?;
    let response: HandshakeResponse<'_> = ParseBuf(packet.payload()).parse(())?;
    let asked = response.capabilities();
    if !asked.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
        return Err(ErrorKind::Unsupported.into());
    }
    let mut proof = response.scramble_buf().to_owned();
    let mut sequence = 2;
    let expected = scramble_native(&nonce, login.password.as_bytes());
    let expected = expected.as_ref().map_or(&b""[..], |proof| &proof[..]);
    let plugin = response.auth_plugin().map(|plugin| plugin.as_bytes());
    if plugin.is_some_and(|plugin| plugin != NATIVE_PASSWORD) {
        let switch = [&[EOF][..], NATIVE_PASSWORD, &[0], &nonce, &[0]].concat();
        client.send(&frames(sequence, &switch)).await?;
        proof = client.packet(PACKET_LIMIT).await?.payload().to_owned();
        sequence += 2;
    }
    if response.user() != login.user.as_bytes() || proof != expected {
        let user = String::from_utf8_lossy(response.user());
        let used = if proof.is_empty() { "NO" } else { "YES" };
        let message =
            format!("Access denied for user '{user}'@'127.0.0.1' (using password: {used})");
        client
            .send(&frames(sequence, &error(1045, "28000", &message)))
            .await?;
        return Ok(Handshake::Denied);
    }
    let status = StatusFlags::SERVER_STATUS_AUTOCOMMIT.bits();
    client.send(&frames(sequence, &ok(status))).await?;
    let database = response.db_name().filter(|name| !name.is_empty());
    Ok(Handshake::Accepted(State {
        capabilities: asked & offered & OF_SESSION,
        collation: response.collation(),
        database: database.map(<[u8]>::to_owned),
    }))
}

fn greet(
    greeting: &Greeting,
    offered: CapabilityFlags,
    connection_id: u32,
    nonce: &[u8],
) -> Vec<u8> {
    let (first, second) = nonce.split_at(8);
    let handshake = HandshakePacket::new(
        10,
        &greeting.version[..],
        connection_id,
        first.try_into().unwrap_or_default(),
        Some([second, &[0]].concat()),
        offered,
        greeting.collation,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        Some(NATIVE_PASSWORD),
    );
    let mut payload = Vec::new();
    handshake.serialize(&mut payload);
    payload
}
