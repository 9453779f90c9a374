//! memcached, asked in its text protocol (doc/protocol.txt of its sources) without a client in between.

use std::time::Instant;

use anyhow::Context as _;
use load::Latencies;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::stack::WARM_UP;

/// What the server's answers to `get` and `stats` end with.
const END: &[u8] = b"END\r\n";

/// One question, asked again and again on one connection.
pub(crate) struct BareGets {
    connection: TcpStream,
    question: String,
    answer: Vec<u8>,
}

impl BareGets {
    pub(crate) async fn connect(port: u16, key: &str) -> anyhow::Result<Self> {
        let mut gets = Self {
            connection: connect(port).await?,
            question: format!("get {key}\r\n"),
            answer: Vec::with_capacity(4096),
        };
        gets.get().await?;
        anyhow::ensure!(gets.answer.starts_with(b"VALUE "), "{key} is not cached");
        Ok(gets)
    }

    /// So many, one after the other, after some that are not counted.
    pub(crate) async fn turn(&mut self, gets: u64) -> anyhow::Result<Latencies> {
        let mut latencies = Latencies::new();
        for at in 0..WARM_UP + gets {
            let since = Instant::now();
            self.get().await?;
            if at >= WARM_UP {
                latencies.record(since.elapsed());
            }
        }
        Ok(latencies)
    }

    async fn get(&mut self) -> anyhow::Result<()> {
        self.connection.write_all(self.question.as_bytes()).await?;
        read_to_end(&mut self.connection, &mut self.answer).await
    }
}

/// How many keys were asked for so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

pub(crate) async fn counts(port: u16) -> anyhow::Result<Counts> {
    let mut connection = connect(port).await?;
    connection.write_all(b"stats\r\n").await?;
    let mut answer = Vec::new();
    read_to_end(&mut connection, &mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let number = |name: &str| {
        let lines = answer.lines().filter_map(|line| line.strip_prefix("STAT "));
        let number = lines.filter_map(|line| line.strip_prefix(name)).next();
        let number = number.with_context(|| format!("memcached has no {name}"))?;
        anyhow::Ok(number.trim().parse()?)
    };
    Ok(Counts {
        hits: number("get_hits ")?,
        misses: number("get_misses ")?,
    })
}

/// Has it forget everything.
pub(crate) async fn forget_all(port: u16) -> anyhow::Result<()> {
    let mut connection = connect(port).await?;
    connection.write_all(b"flush_all\r\n").await?;
    let mut answer = [0; 4];
    connection.read_exact(&mut answer).await?;
    anyhow::ensure!(&answer == b"OK\r\n", "memcached does not forget");
    Ok(())
}

async fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let connection = TcpStream::connect(("127.0.0.1", port)).await?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// The answer in place of the one before it.
async fn read_to_end(connection: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<()> {
    answer.clear();
    while !answer.ends_with(END) {
        let read = connection.read_buf(answer).await?;
        anyhow::ensure!(read > 0, "memcached has hung up");
    }
    Ok(())
}
