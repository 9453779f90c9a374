//! A proxy in front of an emulator that loses or replaces answers.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What becomes of a request. Once there are no more, the rest is passed on.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The emulator does it, and the connection breaks before its answer.
    Lost,
    /// The emulator is not asked; this status and body are the answer.
    Instead(u16, String),
}

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub struct GoBetween {
    endpoint: String,
    requests: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl GoBetween {
    /// In front of the emulator at this endpoint.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(emulator: &str, answers: Vec<Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let emulator = emulator.trim_start_matches("http://").to_owned();
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let requests: Arc<AtomicUsize> = Arc::default();
        let counted = requests.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (emulator, answers) = (emulator.clone(), answers.clone());
                let counted = counted.clone();
                tokio::spawn(async move {
                    let emulator = TcpStream::connect(emulator).await?;
                    let (mut client, mut emulator) =
                        (BufStream::new(client), BufStream::new(emulator));
                    loop {
                        let request = message(&mut client).await?;
                        counted.fetch_add(1, Ordering::Relaxed);
                        let answer = answers.lock().map_or(None, |mut left| left.pop_front());
                        let answer = match answer {
                            Some(Answer::Instead(status, body)) => format!(
                                "HTTP/1.1 {status} Instead\r\nContent-Length: {}\r\n\r\n{body}",
                                body.len()
                            )
                            .into_bytes(),
                            other => {
                                emulator.write_all(&request).await?;
                                emulator.flush().await?;
                                let answer = message(&mut emulator).await?;
                                if other.is_some() {
                                    return io::Result::Ok(());
                                }
                                answer
                            }
                        };
                        client.write_all(&answer).await?;
                        client.flush().await?;
                    }
                });
            }
        });
        Ok(Self {
            endpoint,
            requests,
            accepting,
        })
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for GoBetween {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One HTTP/1.1 message, head and body; its length is in its head.
async fn message(stream: &mut BufStream<TcpStream>) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    while !message.ends_with(b"\r\n\r\n") {
        message.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&message).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    let head = message.len();
    message.resize(head + length, 0);
    stream.read_exact(&mut message[head..]).await?;
    Ok(message)
}
