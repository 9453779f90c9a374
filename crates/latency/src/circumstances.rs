//! When, by which command and on which machine something was measured.

use std::{env, fs, thread::available_parallelism, time::SystemTime};

use crate::request::without_secrets;

/// When, how and where something was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// When measuring began.
    pub measured_at: SystemTime,
    /// The command line, without passwords and what else may be secret.
    pub command: String,
    /// This machine, such as `2 × AMD EPYC 7B13, 24 GB, Linux 6.1.0 x86_64`.
    pub machine: String,
}

impl Circumstances {
    /// Those of a measurement that begins now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            measured_at: SystemTime::now(),
            command: command_line(env::args()),
            machine: machine(),
        }
    }
}

#[cfg(test)]
impl Circumstances {
    /// For tests of what is shown.
    pub(crate) fn made_up() -> Self {
        Self {
            measured_at: SystemTime::UNIX_EPOCH,
            command: "latency test".to_owned(),
            machine: "2 × processor".to_owned(),
        }
    }
}

/// The command line as it can be typed again.
fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let quoted = |argument: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.:,@+%".contains(c);
        let argument = without_password(argument);
        match argument.chars().all(plain) && !argument.is_empty() {
            true => argument,
            false => format!("'{}'", argument.replace('\'', r"'\''")),
        }
    };
    let given = without_secrets(arguments.skip(1)).map(quoted);
    let words: Vec<_> = std::iter::once("latency".to_owned()).chain(given).collect();
    words.join(" ")
}

/// Whatever stands between a URL's user and its host.
fn without_password(argument: String) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else {
        return argument;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@').map(|(login, _)| login) {
        Some(login) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***{}", &rest[login.len()..])
        }
        None => argument,
    }
}

fn machine() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = value(&read("/proc/cpuinfo"), "model name");
    let processor = processor.unwrap_or_else(|| "processor".to_owned());
    let kib: Option<f64> = value(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.trim_end_matches(" kB").parse().ok());
    let memory = kib.map_or_else(String::new, |kib| format!(", {:.0} GB", kib * 1024.0 / 1e9));
    let release = read("/proc/sys/kernel/osrelease");
    let system = format!("{} {}", env::consts::OS, release.trim());
    format!(
        "{cores} × {processor}{memory}, {} {}",
        system.trim(),
        env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again_and_has_no_password() {
        let line = |arguments: &[&str]| {
            let arguments = ["/some/where/latency"].iter().chain(arguments);
            command_line(arguments.map(|argument| (*argument).to_owned()))
        };
        assert_eq!(
            line(&["compare", "--parameter", "Database=aurora"]),
            "latency compare --parameter Database=aurora"
        );
        assert_eq!(
            line(&["probe", "http://x/?a=b&c"]),
            "latency probe 'http://x/?a=b&c'"
        );
        assert_eq!(line(&["cold", "it's", ""]), r"latency cold 'it'\''s' ''");
        assert_eq!(
            line(&["up", "--database-url", "mysql://me:p@ss@h:1/calls"]),
            "latency up --database-url 'mysql://me:***@h:1/calls'"
        );
        assert_eq!(
            line(&["probe", "http://h/", "-H", "cookie: secret", "-d", "secret"]),
            "latency probe http://h/ -H 'cookie: …' -d '…'"
        );
        assert_eq!(
            line(&["up", "--database-url=mysql://me:secret@h/calls"]),
            "latency up '--database-url=mysql://me:***@h/calls'"
        );
    }

    #[test]
    fn the_machine_is_told_by_what_decides_how_fast_it_is() {
        let machine = machine();
        assert!(
            machine.contains(" × ") && machine.ends_with(env::consts::ARCH),
            "{machine}"
        );
    }
}
