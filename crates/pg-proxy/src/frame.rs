//! Frames: a tag, a length, and a body of exactly that length; how they are read, bounded, from any stream.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The bytes before a body: the tag and a length that counts itself.
const HEADER: usize = 5;
/// What a read asks for at first, so that an idle connection holds little.
const READ_BYTES: usize = 8 * 1024;
/// What a read asks for once the one before it was filled; also what is held of a row that is relayed.
const STREAM_BYTES: usize = 64 * 1024;
/// How much of a client is read ahead of the message that is worked on.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// The longest message of a client that carries no text or value, as Postgres has it.
const SMALL_BYTES_MAX: usize = 10_000;
/// The longest password or SASL message, as Postgres has it.
const SECRET_BYTES_MAX: usize = 65_535;
/// The longest message of a store that is held whole.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;
/// What is kept of an error or a notice that is longer than `WHOLE_BYTES_MAX`: its first fields.
const REPORT_BYTES_KEPT: usize = 16 * 1024;

/// What is wrong with bytes from a peer, or with a message that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A tag that this side never sends.
    #[error("unknown message type 0x{0:02x}")]
    UnknownTag(u8),
    /// A length that is too small to count itself, or negative.
    #[error("invalid length of a message of type 0x{0:02x}")]
    Length(u8),
    /// A length above the limit of its type.
    #[error("a message of type 0x{tag:02x} has {length} bytes, more than {max}")]
    TooLong {
        /// The message's type.
        tag: u8,
        /// Its length as claimed.
        length: usize,
        /// The most that is read.
        max: usize,
    },
    /// A body that ends before its last field does.
    #[error("message ends too early")]
    Short,
    /// A body that goes on after its last field.
    #[error("message has bytes after its last field")]
    Trailing,
    /// A string without its terminator.
    #[error("string without terminator in message")]
    Unterminated,
    /// A string that is not UTF-8.
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    Encoding,
    /// A field that has no such value.
    #[error("invalid {0} in message")]
    Field(&'static str),
    /// A string to be written that holds its own terminator.
    #[error("string to be sent holds a NUL")]
    HoldsNul,
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream failed, or ended inside a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not of the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// One message, header and all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    // INVARIANT: at least a header, and as long as that says.
    bytes: Bytes,
}

impl Frame {
    /// The message's type.
    #[must_use]
    pub fn tag(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// What follows the header.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// The message as it came, to be passed on.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// The messages of a client: held whole, each bounded by its type.
#[derive(Debug)]
pub struct FrontFrames {
    buffer: Buffer,
    message_bytes_max: usize,
}

impl FrontFrames {
    /// Nothing read yet; texts and values up to `message_bytes_max` in one message.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> Self {
        Self { buffer: Buffer::default(), message_bytes_max }
    }

    /// Sets another limit for texts and values, once it is known who sends them.
    pub fn allow(&mut self, message_bytes_max: usize) {
        self.message_bytes_max = message_bytes_max;
    }

    /// The next message, if all of it has been read.
    ///
    /// # Errors
    /// When the next bytes are no message of a client, or one that is too long.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((tag, length)) = self.buffer.header()? else { return Ok(None) };
        let max = self.bytes_max(tag)?;
        if length > max {
            return Err(FrameError::TooLong { tag, length, max });
        }
        Ok(self.buffer.take(HEADER + length).map(|bytes| Frame { bytes }))
    }

    /// Reads from the stream once; 0 is its end. A read that is dropped loses nothing.
    ///
    /// # Errors
    /// When the stream fails, or ends inside a message.
    pub async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        self.buffer.fill(stream).await
    }

    /// The next message, read as far as needed; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the stream fails or ends inside a message, or the bytes are no message of a client.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.next_frame()? {
                return Ok(Some(frame));
            }
            if self.fill(stream).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Whether bytes have been read that no message has taken.
    #[must_use]
    pub fn has_bytes(&self) -> bool {
        !self.buffer.bytes.is_empty()
    }

    /// Whether more may be read ahead of the message that is worked on.
    #[must_use]
    pub(crate) fn has_room(&self) -> bool {
        self.buffer.bytes.len() < AHEAD_BYTES_MAX
    }

    /// Whether a goodbye has been read that no one has taken.
    #[must_use]
    pub(crate) fn holds_goodbye(&self) -> bool {
        let mut start = 0;
        while let Ok(Some((tag, length))) = self.buffer.header_at(start) {
            if tag == b'X' {
                return true;
            }
            start += HEADER + length;
        }
        false
    }

    /// Gives back what a large message made the buffer grow to; for a connection that waits.
    pub fn rest(&mut self) {
        self.buffer.rest();
    }

    fn bytes_max(&self, tag: u8) -> Result<usize, FrameError> {
        match tag {
            b'Q' | b'P' | b'B' | b'F' | b'd' => Ok(self.message_bytes_max),
            b'p' => Ok(SECRET_BYTES_MAX),
            b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => Ok(SMALL_BYTES_MAX),
            unknown => Err(FrameError::UnknownTag(unknown)),
        }
    }
}

/// The messages of a store: held whole, but for rows, which are passed on as ranges of bytes.
#[derive(Debug, Default)]
pub struct BackFrames {
    buffer: Buffer,
    /// Bytes of a row that are still to come, its beginning having been given out.
    row_left: usize,
    /// Bytes of a report that are still to come and to be dropped.
    report_left: usize,
}

/// What comes next from a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// A message that is no row.
    Frame(Frame),
    /// A range of rows (`DataRow` or `CopyData`), not decoded.
    Rows(Rows),
}

/// A range of rows: whole messages, or a part of one that is too long to be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The bytes, to be passed on as they are.
    pub bytes: Bytes,
    /// How many rows end in this range.
    pub ended: u64,
    /// Whether the range stops inside a row, so that nothing else may be sent before the rest of it.
    pub partial: bool,
}

impl BackFrames {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next message or range of rows, if enough of it has been read.
    ///
    /// # Errors
    /// When the next bytes are no message, or one that is too long.
    pub fn next_back(&mut self) -> Result<Option<Back>, FrameError> {
        self.report_left -= self.buffer.skip(self.report_left);
        if self.report_left > 0 {
            return Ok(None);
        }
        if self.row_left > 0 {
            return Ok(self.rest_of_row());
        }
        let Some((tag, length)) = self.buffer.header()? else { return Ok(None) };
        match tag {
            b'D' | b'd' => self.rows(HEADER + length),
            b'E' | b'N' if length > WHOLE_BYTES_MAX => Ok(self.cut_report(tag, length)),
            _ if length > WHOLE_BYTES_MAX => Err(FrameError::TooLong { tag, length, max: WHOLE_BYTES_MAX }),
            _ => Ok(self.buffer.take(HEADER + length).map(|bytes| Back::Frame(Frame { bytes }))),
        }
    }

    /// Reads from the stream once; 0 is its end. A read that is dropped loses nothing.
    ///
    /// # Errors
    /// When the stream fails, or ends inside a message.
    pub async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        let read = self.buffer.fill(stream).await?;
        if read == 0 && self.row_left + self.report_left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }

    /// The next message or range of rows, read as far as needed; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the stream fails or ends inside a message, or the bytes are no message.
    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Back>, ReadError> {
        loop {
            if let Some(back) = self.next_back()? {
                return Ok(Some(back));
            }
            if self.fill(stream).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Whether bytes have been read that nothing has taken, or a message has been given out in part.
    #[must_use]
    pub fn has_bytes(&self) -> bool {
        !self.buffer.bytes.is_empty() || self.row_left > 0 || self.report_left > 0
    }

    /// Gives back what a large message made the buffer grow to; for a connection that waits.
    pub fn rest(&mut self) {
        self.buffer.rest();
    }

    /// As many whole rows as have been read; the beginning of the first, where it is too long to wait for.
    fn rows(&mut self, first: usize) -> Result<Option<Back>, FrameError> {
        let held = self.buffer.bytes.len();
        if first > held {
            if first <= STREAM_BYTES {
                return Ok(None);
            }
            self.row_left = first;
            return Ok(self.rest_of_row());
        }
        let (mut end, mut ended) = (0, 0);
        while let Some((b'D' | b'd', length)) = self.buffer.header_at(end)? {
            if end + HEADER + length > held {
                break;
            }
            end += HEADER + length;
            ended += 1;
        }
        Ok(self.buffer.take(end).map(|bytes| Back::Rows(Rows { bytes, ended, partial: false })))
    }

    fn rest_of_row(&mut self) -> Option<Back> {
        let end = self.row_left.min(self.buffer.bytes.len());
        if end == 0 {
            return None;
        }
        let bytes = self.buffer.take(end)?;
        self.row_left -= end;
        let partial = self.row_left > 0;
        Some(Back::Rows(Rows { bytes, ended: u64::from(!partial), partial }))
    }

    /// A report is rebuilt before it is passed on, and needs its first fields only.
    fn cut_report(&mut self, tag: u8, length: usize) -> Option<Back> {
        let head = self.buffer.take(HEADER + REPORT_BYTES_KEPT)?;
        self.report_left = length - REPORT_BYTES_KEPT;
        // The cut closes the string that it falls into, and the list of fields.
        let mut bytes = BytesMut::with_capacity(head.len() + 2);
        bytes.put_u8(tag);
        bytes.put_u32(u32::try_from(REPORT_BYTES_KEPT + 2 + 4).unwrap_or_default());
        bytes.extend_from_slice(head.get(HEADER..).unwrap_or_default());
        bytes.put_slice(&[0, 0]);
        Some(Back::Frame(Frame { bytes: bytes.freeze() }))
    }
}

/// Bytes that have been read and not taken.
#[derive(Debug, Default)]
struct Buffer {
    bytes: BytesMut,
    /// Whether the last read was filled, so that more is likely to wait.
    busy: bool,
    /// Whether more was taken from the allocator than an idle connection needs.
    grown: bool,
}

impl Buffer {
    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        let wanted = if self.busy { STREAM_BYTES } else { READ_BYTES };
        if self.bytes.capacity() - self.bytes.len() < wanted / 2 {
            // Room is made for what comes, never for what a header claims.
            self.bytes.reserve(wanted);
            self.grown |= self.bytes.capacity() > 2 * READ_BYTES;
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let read = stream.read_buf(&mut self.bytes).await?;
        self.busy = read == room;
        if read == 0 && !self.bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }

    /// The next message's type and the length of its body.
    fn header(&self) -> Result<Option<(u8, usize)>, FrameError> {
        self.header_at(0)
    }

    fn header_at(&self, start: usize) -> Result<Option<(u8, usize)>, FrameError> {
        let Some(&[tag, a, b, c, d]) = self.bytes.get(start..start + HEADER) else { return Ok(None) };
        let length = i32::from_be_bytes([a, b, c, d]);
        match usize::try_from(length).ok().and_then(|length| length.checked_sub(4)) {
            Some(length) => Ok(Some((tag, length))),
            None => Err(FrameError::Length(tag)),
        }
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        (self.bytes.len() >= length).then(|| self.bytes.split_to(length).freeze())
    }

    /// Drops up to this many bytes; how many were there.
    fn skip(&mut self, most: usize) -> usize {
        let skipped = most.min(self.bytes.len());
        self.bytes.advance(skipped);
        skipped
    }

    fn rest(&mut self) {
        if self.grown && self.bytes.is_empty() {
            *self = Self::default();
        }
    }
}
