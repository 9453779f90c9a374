//! Why there is no answer, and whether that heals by itself.

use mysql_async::{Error as Cause, ServerError};

/// Why a question has no answer. Its text is for the log; it has neither password nor token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection was made.
    #[error("the database cannot be reached: {}", innermost(.0))]
    Connect(Cause),
    /// No IAM token could be made.
    #[error("no token for the database")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection was lost, or the database refused the query.
    #[error("the query failed: {}", innermost(.0))]
    Query(Cause),
    /// All connections are in use, and as many wait for one as may.
    #[error("the database has as much to do as it may have")]
    Busy,
    /// There was no answer in the time that there is.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The table is not the one of the schema.
    #[error("the row is not as the schema has it")]
    Row,
}

/// ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS and ER_USER_LIMIT_REACHED: the server, the account by the server's
/// limit, or the account by its own has all the connections it may have.
const TOO_MANY_CONNECTIONS: [u16; 3] = [1040, 1203, 1226];

/// What the database answers a query with that may succeed later.
const TRANSIENT: [u16; 9] = [
    1053, // ER_SERVER_SHUTDOWN
    1205, // ER_LOCK_WAIT_TIMEOUT
    1213, // ER_LOCK_DEADLOCK
    1317, // ER_QUERY_INTERRUPTED
    1927, // ER_CONNECTION_KILLED, MariaDB
    1969, // ER_STATEMENT_TIMEOUT, MariaDB
    3024, // ER_QUERY_TIMEOUT, MySQL
    4031, // ER_CLIENT_INTERACTION_TIMEOUT, MySQL
    9501, // RDS Proxy timed out waiting to acquire a database connection
];

impl Error {
    /// Whether it heals without anybody changing the program, its settings or the table: what keeps a connection from
    /// being made counts as that, a wrong password included, since it is mended at the database.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Busy | Self::TimedOut => true,
            Self::Query(Cause::Server(error)) => {
                TRANSIENT.contains(&error.code) || TOO_MANY_CONNECTIONS.contains(&error.code)
            }
            Self::Query(Cause::Io(_) | Cause::Driver(_)) => true,
            Self::Query(_) | Self::Token(_) | Self::Row => false,
        }
    }

    /// Whether the connection was refused because there are as many as there may be.
    #[must_use]
    pub fn is_too_many_connections(&self) -> bool {
        matches!(
            self,
            Self::Connect(Cause::Server(ServerError { code, .. }))
                if TOO_MANY_CONNECTIONS.contains(code)
        )
    }
}

/// The driver says the same at each level; the innermost says it once.
fn innermost(cause: &Cause) -> String {
    let innermost = anyhow::Chain::new(cause).last();
    innermost.unwrap_or(cause).to_string()
}
