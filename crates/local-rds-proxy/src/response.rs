//! Where the database's response to a command ends, and what it says of the transaction. The response itself is relayed
//! untouched: nothing here changes a byte of it.

use mysql_common::constants::StatusFlags;

use crate::packet::{EOF, ERR, HEADER, LONGEST_FRAME, OK, length_of_frame};

/// As much of a packet as has to be seen: an OK packet's status comes after two numbers of at most nine bytes.
const HEAD: usize = 24;

/// A request to send a file of the client's, which the proxy never offers to do.
const LOCAL_INFILE: u8 = 0xFB;

/// What is to come in response to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing at all.
    Nothing,
    /// One packet.
    Packet,
    /// One result after another: rows, or the number of rows affected.
    Results,
    /// Rows whose columns are known.
    Rows,
    /// A prepared statement with the definitions of its parameters and columns.
    Prepared,
}

/// What the database sent is no response.
#[derive(Debug)]
pub(crate) struct Malformed;

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Response {
    deprecate_eof: bool,
    phase: Phase,
    frame: Frame,
    status: Option<StatusFlags>,
    failed: bool,
    inserted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Packet,
    Result,
    Columns { left: u64 },
    EndOfColumns,
    Rows,
    Prepared,
    Definitions { left: u32 },
    Done,
}

/// The frame that is being read.
#[derive(Debug, Default)]
struct Frame {
    header: [u8; HEADER],
    /// How much of the header is there.
    read: usize,
    /// How much is yet to come once the header is there.
    left: usize,
    /// Whether it continues the packet of the frame before.
    continues: bool,
    head: Vec<u8>,
}

impl Response {
    /// `deprecate_eof` is what the client and the database agreed on.
    pub(crate) fn new(expected: Expected, deprecate_eof: bool) -> Self {
        Self {
            deprecate_eof,
            phase: match expected {
                Expected::Nothing => Phase::Done,
                Expected::Packet => Phase::Packet,
                Expected::Results => Phase::Result,
                Expected::Rows => Phase::Rows,
                Expected::Prepared => Phase::Prepared,
            },
            frame: Frame::default(),
            status: None,
            failed: false,
            inserted: false,
        }
    }

    /// Follows the response through these bytes, which come after those of the last call.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            if self.is_done() {
                return Err(Malformed);
            }
            bytes = self.frame.take(bytes);
            if self.frame.is_complete() {
                let length = length_of_frame(&self.frame.header);
                let is_first = !self.frame.continues;
                let head = std::mem::take(&mut self.frame.head);
                if is_first {
                    self.packet(&head, length)?;
                }
                // A packet that goes on is a row or a definition: its end changes nothing.
                self.frame = Frame {
                    continues: length == LONGEST_FRAME,
                    head,
                    ..Frame::default()
                };
                self.frame.head.clear();
            }
        }
        Ok(())
    }

    /// Whether all of it was there.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done && !self.frame.continues
    }

    /// Whether it ended with an error.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether it tells of an id that an `AUTO_INCREMENT` column made.
    pub(crate) fn inserted(&self) -> bool {
        self.inserted
    }

    /// The last status in it. Errors have none.
    pub(crate) fn status(&self) -> Option<StatusFlags> {
        self.status
    }

    /// A packet whose first frame begins like this and has this length.
    fn packet(&mut self, head: &[u8], length: usize) -> Result<(), Malformed> {
        let first = *head.first().ok_or(Malformed)?;
        if first == ERR {
            self.failed = true;
            self.phase = Phase::Done;
            return Ok(());
        }
        self.phase = match self.phase {
            Phase::Packet => {
                self.status = match first {
                    OK => status_of_ok(head),
                    EOF => self.status_of_end(head),
                    _ => None,
                };
                Phase::Done
            }
            Phase::Result if first == OK => {
                self.inserted |= inserted_id(head).is_some_and(|id| id > 0);
                self.after_result(status_of_ok(head))?
            }
            Phase::Result if first == LOCAL_INFILE => return Err(Malformed),
            Phase::Result => Phase::Columns {
                left: number(head).ok_or(Malformed)?.0,
            },
            Phase::Columns { left: 0 | 1 } if self.deprecate_eof => Phase::Rows,
            Phase::Columns { left: 0 | 1 } => Phase::EndOfColumns,
            Phase::Columns { left } => Phase::Columns { left: left - 1 },
            Phase::EndOfColumns => {
                let status = self.status_of_end(head).ok_or(Malformed)?;
                if status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS) {
                    // Rows are fetched with commands of their own.
                    self.after_result(Some(status))?
                } else {
                    Phase::Rows
                }
            }
            Phase::Rows if first == EOF && length < self.longest_end() => {
                self.after_result(self.status_of_end(head))?
            }
            Phase::Rows => Phase::Rows,
            Phase::Prepared => match self.definitions(head).ok_or(Malformed)? {
                0 => Phase::Done,
                left => Phase::Definitions { left },
            },
            Phase::Definitions { left: 0 | 1 } => Phase::Done,
            Phase::Definitions { left } => Phase::Definitions { left: left - 1 },
            Phase::Done => return Err(Malformed),
        };
        Ok(())
    }

    fn after_result(&mut self, status: Option<StatusFlags>) -> Result<Phase, Malformed> {
        let status = status.ok_or(Malformed)?;
        self.status = Some(status);
        Ok(
            if status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS) {
                Phase::Result
            } else {
                Phase::Done
            },
        )
    }

    /// From this length on, a packet that begins like an end is a row that begins with a very long value.
    fn longest_end(&self) -> usize {
        if self.deprecate_eof { LONGEST_FRAME } else { 9 }
    }

    fn status_of_end(&self, head: &[u8]) -> Option<StatusFlags> {
        if self.deprecate_eof {
            status_of_ok(head)
        } else {
            // After the number of warnings.
            status(head.get(3..)?)
        }
    }

    /// How many packets follow the one that reports a prepared statement.
    fn definitions(&self, head: &[u8]) -> Option<u32> {
        let count = |at: usize| {
            let definitions = u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?);
            let end = !self.deprecate_eof && definitions > 0;
            Some(u32::from(definitions) + u32::from(end))
        };
        Some(count(5)? + count(7)?)
    }
}

impl Frame {
    /// Takes what belongs to this frame and returns the rest.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.read < HEADER {
            let (header, rest) = bytes.split_at(bytes.len().min(HEADER - self.read));
            self.header[self.read..self.read + header.len()].copy_from_slice(header);
            self.read += header.len();
            self.left = length_of_frame(&self.header);
            return rest;
        }
        let (payload, rest) = bytes.split_at(bytes.len().min(self.left));
        let wanted = HEAD.saturating_sub(self.head.len()).min(payload.len());
        self.head.extend_from_slice(&payload[..wanted]);
        self.left -= payload.len();
        rest
    }

    fn is_complete(&self) -> bool {
        self.read == HEADER && self.left == 0
    }
}

fn inserted_id(head: &[u8]) -> Option<u64> {
    let (_affected, rest) = number(head.get(1..)?)?;
    Some(number(rest)?.0)
}

fn status_of_ok(head: &[u8]) -> Option<StatusFlags> {
    let (_affected, rest) = number(head.get(1..)?)?;
    let (_inserted, rest) = number(rest)?;
    status(rest)
}

fn status(bytes: &[u8]) -> Option<StatusFlags> {
    let bits = u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?);
    Some(StatusFlags::from_bits_retain(bits))
}

/// A length-encoded number, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let size = match first {
        0xFC => 2,
        0xFD => 3,
        0xFE => 8,
        _ => return Some((first.into(), rest)),
    };
    let (number, rest) = rest.split_at_checked(size)?;
    let mut all = [0; 8];
    all[..size].copy_from_slice(number);
    Some((u64::from_le_bytes(all), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{error, frames};

    const MORE: u8 = 0x08;
    const IN_TRANSACTION: u8 = 0x01;

    fn end(status: u8) -> Vec<u8> {
        vec![EOF, 0, 0, status, 0]
    }

    /// One column of which nothing matters, and these rows.
    fn result(rows: &[&[u8]], status: u8) -> Vec<u8> {
        let columns: [&[u8]; 3] = [&[1], b"\x03def", &end(0)];
        let last = end(status);
        let packets = columns.iter().chain(rows).copied().chain([&last[..]]);
        packets.flat_map(|packet| frames(1, packet)).collect()
    }

    fn follow(expected: Expected, bytes: &[u8]) -> Result<Response, Malformed> {
        let mut response = Response::new(expected, false);
        response.follow(bytes)?;
        Ok(response)
    }

    #[test]
    fn a_response_ends_with_the_last_of_its_results() {
        let several = [
            result(&[b"\x01a", b"\xFB"], MORE),
            frames(1, &[OK, 0, 0, MORE, 0, 0, 0]),
            result(&[], IN_TRANSACTION),
        ]
        .concat();
        for end in 1..several.len() {
            assert!(
                !follow(Expected::Results, &several[..end])
                    .unwrap()
                    .is_done()
            );
        }
        let response = follow(Expected::Results, &several).unwrap();
        assert!(response.is_done() && !response.failed());
        let in_transaction = StatusFlags::SERVER_STATUS_IN_TRANS;
        assert_eq!(response.status(), Some(in_transaction));
    }

    #[test]
    fn an_error_ends_it_wherever_it_is() {
        let error = frames(1, &error(1317, "70100", "Query execution was interrupted"));
        let mut cut_off = result(&[b"\x01a"], 0);
        cut_off.truncate(cut_off.len() - HEADER - end(0).len());
        for before in [Vec::new(), cut_off, result(&[], MORE)] {
            let response = follow(Expected::Results, &[before, error.clone()].concat()).unwrap();
            assert!(response.is_done() && response.failed());
        }
    }

    #[test]
    fn bytes_that_nobody_asked_for_are_no_response() {
        let one_too_many = [result(&[], 0), vec![0]].concat();
        assert!(follow(Expected::Results, &one_too_many).is_err());
        assert!(follow(Expected::Nothing, &[0]).is_err());
        assert!(follow(Expected::Results, &frames(1, b"")).is_err());
        assert!(follow(Expected::Results, &frames(1, b"\xFBfile")).is_err());
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_how_the_bytes_come(
            rows in proptest::collection::vec(proptest::collection::vec(1..0xFB_u8, 1..300), 0..20),
            size in 1..50_usize,
        ) {
            let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            let bytes = result(&rows, IN_TRANSACTION);
            let mut response = Response::new(Expected::Results, false);
            for piece in bytes.chunks(size) {
                prop_assert!(!response.is_done());
                prop_assert!(response.follow(piece).is_ok());
            }
            prop_assert!(response.is_done());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, deprecate_eof: bool) {
            for expected in [Expected::Packet, Expected::Results, Expected::Rows, Expected::Prepared] {
                let _ = Response::new(expected, deprecate_eof).follow(&bytes);
            }
        }
    }
}
