//! Users, each with a connection, who check every answer that they get.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use readings::testing::{customer, readings};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    task::JoinSet,
};

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: bool,
    pub(crate) closes: bool,
    pub(crate) body: String,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Broken {
    /// The connection ended before a byte of the answer: the request may be sent again.
    Before,
    /// The answer was not whole.
    Within,
}

/// Asks on an open connection.
pub(crate) async fn ask(stream: &mut BufReader<TcpStream>, path: &str) -> Result<Answer, Broken> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    let mut line = String::new();
    let read = stream.read_line(&mut line).await;
    if sent.is_err() || line.is_empty() {
        return Err(Broken::Before);
    }
    read.map_err(|_| Broken::Within)?;
    let mut answer = Answer {
        status: line.split(' ').nth(1).unwrap().parse().unwrap(),
        ..Answer::default()
    };
    let mut length = 0;
    loop {
        line.clear();
        let read = stream.read_line(&mut line).await;
        if read.map_err(|_| Broken::Within)? == 0 {
            return Err(Broken::Within);
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name {
            "content-length" => length = value.parse().unwrap(),
            "retry-after" => answer.retry_after = true,
            "connection" => answer.closes = value == "close",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    let read = stream.read_exact(&mut body).await;
    read.map_err(|_| Broken::Within)?;
    answer.body = String::from_utf8(body).unwrap();
    Ok(answer)
}

pub(crate) async fn connect(address: &str) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(address).await.unwrap())
}

pub(crate) async fn ask_once(address: &str, path: &str) -> Answer {
    ask(&mut connect(address).await, path).await.unwrap()
}

/// What users got.
#[derive(Debug, Default)]
pub(crate) struct Got {
    /// 200 with what was asked for.
    pub(crate) right: u64,
    /// 503 with Retry-After.
    pub(crate) later: u64,
    /// 200 with something else.
    pub(crate) wrong: Vec<String>,
    /// Any other answer, or none.
    pub(crate) other: Vec<String>,
    /// How long each answer took, in order.
    pub(crate) latencies: Vec<Duration>,
}

impl Got {
    fn add(
        &mut self,
        path: &str,
        expected: &str,
        latency: Duration,
        answer: Result<Answer, Broken>,
    ) {
        self.latencies.push(latency);
        match answer {
            Ok(answer) if answer.status == 200 && answer.body == expected => self.right += 1,
            Ok(answer) if answer.status == 200 => {
                self.wrong.push(format!("{path}: {}", answer.body))
            }
            Ok(answer) if answer.status == 503 && answer.retry_after => self.later += 1,
            other => self.other.push(format!("{path}: {other:?}")),
        }
    }

    pub(crate) fn p99(&self) -> Duration {
        self.latencies[self.latencies.len() * 99 / 100]
    }

    /// Fails unless all got what they asked for.
    pub(crate) fn assert_all_right(&self) {
        self.assert_none_wrong();
        assert_eq!(self.later, 0);
    }

    /// Fails if anybody got what is neither right nor a 503.
    pub(crate) fn assert_none_wrong(&self) {
        assert_eq!(self.wrong, [""; 0]);
        assert_eq!(self.other, [""; 0]);
        assert!(self.right + self.later > 0);
    }
}

/// Users who ask until they are called back.
pub(crate) struct Users {
    users: JoinSet<Got>,
    go_on: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
}

impl Users {
    /// So many, each of whom asks for one of these customers after the other, and for its readings.
    pub(crate) fn start(address: &str, users: usize, ids: RangeInclusive<u32>) -> Self {
        let go_on = Arc::new(AtomicBool::new(true));
        let answers = Arc::<AtomicU64>::default();
        let mut set = JoinSet::new();
        for user in 0..users {
            let (address, ids) = (address.to_owned(), ids.clone());
            let (go_on, answers) = (go_on.clone(), answers.clone());
            set.spawn(async move {
                let mut got = Got::default();
                let mut stream = connect(&address).await;
                for id in ids.cycle().skip(user * 37) {
                    if !go_on.load(Ordering::Relaxed) {
                        break;
                    }
                    let (path, expected) = match id % 2 {
                        0 => (format!("/customer/{id}"), customer(id)),
                        _ => (format!("/customerdata/{id}"), readings(id)),
                    };
                    let since = Instant::now();
                    let answer = ask(&mut stream, &path).await;
                    let is_broken = answer.is_err();
                    got.add(&path, &expected, since.elapsed(), answer);
                    answers.fetch_add(1, Ordering::Relaxed);
                    if is_broken {
                        break;
                    }
                }
                got
            });
        }
        Self {
            users: set,
            go_on,
            answers,
        }
    }

    /// Waits for so many answers from now on.
    pub(crate) async fn answers(&self, wanted: u64) {
        let wanted = self.answers.load(Ordering::Relaxed) + wanted;
        crate::common::until("they are answered", async || {
            self.answers.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }

    /// What they have.
    pub(crate) async fn call_back(self) -> Got {
        self.go_on.store(false, Ordering::Relaxed);
        let mut all = Got::default();
        for mut got in self.users.join_all().await {
            all.right += got.right;
            all.later += got.later;
            all.wrong.append(&mut got.wrong);
            all.other.append(&mut got.other);
            all.latencies.append(&mut got.latencies);
        }
        all.latencies.sort_unstable();
        all
    }
}
