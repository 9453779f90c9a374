//! Ends what the host can't end any more: a process beside the host that outlives it, kills all process groups which are
//! left, and goes.
//!
//! Only a process that leaves its group (`setsid`) escapes.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::Pid;
use tempfile::TempDir;

use crate::process;

/// `$1` has a file for each group, named after it. Standard input ends when the host does, however that ends.
const SCRIPT: &str = r#"
read -r _
cd -- "$1" || exit
for group in [0-9]*; do
    kill -s KILL -- "-$group"
done
rm -rf -- "$1"
"#;

/// The process beside the host. Dropping it waits until it has done its work.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
    /// Before it goes, the guardian has removed what is in it.
    groups: TempDir,
}

impl Guardian {
    pub(crate) fn start() -> io::Result<Self> {
        let groups = TempDir::with_prefix("local-lambda-")?;
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(groups.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of a terminal's Ctrl-C.
            .process_group(0)
            .spawn()?;
        Ok(Self { shell, groups })
    }

    /// Watches a process group until the returned value is dropped, which ends the group.
    pub(crate) fn watch(&self, group: Pid) -> io::Result<Watched> {
        let file = self.groups.path().join(group.as_raw_nonzero().to_string());
        // Also when it can't be watched: then it must not run.
        let watched = Watched { group, file };
        File::create(&watched.file)?;
        Ok(watched)
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Should the wait fail, there is no process to wait for.
        let _ = self.shell.wait();
    }
}

/// A process group that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Watched {
    group: Pid,
    file: PathBuf,
}

impl Watched {
    pub(crate) fn kill(&self) {
        process::kill(self.group);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill();
        // The guardian has been there first if the host is going.
        let _ = fs::remove_file(&self.file);
    }
}
