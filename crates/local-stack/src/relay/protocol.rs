//! Where a call begins and where its answer comes, in what passes by.
//!
//! Clients here wait for an answer before they send the next request, so what they send after an answer begins a call.
//! What is passed on never depends on what is found here.

use http::{Method, Request};

use super::ApiCall;

/// The longest head of a request that is looked at.
const LONGEST_HEAD: usize = 64 * 1024;
/// More headers than a signed request has.
const MOST_HEADERS: usize = 64;

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// MySQL's, in plain text, with the name of the service.
    MySql(&'static str),
    /// memcached's, in text.
    Memcached,
}

/// Reads along on one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    protocol: Protocol,
    /// A call has begun, and nothing of its answer has come.
    unanswered: bool,
    head: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            unanswered: false,
            head: Vec::new(),
        }
    }

    /// The connection was opened. To connect to a database, its login included, is a call.
    pub(crate) fn connected(&mut self) -> Option<ApiCall> {
        match self.protocol {
            // Only what is answered can be seen to end.
            Protocol::Http | Protocol::Memcached => None,
            Protocol::MySql(service) => Some(call(service, "Connect")),
        }
    }

    /// The client has sent this. The call that begins with it, if one does.
    pub(crate) fn sent(&mut self, bytes: &[u8]) -> Option<ApiCall> {
        if self.unanswered {
            return None;
        }
        let found = match self.protocol {
            Protocol::Http => self.request(bytes),
            Protocol::MySql(service) => command(bytes).map(|operation| call(service, operation)),
            Protocol::Memcached => self.line(bytes),
        };
        self.unanswered |= found.is_some();
        found
    }

    /// The server has sent this. Whether it belongs to the answer.
    pub(crate) fn answered(&mut self, bytes: &[u8]) -> bool {
        // 100 Continue asks for the rest of the request.
        if self.protocol == Protocol::Http && bytes.starts_with(b"HTTP/1.1 100") {
            return false;
        }
        self.unanswered = false;
        true
    }

    /// What is asked of memcached stands in a line (memcached, protocol.txt); a value may follow, which is looked at by nobody.
    fn line(&mut self, bytes: &[u8]) -> Option<ApiCall> {
        self.head.extend_from_slice(bytes);
        let end = self.head.iter().position(|byte| *byte == b'\n');
        if end.is_none() && self.head.len() < LONGEST_HEAD {
            return None;
        }
        let line = String::from_utf8_lossy(&self.head[..end.unwrap_or_default()]);
        let mut words = line.split_ascii_whitespace();
        let operation = match words.next().unwrap_or_default() {
            "get" | "gets" | "gat" | "gats" | "mg" => "Get",
            "set" | "add" | "replace" | "cas" | "ms" => "Set",
            other => other,
        };
        // Who says so waits for no answer.
        let found = (words.next_back() != Some("noreply")).then(|| call("memcached", operation));
        self.head.clear();
        found
    }

    fn request(&mut self, bytes: &[u8]) -> Option<ApiCall> {
        self.head.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let found = match parsed.parse(&self.head) {
            Ok(httparse::Status::Complete(_)) => request(&parsed),
            Ok(httparse::Status::Partial) if self.head.len() < LONGEST_HEAD => return None,
            _ => None,
        };
        self.head.clear();
        found.as_ref().map(ApiCall::of)
    }
}

fn request(parsed: &httparse::Request<'_, '_>) -> Option<Request<()>> {
    let method = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    let mut request = Request::builder().method(method).uri(parsed.path?);
    for header in &*parsed.headers {
        request = request.header(header.name, header.value);
    }
    request.body(()).ok()
}

fn call(service: &str, operation: &str) -> ApiCall {
    ApiCall {
        service: service.to_owned(),
        operation: operation.to_owned(),
    }
}

/// Commands of MySQL that have no answer: COM_QUIT, COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE (MySQL internals, "Command
/// Phase").
const WITHOUT_ANSWER: [u8; 3] = [0x01, 0x18, 0x19];

/// The first command in these packets that has an answer. Each packet begins with its length in three bytes and its sequence
/// number in one, which is 0 for a command.
fn command(mut packets: &[u8]) -> Option<&'static str> {
    while let [a, b, c, sequence, rest @ ..] = packets {
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        match rest.first() {
            Some(command) if *sequence == 0 && !WITHOUT_ANSWER.contains(command) => {
                return Some("Query");
            }
            _ => packets = rest.get(length..)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: &[u8] = b"POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.UpdateItem\r\nauthorization: \
        AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-2/dynamodb/aws4_request, Signature=0\r\n\r\n{}";

    fn found(call: Option<ApiCall>) -> String {
        call.map(|call| call.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_request_is_found_however_it_is_cut() {
        for cut in 1..UPDATE.len() {
            let mut reader = Reader::new(Protocol::Http);
            let (one, other) = UPDATE.split_at(cut);
            let calls = [reader.sent(one), reader.sent(other)].map(found);
            assert_eq!(calls.concat(), "dynamodb UpdateItem", "cut at {cut}");
        }
    }

    #[test]
    fn what_follows_an_answer_is_the_next_request() {
        let mut reader = Reader::new(Protocol::Http);
        for _ in 0..3 {
            assert_eq!(found(reader.sent(UPDATE)), "dynamodb UpdateItem");
            assert!(reader.answered(b"HTTP/1.1 200 OK\r\n\r\n"));
        }
    }

    #[test]
    fn the_body_after_100_continue_is_no_request() {
        let mut reader = Reader::new(Protocol::Http);
        assert_eq!(found(reader.sent(UPDATE)), "dynamodb UpdateItem");
        assert!(!reader.answered(b"HTTP/1.1 100 Continue\r\n\r\n"));
        assert_eq!(reader.sent(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn what_is_no_http_is_no_call() {
        let mut reader = Reader::new(Protocol::Http);
        assert_eq!(reader.sent(b"\x00\x01garbage\r\n\r\n"), None);
        assert_eq!(reader.sent(&[b'a'; LONGEST_HEAD]), None);
        assert_eq!(found(reader.sent(UPDATE)), "dynamodb UpdateItem");
    }

    #[test]
    fn a_line_to_memcached_is_a_call_however_it_is_cut() {
        for (sent, operation) in [
            (&b"get a b\r\n"[..], "memcached Get"),
            (b"set a 0 60 5\r\nget x\r\n", "memcached Set"),
            (b"version\r\n", "memcached version"),
        ] {
            for cut in 1..sent.len() {
                let mut reader = Reader::new(Protocol::Memcached);
                assert_eq!(reader.connected(), None);
                let (one, other) = sent.split_at(cut);
                let calls = [reader.sent(one), reader.sent(other)].map(found);
                assert_eq!(calls.concat(), operation, "cut at {cut}");
            }
        }
        let mut reader = Reader::new(Protocol::Memcached);
        assert_eq!(reader.sent(b"set a 0 0 1 noreply\r\n1\r\n"), None);
    }

    #[test]
    fn login_is_one_call_and_each_command_with_an_answer_another() {
        let mut reader = Reader::new(Protocol::MySql("mysql"));
        assert_eq!(found(reader.connected()), "mysql Connect");
        reader.answered(b"greeting");
        // The login has sequence number 1: it belongs to the call that connects.
        assert_eq!(reader.sent(b"\x02\0\0\x01xx"), None);
        reader.answered(b"ok");
        assert_eq!(found(reader.sent(b"\x02\0\0\0\x03x")), "mysql Query");
        // A large query comes in parts.
        assert_eq!(reader.sent(b"\x02\0\0\0\x03x"), None);
        reader.answered(b"row");
        // Close a statement, and execute another.
        let both = b"\x05\0\0\0\x19\0\0\0\0\x02\0\0\0\x17x";
        assert_eq!(found(reader.sent(both)), "mysql Query");
        reader.answered(b"row");
        assert_eq!(reader.sent(b"\x01\0\0\0\x01"), None);
    }
}
