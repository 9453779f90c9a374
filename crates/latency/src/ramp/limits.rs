//! How many users this machine has room for, and over how many processes and addresses they are spread.

use std::{fs, net::Ipv4Addr, thread::available_parallelism};

use load::{Source, StepLoad};
use rustix::process::{Resource, getrlimit};

/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 32;

/// More processes than this are no longer a load generator.
const MOST_PROCESSES: u64 = 64;

/// So many requests a second keep one thread busy for less than half of its time.
const REQUESTS_PER_THREAD: f64 = 10_000.0;

/// What a user takes at most, in bytes, with a connection in plain text or with TLS.
const USER: u64 = 48 << 10;

/// The share of the system's ports that is used: others want some.
const PORTS_USED: f64 = 0.9;

/// So many connections the system finds ports for in no time.
const FEW_CONNECTIONS: f64 = 4_000.0;

/// For how long a port can't be used again after its connection was closed on this side, in seconds (TCP_TIMEWAIT_LEN).
const TIME_WAIT: f64 = 60.0;

/// What this machine grants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Files a process may have open.
    files: u64,
    /// Files this process has open.
    open: u64,
    /// Ports for connections from one address to another one.
    ports: u64,
    /// Memory that is free, in bytes.
    memory: u64,
    cores: u64,
}

/// Over what the users are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    /// One is this process.
    pub(super) processes: u32,
    /// How many addresses of this machine the users of each process come from; 0 if the system chooses.
    pub(super) addresses: u32,
}

/// What there are too few of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMany {
    #[error(
        "{users} users need an open file each, and a process here may have {files} (ulimit -n): raise that, or take fewer users"
    )]
    Files { users: u64, files: u64 },
    #[error(
        "{users} users need a port each, and there are {ports} for one address (net.ipv4.ip_local_port_range): raise that, or \
         take fewer users"
    )]
    Ports { users: u64, ports: u64 },
    #[error(
        "{users} users need about {needed} MB of memory, and {free} MB are free: take fewer users"
    )]
    Memory { users: u64, needed: u64, free: u64 },
}

impl Limits {
    pub(super) fn of_this_machine() -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        Self {
            files: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            open,
            ports: ports(&read("/proc/sys/net/ipv4/ip_local_port_range")).unwrap_or(16_384),
            memory: free(&read("/proc/meminfo")).unwrap_or(u64::MAX),
            cores: available_parallelism().map_or(1, |cores| cores.get() as u64),
        }
    }

    /// Over what the users of this load are spread, of which `at_once` run at the same time. `to_itself`: what is called is on
    /// this machine, which then has any number of addresses to call it from.
    pub(super) fn spread(
        &self,
        load: &StepLoad,
        to_itself: bool,
        at_once: u32,
    ) -> Result<Spread, TooMany> {
        let (users, at_once) = (u64::from(load.users), u64::from(at_once.max(1)));
        let needed = users.saturating_mul(USER).saturating_mul(at_once);
        if needed > self.memory {
            return Err(TooMany::Memory {
                users: users.saturating_mul(at_once),
                needed: needed >> 20,
                free: self.memory >> 20,
            });
        }
        let usable = (self.ports as f64 * PORTS_USED) as u64;
        if users > usable && !to_itself {
            return Err(TooMany::Ports {
                users,
                ports: usable,
            });
        }
        let processes = self.processes(load, users, at_once)?;
        let closed = match load.new_connections {
            true => load.requests_per_second() * TIME_WAIT,
            false => 0.0,
        };
        let connections = users as f64 + closed;
        let addresses = match to_itself && connections > FEW_CONNECTIONS {
            true => (connections / processes as f64 / Source::CONNECTIONS as f64).ceil() as u32,
            false => 0,
        };
        Ok(Spread {
            processes: processes as u32,
            addresses,
        })
    }

    fn processes(&self, load: &StepLoad, users: u64, at_once: u64) -> Result<u64, TooMany> {
        let threads = (load.requests_per_second() / REQUESTS_PER_THREAD).ceil() as u64;
        let threads = threads.min(self.cores);
        let here = self.files.saturating_sub(self.open + OTHER_FILES) / at_once;
        if threads <= 1 && users <= here {
            return Ok(1);
        }
        let each = self.files.saturating_sub(OTHER_FILES).max(1);
        let processes = users.div_ceil(each).max(threads).max(2);
        match processes <= MOST_PROCESSES {
            true => Ok(processes),
            false => Err(TooMany::Files {
                users,
                files: self.files,
            }),
        }
    }
}

impl Spread {
    /// Addresses of the loopback that nobody else is likely to use.
    pub(super) fn sources(self) -> Vec<Ipv4Addr> {
        let first = u32::from(Ipv4Addr::new(
            127,
            fastrand::u8(1..=254),
            fastrand::u8(..=254),
            1,
        ));
        (0..self.addresses)
            .map(|at| Ipv4Addr::from(first + at))
            .collect()
    }
}

/// How many ports there are from the first to the last.
fn ports(range: &str) -> Option<u64> {
    let (first, last) = range.trim().split_once(char::is_whitespace)?;
    let [first, last] = [first, last].map(|port| port.trim().parse::<u64>().ok());
    Some((last? + 1).saturating_sub(first?))
}

/// The memory that programs can still get, in bytes: proc_meminfo(5).
fn free(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        files: 20_000,
        open: 20,
        ports: 28_232,
        memory: 16 << 30,
        cores: 2,
    };

    fn spread(limits: Limits, users: u32, to_itself: bool) -> Result<(u32, u32), String> {
        let spread = limits.spread(&StepLoad::published(users), to_itself, 1);
        spread
            .map(|it| (it.processes, it.addresses))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn users_have_room_in_this_process_until_files_or_ports_run_out() {
        assert_eq!(spread(LIMITS, 1_500, false), Ok((1, 0)));
        assert_eq!(spread(LIMITS, 19_000, false), Ok((1, 0)));
        assert_eq!(spread(LIMITS, 19_000, true), Ok((1, 1)));
        assert_eq!(spread(LIMITS, 20_000, false), Ok((2, 0)));
        assert_eq!(spread(LIMITS, 30_000, true), Ok((2, 1)));
        assert_eq!(spread(LIMITS, 60_000, true), Ok((4, 1)));
        let few = Limits {
            files: 44,
            open: 9,
            ..LIMITS
        };
        assert_eq!(spread(few, 20, true), Ok((2, 0)));
    }

    #[test]
    fn loads_at_the_same_time_share_the_files() {
        let load = StepLoad::published(8_000);
        let processes = |at_once| LIMITS.spread(&load, true, at_once).unwrap().processes;
        assert_eq!((processes(1), processes(2), processes(4)), (1, 1, 2));
    }

    #[test]
    fn what_one_thread_can_not_send_takes_several() {
        let load = StepLoad::published(1_500).at_speed(100.0);
        assert!(load.requests_per_second() > 20_000.0);
        assert_eq!(LIMITS.spread(&load, true, 1).unwrap().processes, 2);
    }

    #[test]
    fn new_connections_take_addresses_for_the_ports_that_wait() {
        let load = StepLoad {
            new_connections: true,
            ..StepLoad::published(30_000)
        };
        let spread = LIMITS.spread(&load, true, 1).unwrap();
        let ports = f64::from(spread.processes * spread.addresses) * 30_000.0;
        assert!(ports > 30_000.0 / 7.0 * 60.0, "{spread:?}");
        assert_eq!(spread.sources().len(), spread.addresses as usize);
        assert!(spread.sources().iter().all(Ipv4Addr::is_loopback));
    }

    #[test]
    fn what_can_not_be_had_is_named_in_one_line() {
        assert_eq!(
            spread(LIMITS, 30_000, false).unwrap_err(),
            "30000 users need a port each, and there are 25408 for one address (net.ipv4.ip_local_port_range): raise that, or \
             take fewer users"
        );
        let few_files = Limits {
            files: 100,
            ..LIMITS
        };
        assert!(
            spread(few_files, 10_000, true)
                .unwrap_err()
                .contains("(ulimit -n)")
        );
        let little = Limits {
            memory: 100 << 20,
            ..LIMITS
        };
        let told = spread(little, 30_000, true).unwrap_err();
        assert!(
            told.ends_with("and 100 MB are free: take fewer users"),
            "{told}"
        );
    }

    #[test]
    fn limits_are_read_as_the_system_writes_them() {
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!(
            free("MemTotal: 24 kB\nMemAvailable:   23506 kB\n"),
            Some(23_506 << 10)
        );
        assert_eq!((ports(""), free("")), (None, None));
        let limits = Limits::of_this_machine();
        assert!(limits.open > 0 && limits.files > limits.open, "{limits:?}");
    }
}
