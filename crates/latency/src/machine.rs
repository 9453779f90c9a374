//! How much of this machine other programs used while something was measured: what they take, nobody else has.
//!
//! From proc_stat(5) and proc_pid_stat(5): of the time of all processors, the share that was neither idle nor used by this
//! process and its descendants, time stolen by the hypervisor included.

use std::{collections::BTreeMap, fs};

/// From this share on, a measurement may be about the others.
const MUCH: f64 = 0.1;

/// Shorter than this, in ticks of a hundredth of a second, one tick more or less decides.
const SHORTEST: u64 = 50;

/// Architecture time, in ticks, up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Of all processors, idle or not.
    total: u64,
    idle: u64,
    /// This process and its descendants, those that have ended included.
    ours: u64,
}

impl Machine {
    /// Up to now; none where the system does not tell.
    #[must_use]
    pub fn now() -> Option<Self> {
        let (total, idle) = totals(&fs::read_to_string("/proc/stat").ok()?)?;
        let processes: Vec<Process> = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
            .filter_map(|stat| Process::read(&stat))
            .collect();
        Some(Self {
            total,
            idle,
            ours: used_by(std::process::id(), &processes),
        })
    }

    /// The share of the machine that others used since `before`, from 0 to 1.
    #[must_use]
    pub fn others_since(&self, before: &Self) -> Option<f64> {
        let total = self.total.saturating_sub(before.total);
        let idle = self.idle.saturating_sub(before.idle);
        let ours = self.ours.saturating_sub(before.ours);
        let others = total.saturating_sub(idle).saturating_sub(ours);
        (total >= SHORTEST).then(|| others as f64 / total as f64)
    }
}

/// What has to be said of a measurement that began `before` and ends now.
#[must_use]
pub fn warning(before: Option<Machine>) -> Option<String> {
    let share = Machine::now()?.others_since(&before?)?;
    (share > MUCH).then(|| {
        format!(
            "other programs used {:.0} % of this machine meanwhile, the measured server among them if it runs here on its own",
            share * 100.0
        )
    })
}

/// Total and idle time of all processors: the first line of /proc/stat. Guests' time is in that of users already.
fn totals(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line
        .split_whitespace()
        .map_while(|time| time.parse().ok())
        .take(8)
        .collect();
    let [_, _, _, idle, waiting, ..] = times[..] else {
        return None;
    };
    Some((times.iter().sum(), idle + waiting))
}

/// A process, with the time of those of its children that it has waited for.
struct Process {
    id: u32,
    parent: u32,
    ticks: u64,
}

impl Process {
    fn read(stat: &str) -> Option<Self> {
        // The name is in parentheses and may have any character in it.
        let (id, rest) = stat.split_once(" (")?;
        let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = fields.get(11..15)?.iter().map(|time| time.parse::<u64>());
        Some(Self {
            id: id.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: ticks.sum::<Result<u64, _>>().ok()?,
        })
    }
}

/// The time of a process and all its descendants.
fn used_by(id: u32, processes: &[Process]) -> u64 {
    let mut children: BTreeMap<u32, Vec<&Process>> = BTreeMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let own = processes.iter().find(|process| process.id == id);
    let mut used = own.map_or(0, |process| process.ticks);
    let mut parents = vec![id];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            used += child.ticks;
            parents.push(child.id);
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    #[test]
    fn the_time_of_all_processors_is_in_the_first_line() {
        let stat = "cpu  100 5 30 800 20 1 2 42 7 0\ncpu0 50 5 30 400 10 1 2 21 0 0\n";
        assert_eq!(totals(stat), Some((1000, 820)));
        assert_eq!(totals("intr 1 2 3\n"), None);
    }

    #[test]
    fn descendants_are_ours_and_nobody_else() {
        let stat = |id: u32, parent: u32, name: &str| {
            let stat = format!("{id} ({name}) S {parent} 0 0 0 0 0 0 0 0 0 10 5 3 2 20 0 1");
            Process::read(&stat).unwrap()
        };
        let processes = [
            stat(7, 1, "latency"),
            stat(8, 7, "a) b ("),
            stat(9, 8, "child of a child"),
            stat(6, 1, "another"),
        ];
        assert_eq!(used_by(7, &processes), 3 * 20);
    }

    #[test]
    fn what_is_neither_idle_nor_ours_is_others() {
        let at = |total, idle, ours| Machine { total, idle, ours };
        let share = at(1_200, 1_000, 150).others_since(&at(1_000, 900, 120));
        assert_eq!(share, Some((200.0 - 100.0 - 30.0) / 200.0));
        assert_eq!(at(1_010, 900, 0).others_since(&at(1_000, 900, 0)), None);
    }

    fn spin(time: Duration) {
        let since = Instant::now();
        while since.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_program_that_is_not_ours_is_noticed_and_our_own_work_is_ours() {
        let before = Machine::now().unwrap();
        spin(Duration::from_millis(300));
        let ours = Machine::now().unwrap().ours - before.ours;
        assert!(ours > 0, "{ours} ticks");

        // Away from us: its parent ends at once.
        let mut starter = Command::new("setsid")
            .args(["--fork", "sh", "-c", "echo $$; while :; do :; done"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(starter.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        starter.wait().unwrap();
        let busy = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        let before = Machine::now();
        let mut warned = None;
        // However busy the machine is, it gets its share some time.
        for _ in 0..60 {
            std::thread::sleep(Duration::from_millis(500));
            warned = warning(before);
            if warned.is_some() {
                break;
            }
        }
        kill_process(busy, Signal::KILL).unwrap();
        assert!(warned.is_some(), "a busy core was not noticed");
    }
}
