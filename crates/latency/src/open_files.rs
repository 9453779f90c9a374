//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes all that the system allows: 500 callers have 500 environments to answer them, which is more sockets than the usual
/// 1,024.
pub fn allow_many() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    // Where it is refused, the fewer do for fewer callers.
    let _ = setrlimit(Resource::Nofile, all);
}
