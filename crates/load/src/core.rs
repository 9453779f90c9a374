//! How fast a core is: a piece of work that is the same everywhere, timed.

use std::hint::black_box;

use region::kernel;
use rustix::time::{ClockId, clock_gettime};

/// The part of the kernel that is timed at once: some milliseconds.
const HASHES: u32 = kernel::HASHES / 25;

/// How long this core takes for the whole of [`region::kernel`], in milliseconds of processor time: a part of it, timed now.
/// What a core does changes by the second on a shared machine, so take the [`median`] of many.
#[must_use]
pub fn kernel_ms() -> f64 {
    let since = cpu_ms();
    black_box(kernel::run(black_box(HASHES)));
    (cpu_ms() - since) * f64::from(kernel::HASHES / HASHES)
}

/// The median of some times; infinite of none.
#[must_use]
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::INFINITY)
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
        let ms = median((0..5).map(|_| kernel_ms()).collect());
        // Half a million blocks of 64 bytes: no core is ten times as fast as any today, nor so slow.
        assert!((5.0..50_000.0).contains(&ms), "{ms}");
    }
}
