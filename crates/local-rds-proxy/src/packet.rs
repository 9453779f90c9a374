//! MySQL's packets: how they are framed, and the few that the proxy makes itself.

use std::io::{self, ErrorKind};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Each frame begins with its length in three bytes and its sequence number in one.
pub(crate) const HEADER: usize = 4;

/// A frame of this many bytes is followed by another one of the same packet.
pub(crate) const LONGEST_FRAME: usize = 0xFF_FFFF;

/// The first byte of a packet that reports success.
pub(crate) const OK: u8 = 0x00;

/// The first byte of a packet that ends a list, or reports success in its place.
pub(crate) const EOF: u8 = 0xFE;

/// The first byte of a packet that reports an error.
pub(crate) const ERR: u8 = 0xFF;

/// What is read at a time. A connection that idles holds no more.
const READ_SIZE: usize = 16 * 1024;

/// A packet as it came, with the headers of its frames.
#[derive(Debug)]
pub(crate) struct Packet(BytesMut);

impl Packet {
    pub(crate) fn frames(&self) -> &[u8] {
        &self.0
    }

    /// What is in its first frame, which is all of it if that is not of the greatest length.
    pub(crate) fn payload(&self) -> &[u8] {
        let end = HEADER + length_of_frame(&self.0);
        &self.0[HEADER..end]
    }
}

/// One side of the proxy: packets in, bytes out.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    inbound: BytesMut,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            inbound: BytesMut::new(),
        })
    }

    /// The next packet. Nothing is lost if the returned future is dropped.
    ///
    /// Fails with [`ErrorKind::InvalidData`] for a packet of more than `limit` bytes.
    pub(crate) async fn packet(&mut self, limit: usize) -> io::Result<Packet> {
        loop {
            match length_of_packet(&self.inbound) {
                Ok(length) => return Ok(Packet(self.inbound.split_to(length))),
                Err(at_least) if at_least > limit => return Err(ErrorKind::InvalidData.into()),
                Err(at_least) => self.inbound.reserve(at_least - self.inbound.len()),
            }
            self.more().await?;
        }
    }

    /// Reads what there is, and adds it to what is held. Nothing is lost if the returned future is dropped.
    pub(crate) async fn more(&mut self) -> io::Result<()> {
        self.inbound.reserve(READ_SIZE);
        match self.stream.read_buf(&mut self.inbound).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// What was read and not yet taken.
    pub(crate) fn take(&mut self) -> BytesMut {
        std::mem::take(&mut self.inbound)
    }

    /// Returns when the other side is gone, having read what it sent until then; but no more than `limit` bytes, for that
    /// may be any amount.
    pub(crate) async fn gone(&mut self, limit: usize) {
        while self.inbound.len() < limit {
            if self.more().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Whether the other side has neither hung up nor said anything.
    pub(crate) fn is_silent(&self) -> bool {
        let read = self.stream.try_read(&mut [0; 1]);
        self.inbound.is_empty() && read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will be sent, and returns when the other side has hung up too.
    pub(crate) async fn hang_up(mut self) {
        // However it ends, it is over.
        let _ = self.stream.shutdown().await;
        while self.more().await.is_ok() {
            self.inbound.clear();
        }
    }
}

/// The length of the packet at the start of these bytes, headers included, or how many bytes it has at least.
fn length_of_packet(bytes: &[u8]) -> Result<usize, usize> {
    let mut end = 0;
    loop {
        let Some(frame) = bytes.get(end..).filter(|frame| frame.len() >= HEADER) else {
            return Err(end + HEADER);
        };
        let length = length_of_frame(frame);
        end += HEADER + length;
        if bytes.len() < end {
            return Err(end);
        }
        if length < LONGEST_FRAME {
            return Ok(end);
        }
    }
}

/// The length of what is in a frame, from its header.
pub(crate) fn length_of_frame(header: &[u8]) -> usize {
    usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16
}

/// A packet in frames, of which the first has this sequence number.
pub(crate) fn frames(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut frames = Vec::with_capacity(payload.len() + HEADER);
    let mut number = sequence;
    let mut rest = payload;
    loop {
        let (frame, after) = rest.split_at(rest.len().min(LONGEST_FRAME));
        let [low, middle, high, ..] = frame.len().to_le_bytes();
        frames.extend([low, middle, high, number]);
        frames.extend(frame);
        if frame.len() < LONGEST_FRAME {
            return frames;
        }
        (number, rest) = (number.wrapping_add(1), after);
    }
}

/// Success, with nothing affected.
pub(crate) fn ok(status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    vec![OK, 0, 0, low, high, 0, 0]
}

/// An error with its number and SQLSTATE.
pub(crate) fn error(code: u16, state: &str, message: &str) -> Vec<u8> {
    let mut payload = vec![ERR];
    payload.extend_from_slice(&code.to_le_bytes());
    payload.push(b'#');
    payload.extend_from_slice(state.as_bytes());
    payload.extend_from_slice(message.as_bytes());
    payload
}

/// The number of an error, if this is one.
pub(crate) fn error_code(payload: &[u8]) -> Option<u16> {
    match payload {
        [ERR, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_with_the_first_frame_that_is_not_full() {
        assert_eq!(length_of_packet(&[]), Err(4));
        assert_eq!(length_of_packet(&[1, 0, 0, 0]), Err(5));
        assert_eq!(length_of_packet(&[1, 0, 0, 0, 7, 9]), Ok(5));
        assert_eq!(length_of_packet(&[0, 0, 0, 0]), Ok(4));
        let mut full = vec![0xFF, 0xFF, 0xFF, 0];
        full.resize(HEADER + LONGEST_FRAME, 7);
        let end = full.len();
        assert_eq!(length_of_packet(&full), Err(end + HEADER));
        full.extend([0, 0, 0, 1]);
        assert_eq!(length_of_packet(&full), Ok(end + HEADER));
    }

    #[test]
    fn a_packet_that_fills_its_frames_ends_with_an_empty_one() {
        let frames = frames(7, &vec![b'x'; LONGEST_FRAME]);
        assert_eq!(length_of_packet(&frames), Ok(frames.len()));
        assert_eq!(frames[..HEADER], [0xFF, 0xFF, 0xFF, 7]);
        assert_eq!(frames[frames.len() - HEADER..], [0, 0, 0, 8]);
    }

    #[test]
    fn errors_are_as_mysql_writes_them() {
        let payload = error(9501, "HY000", "Timed out");
        assert_eq!(payload, b"\xFF\x1D\x25#HY000Timed out");
        assert_eq!(error_code(&payload), Some(9501));
        assert_eq!(error_code(&ok(2)), None);
        assert_eq!(frames(1, &payload)[..4], [18, 0, 0, 1]);
    }
}
