//! The program's process, held so that it can't outlive this one.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

/// Runs `$2…`, whose id is in `$1/process` before it begins. A line on standard input is the signal to send it, so that it can save its
/// state. When standard input ends, as it does however our own process ends, it is killed, with whatever it has started in
/// its process group, and its directory `$1` removed.
const KEEPER: &str = r#"
exec 3<&0
directory=$1
shift
sh -c 'echo $$ >"$0"; exec "$@"' "$directory/process" "$@" </dev/null 3<&- &
program=$!
{
    read -r signal && kill -s "$signal" $program
    read -r _
    trap '' TERM
    kill -s KILL $program
    rm -rf -- "$directory"
    exit 0
} <&3 2>/dev/null &
watch=$!
wait $program
status=$?
{ kill $watch; wait $watch && kill -s KILL 0; } 2>/dev/null
exit $status
"#;

/// A shell with the program below it. Dropping it kills both and removes the program's directory.
#[derive(Debug)]
pub struct Companion {
    shell: Child,
}

/// How a program is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// In an orderly way: it may take its time.
    Terminate,
    /// At once, as in a crash.
    Kill,
}

impl Companion {
    /// Starts `program` with these variables and none of ours but `PATH`: no credentials, endpoints or proxies.
    ///
    /// `directory` is where it keeps its files.
    pub fn start<'a>(
        program: &Path,
        arguments: &[String],
        directory: &Path,
        variables: impl IntoIterator<Item = (&'a str, String)>,
        log: File,
    ) -> io::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let shell = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args([directory, program])
            .args(arguments)
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

    /// Tells it to end, once. Its directory stays.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        let name = match signal {
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
        };
        match &mut self.shell.stdin {
            Some(stdin) => stdin.write_all(format!("{name}\n").as_bytes()),
            None => Ok(()),
        }
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // A killed process is gone at once. Should the wait fail, there is no process to wait for.
        let _ = self.shell.wait();
    }
}
