//! The emulator's process, held so that it can't outlive this one.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// Runs `$1`. A line on standard input asks it to stop, so that it can save its state. When standard input ends, as it
/// does however our own process ends, it is killed and its directory `$2` removed.
const KEEPER: &str = r#"
exec 3<&0
"$1" </dev/null 3<&- &
emulator=$!
{
    read -r _ && kill -TERM $emulator
    read -r _
    trap '' TERM
    kill -KILL $emulator
    rm -rf -- "$2"
} <&3 2>/dev/null &
watch=$!
wait $emulator
status=$?
{ kill $watch; wait $watch; } 2>/dev/null
exit $status
"#;

/// A shell with the emulator below it. Dropping it kills both.
#[derive(Debug)]
pub(crate) struct Process {
    shell: Child,
}

impl Process {
    /// Starts `program` with these variables and none of ours but `PATH`: no credentials, endpoints or proxies.
    ///
    /// `directory` is where it keeps its files.
    pub(crate) fn start<'a>(
        program: &Path,
        directory: &Path,
        variables: impl IntoIterator<Item = (&'a str, String)>,
        log: File,
    ) -> io::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let shell = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args([program, directory])
            .env_clear()
            .env("PATH", path)
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Out of reach of a terminal's Ctrl-C: we decide when it ends.
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// Asks it to stop. It may take its time.
    pub(crate) fn ask_to_stop(&mut self) -> io::Result<()> {
        match &mut self.shell.stdin {
            Some(stdin) => stdin.write_all(b"stop\n"),
            None => Ok(()),
        }
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A killed process is gone at once. Should the wait fail, there is no process to wait for.
        let _ = self.shell.wait();
    }
}
