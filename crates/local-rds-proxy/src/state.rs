//! What a client's session is from its beginning.

use mysql_common::constants::CapabilityFlags;

/// What a session must find on the database connection that it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// What the client and the database agreed on. It decides what responses look like, to the byte.
    pub(crate) capabilities: CapabilityFlags,
    /// The number of the collation that the client asked for when it connected. A server that does not know it takes its
    /// default.
    pub(crate) collation: u8,
    pub(crate) database: Option<Vec<u8>>,
}
