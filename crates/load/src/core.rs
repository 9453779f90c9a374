//! How fast a core is: a piece of work that is the same everywhere, timed.

use std::hint::black_box;

use region::kernel;
use rustix::time::{ClockId, clock_gettime};

/// How often the kernel is timed, and how much of it: the shortest time is the one that nobody disturbed.
const TIMES: u32 = 5;
const HASHES: u32 = kernel::HASHES / 5;

/// How long this core takes for the whole of [`region::kernel`], in milliseconds of processor time. Finding out takes some
/// tenths of a second.
#[must_use]
pub fn kernel_ms() -> f64 {
    let once = |_| {
        let since = cpu_ms();
        black_box(kernel::run(black_box(HASHES)));
        cpu_ms() - since
    };
    let shortest = (0..TIMES).map(once).fold(f64::INFINITY, f64::min);
    shortest * f64::from(kernel::HASHES / HASHES)
}

/// The processor time of this thread in milliseconds.
#[must_use]
pub fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_takes_processor_time() {
        let ms = kernel_ms();
        // Half a million blocks of 64 bytes: no core is ten times as fast as any today, nor so slow.
        assert!((5.0..50_000.0).contains(&ms), "{ms}");
    }
}
