//! The commands of MySQL's protocol that the proxy knows.

use crate::{packet::frames, response::Expected};

/// A command, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Command {
    Quit = 0x01,
    InitDb = 0x02,
    Query = 0x03,
    Statistics = 0x09,
    Ping = 0x0E,
    StmtPrepare = 0x16,
    StmtExecute = 0x17,
    StmtSendLongData = 0x18,
    StmtClose = 0x19,
    StmtReset = 0x1A,
    StmtFetch = 0x1C,
    ResetConnection = 0x1F,
}

impl Command {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        const ALL: [Command; 12] = [
            Command::Quit,
            Command::InitDb,
            Command::Query,
            Command::Statistics,
            Command::Ping,
            Command::StmtPrepare,
            Command::StmtExecute,
            Command::StmtSendLongData,
            Command::StmtClose,
            Command::StmtReset,
            Command::StmtFetch,
            Command::ResetConnection,
        ];
        ALL.into_iter().find(|command| *command as u8 == byte)
    }

    /// What the database answers with.
    pub(crate) fn expected(self) -> Expected {
        match self {
            Self::Query | Self::StmtExecute => Expected::Results,
            Self::StmtFetch => Expected::Rows,
            Self::StmtPrepare => Expected::Prepared,
            Self::Quit | Self::StmtClose | Self::StmtSendLongData => Expected::Nothing,
            Self::InitDb
            | Self::Statistics
            | Self::Ping
            | Self::StmtReset
            | Self::ResetConnection => Expected::Packet,
        }
    }

    /// The frames of this command with its argument.
    pub(crate) fn packet(self, argument: &[u8]) -> Vec<u8> {
        frames(0, &[&[self as u8], argument].concat())
    }
}
