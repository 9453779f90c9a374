//! What the host asks of the operating system for an environment's processes: the peak memory and the processor time of the
//! first, and to stop, continue and end them all. They are one process group, whose id is the first one's.

use std::{fs::File, os::unix::fs::FileExt, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};

/// Large enough for a whole proc_pid_status(5).
const STATUS_BYTES: usize = 4096;

/// The peak memory of one process, read from its status file, which is kept open: it is asked for after every event.
#[derive(Debug)]
pub(crate) struct PeakMemory {
    /// `None` where the system has no such file.
    status: Option<File>,
}

impl PeakMemory {
    pub(crate) fn of(pid: Pid) -> Self {
        Self {
            status: File::open(format!("/proc/{}/status", pid.as_raw_nonzero())).ok(),
        }
    }

    /// Peak resident memory in bytes (`VmHWM` of proc_pid_status(5)); `None` once the process has ended.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let mut status = [0; STATUS_BYTES];
        let length = self.status.as_ref()?.read_at(&mut status, 0).ok()?;
        Some(high_water_mark_kib(str::from_utf8(&status[..length]).ok()?)? * 1024)
    }
}

/// The most memory in bytes that a process has had resident so far; `None` once it has ended, and where the system does not tell.
pub fn peak_memory(process_id: u32) -> Option<u64> {
    PeakMemory::of(Pid::from_raw(process_id.cast_signed())?).bytes()
}

/// The processor time that a process has used so far, user and system, all its threads; `None` once it has ended, and where the
/// system has no such clock.
#[cfg(target_os = "linux")]
pub fn cpu_time(process_id: u32) -> Option<Duration> {
    use nix::time::{clock_getcpuclockid, clock_gettime};
    let process = nix::unistd::Pid::from_raw(process_id.cast_signed());
    let clock = clock_getcpuclockid(process).ok()?;
    Some(clock_gettime(clock).ok()?.into())
}

/// See above.
#[cfg(not(target_os = "linux"))]
pub fn cpu_time(_process_id: u32) -> Option<Duration> {
    None
}

fn high_water_mark_kib(status: &str) -> Option<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Freezes the group, as Lambda does between invocations.
pub(crate) fn freeze(group: Pid) {
    signal(group, Signal::STOP);
}

/// Thaws a frozen group.
pub(crate) fn thaw(group: Pid) {
    signal(group, Signal::CONT);
}

/// Ends the group, frozen or not.
pub(crate) fn kill(group: Pid) {
    signal(group, Signal::KILL);
}

fn signal(group: Pid, signal: Signal) {
    if let Err(error) = kill_process_group(group, signal) {
        // It ended in the meantime: whoever waits for it will hear of that.
        tracing::debug!(group = group.as_raw_nonzero(), %error, "a signal was not delivered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_counted_while_a_process_works() {
        let before = cpu_time(std::process::id()).unwrap();
        while cpu_time(std::process::id()).unwrap() < before + Duration::from_millis(2) {}
    }

    #[test]
    fn the_high_water_mark_is_read_from_the_status_file() {
        assert_eq!(
            high_water_mark_kib("Name:\tbootstrap\nVmHWM:\t    6312 kB\nVmRSS:\t 10 kB\n"),
            Some(6312)
        );
        assert_eq!(high_water_mark_kib("Name:\tzombie\n"), None);
    }
}
