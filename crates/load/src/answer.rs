//! An answer as it arrives: HTTP/1.1 (RFC 9112) in pieces of any size, of which only that is kept that somebody looks at.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response, Status};

use crate::Failure;

/// Longer heads, or more header fields, guard against a server that never comes to its answer.
const LONGEST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;

/// The longest line between chunks, and as much of all lines after the last.
const LONGEST_LINE: usize = 8 * 1024;

/// The longest body that is read where it matters, and the longest detail of a problem that is kept: more explains no more.
const LONGEST_BODY: usize = 4096;
const LONGEST_DETAIL: usize = 120;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of a problem.
    pub(crate) detail: Option<String>,
    /// What was kept of it.
    pub(crate) body: Vec<u8>,
    /// Whether the server lets the connection be used again.
    pub(crate) keeps_open: bool,
}

/// Reads one answer.
#[derive(Debug)]
pub(crate) struct Reader {
    expected: Expected,
    state: State,
    /// Of a head that came in pieces.
    head: Vec<u8>,
    begun: bool,
    status: u16,
    keeps_open: bool,
    is_problem: bool,
    body: Vec<u8>,
}

/// What is known of an answer before it comes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected {
    /// It has no body, whatever its head says: the request was HEAD.
    pub(crate) head_only: bool,
    /// The body's first 4 KB are wanted.
    pub(crate) keep_body: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    /// So many bytes are left.
    Body(u64),
    Chunked(Chunked),
    UntilClosed,
    Complete,
}

/// Where in a chunked body (RFC 9112, 7.1).
#[derive(Clone, Copy, Debug)]
enum Chunked {
    /// In the digits of a chunk's size, of which there are so many.
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind them, up to the line's end: what stands there is ignored.
    Extension {
        size: u64,
        length: usize,
    },
    /// The line has to end.
    SizeEnd {
        size: u64,
    },
    /// So many bytes are left.
    Data(u64),
    DataReturn,
    DataEnd,
    /// In the lines behind the last chunk.
    Trailer {
        total: usize,
        line: usize,
    },
    TrailerEnd {
        total: usize,
        line: usize,
    },
}

const NEXT_CHUNK: Chunked = Chunked::Size { size: 0, digits: 0 };

impl Reader {
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            expected,
            state: State::Head,
            head: Vec::new(),
            begun: false,
            status: 0,
            keeps_open: false,
            is_problem: false,
            body: Vec::new(),
        }
    }

    /// Whether anything came.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Takes what arrived. With the answer complete, returns how much of it belongs to the answer; else it was all taken.
    pub(crate) fn take(&mut self, arrived: &[u8]) -> Result<Option<usize>, Failure> {
        self.begun |= !arrived.is_empty();
        let mut rest = arrived;
        loop {
            rest = match self.state {
                State::Head => match self.take_head(rest)? {
                    Some(used) => &rest[used..],
                    None => return Ok(None),
                },
                State::Complete => return Ok(Some(arrived.len() - rest.len())),
                _ if rest.is_empty() => return Ok(None),
                State::UntilClosed => {
                    self.keep(rest);
                    return Ok(None);
                }
                State::Body(left) => {
                    let (data, rest) = split(rest, left);
                    self.keep(data);
                    self.state = match left - data.len() as u64 {
                        0 => State::Complete,
                        left => State::Body(left),
                    };
                    rest
                }
                State::Chunked(Chunked::Data(left)) => {
                    let (data, rest) = split(rest, left);
                    self.keep(data);
                    self.state = State::Chunked(match left - data.len() as u64 {
                        0 => Chunked::DataReturn,
                        left => Chunked::Data(left),
                    });
                    rest
                }
                State::Chunked(at) => {
                    self.state = at.after(rest[0])?;
                    &rest[1..]
                }
            };
        }
    }

    /// The server closed the connection.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        match self.state {
            State::UntilClosed | State::Complete => Ok(()),
            _ => Err(Failure::Closed),
        }
    }

    /// The answer, of which all has come.
    pub(crate) fn answer(self) -> Answer {
        Answer {
            status: self.status,
            detail: self.is_problem.then(|| detail(&self.body)).flatten(),
            body: self.body,
            keeps_open: self.keeps_open,
        }
    }

    /// Takes of a head what has come. Once it is there, returns how much of this belongs to it.
    fn take_head(&mut self, arrived: &[u8]) -> Result<Option<usize>, Failure> {
        // Most come in one piece, and need not be kept.
        let earlier = self.head.len();
        let parsed = if earlier == 0 {
            Head::parse(arrived)?
        } else {
            self.head.extend_from_slice(arrived);
            Head::parse(&self.head)?
        };
        let Some((length, head)) = parsed else {
            if earlier == 0 {
                self.head.extend_from_slice(arrived);
            }
            return match self.head.len() {
                ..=LONGEST_HEAD => Ok(None),
                _ => Err(Failure::BadResponse),
            };
        };
        self.head = Vec::new();
        let used = length.saturating_sub(earlier);
        match head.status {
            // Nobody asked for another protocol.
            101 => return Err(Failure::BadResponse),
            // Says that the answer is yet to come.
            100..200 => return Ok(Some(used)),
            200.. => {}
            _ => return Err(Failure::BadResponse),
        }
        let has_no_body = self.expected.head_only || matches!(head.status, 204 | 304);
        self.state = match head.body {
            _ if has_no_body => State::Complete,
            Framing::Length(0) => State::Complete,
            Framing::Length(length) => State::Body(length),
            Framing::Chunked => State::Chunked(NEXT_CHUNK),
            Framing::UntilClosed => State::UntilClosed,
        };
        self.status = head.status;
        self.keeps_open = head.keeps_open && !matches!(self.state, State::UntilClosed);
        self.is_problem = head.is_problem;
        Ok(Some(used))
    }

    fn keep(&mut self, data: &[u8]) {
        if self.is_problem || self.expected.keep_body {
            let room = LONGEST_BODY.saturating_sub(self.body.len());
            self.body.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
}

/// The first `length` bytes, or as many as there are, and the others.
fn split(bytes: &[u8], length: u64) -> (&[u8], &[u8]) {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    bytes.split_at(length.min(bytes.len()))
}

impl Chunked {
    /// Where the next byte leads.
    fn after(self, byte: u8) -> Result<State, Failure> {
        Ok(State::Chunked(match (self, byte) {
            (Self::Size { digits: 1.., size }, b'\r') => Self::SizeEnd { size },
            (Self::Size { digits: 1.., size }, b';' | b' ' | b'\t') => {
                Self::Extension { size, length: 0 }
            }
            // Sixteen digits are all that a size of 64 bits can have.
            (Self::Size { size, digits }, digit) if digits < 16 => {
                let digit = char::from(digit).to_digit(16).ok_or(Failure::BadResponse)?;
                Self::Size {
                    size: (size << 4) | u64::from(digit),
                    digits: digits + 1,
                }
            }
            (Self::Extension { size, .. }, b'\r') => Self::SizeEnd { size },
            (Self::Extension { size, length }, byte) if byte != b'\n' && length < LONGEST_LINE => {
                Self::Extension {
                    size,
                    length: length + 1,
                }
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Self::Trailer { total: 0, line: 0 },
            (Self::SizeEnd { size }, b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => NEXT_CHUNK,
            (Self::Trailer { total, line }, b'\r') => Self::TrailerEnd { total, line },
            (Self::Trailer { total, line }, byte) if byte != b'\n' && total < LONGEST_LINE => {
                Self::Trailer {
                    total: total + 1,
                    line: line + 1,
                }
            }
            // An empty line is the end of it.
            (Self::TrailerEnd { line: 0, .. }, b'\n') => return Ok(State::Complete),
            (Self::TrailerEnd { total, .. }, b'\n') => Self::Trailer { total, line: 0 },
            _ => return Err(Failure::BadResponse),
        }))
    }
}

/// What matters of a head.
struct Head {
    status: u16,
    body: Framing,
    keeps_open: bool,
    is_problem: bool,
}

/// How long a body is (RFC 9112, 6.3).
enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

impl Head {
    /// A head and its length, if all of it is there.
    fn parse(bytes: &[u8]) -> Result<Option<(usize, Self)>, Failure> {
        let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_HEADERS];
        let mut response = Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            &mut headers,
        );
        match parsed {
            Ok(Status::Complete(length)) if length <= LONGEST_HEAD => {
                Ok(Some((length, Self::of(&response)?)))
            }
            Ok(Status::Partial) => Ok(None),
            _ => Err(Failure::BadResponse),
        }
    }

    fn of(response: &Response<'_, '_>) -> Result<Self, Failure> {
        let mut length = None;
        let mut coding = None;
        // Without a word, connections of HTTP/1.1 are kept, those of HTTP/1.0 are not.
        let mut keeps_open = response.version == Some(1);
        let mut is_problem = false;
        for Header { name, value } in &*response.headers {
            if name.eq_ignore_ascii_case("content-length") {
                for given in value.split(|&byte| byte == b',') {
                    let given = number(given.trim_ascii()).ok_or(Failure::BadResponse)?;
                    // Twice the same is allowed, two different ones hide an attack.
                    if length.replace(given).is_some_and(|other| other != given) {
                        return Err(Failure::BadResponse);
                    }
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                coding = value.split(|&byte| byte == b',').next_back();
            } else if name.eq_ignore_ascii_case("connection") {
                for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    if option.eq_ignore_ascii_case(b"close") {
                        keeps_open = false;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        keeps_open = true;
                    }
                }
            } else if name.eq_ignore_ascii_case("content-type") {
                is_problem = value.starts_with(b"application/problem+json");
            }
        }
        let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        let body = match (coding, length) {
            (Some(coding), _) if is_chunked(coding) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length),
            _ => Framing::UntilClosed,
        };
        // With both, nobody knows what a server behind the first one has understood.
        keeps_open &= coding.is_none() || length.is_none();
        Ok(Self {
            status: response.code.ok_or(Failure::BadResponse)?,
            body,
            keeps_open,
            is_problem,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn detail(problem: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(problem).ok()?;
    let detail = problem["detail"].as_str()?;
    Some(detail.chars().take(LONGEST_DETAIL).collect())
}

#[cfg(test)]
mod tests;
