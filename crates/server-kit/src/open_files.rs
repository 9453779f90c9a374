//! How many files and sockets the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::log::Log;

/// What is open besides connections: the log, the state, the listener, the runtime's own.
const OTHERS: u64 = 24;

/// Takes all that the system allows, and says how many of the wanted connections there is room for.
pub(crate) fn allow(connections: u32, log: &Log) -> u32 {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let granted = match setrlimit(Resource::Nofile, all) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(granted) = granted else {
        return connections;
    };
    let room = u32::try_from(granted.saturating_sub(OTHERS).max(1)).unwrap_or(u32::MAX);
    if room < connections {
        log.message(
            "WARN",
            &format!(
                "{room} connections instead of {connections}: the limit of open files is {granted}"
            ),
        );
    }
    connections.min(room)
}
