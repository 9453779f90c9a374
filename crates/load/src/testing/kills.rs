//! A counter that is killed under load, again and again: are its numbers still right?

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// What came out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Hits that got a number.
    pub acknowledged: u64,
    /// Numbers that were given once more.
    pub twice: u64,
    /// Numbers that were given and are more than the count in the end, or less than one that was given before a kill.
    pub lost: u64,
    /// By how much the count is more than all hits, those without an answer included.
    pub invented: u64,
}

/// A server that says in its log where it listens, and is killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts it, and waits until it says so.
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program).args(arguments))
    }

    /// The same with whatever else the command has.
    pub fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = Self {
            child: command.spawn().unwrap(),
            address: String::new(),
        };
        let mut output = BufReader::new(running.child.stdout.take().unwrap());
        while running.address.is_empty() {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some((_, address)) = line.split_once("http://") {
                running.address = address.split('"').next().unwrap().to_owned();
            }
        }
        // Whoever is not read any more must not be stopped by it.
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        running
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the counter `rounds` times on the same state, has so many connections hit it, and kills it at a random moment.
///
/// It is asked for `GET /hits`, and must answer with the count and the header Content-Length.
#[must_use]
pub fn under_load(program: &Path, arguments: &[&str], rounds: u64, connections: u64) -> Kept {
    let mut seen = HashSet::new();
    let (mut acknowledged, mut twice, mut lost) = (0, 0, 0);
    let mut highest = 0;
    for _ in 0..rounds {
        let mut running = Running::start(program, arguments);
        let users: Vec<_> = (0..connections)
            .map(|_| {
                let address = running.address().to_owned();
                thread::spawn(move || numbers_until_broken(&address))
            })
            .collect();
        let random = RandomState::new().build_hasher().finish();
        thread::sleep(Duration::from_micros(2_000 + random % 60_000));
        running.child().kill().unwrap();
        running.child().wait().unwrap();
        let before = highest;
        for number in users.into_iter().flat_map(|user| user.join().unwrap()) {
            acknowledged += 1;
            twice += u64::from(!seen.insert(number));
            lost += u64::from(number <= before);
            highest = highest.max(number);
        }
    }
    let running = Running::start(program, arguments);
    let mut last = TcpStream::connect(running.address()).unwrap();
    let count = hit(&mut last).unwrap() - 1;
    lost += seen.iter().filter(|number| **number > count).count() as u64;
    Kept {
        acknowledged,
        twice,
        lost,
        // Each connection had one hit under way when it was killed.
        invented: count.saturating_sub(acknowledged + rounds * connections),
    }
}

fn numbers_until_broken(address: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        while let Ok(number) = hit(&mut stream) {
            numbers.push(number);
        }
    }
    numbers
}

/// One hit on an open connection.
///
/// # Errors
/// The connection is broken, or the answer is no number.
pub fn hit(stream: &mut TcpStream) -> io::Result<u64> {
    stream.write_all(b"GET /hits HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8_lossy(&body);
    text.parse().map_err(io::Error::other)
}
