//! The fields of a frame's body: read with every bound checked, and written.

use bytes::{BufMut, BytesMut};

use crate::frame::FrameError;

/// Reads the fields of a body one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { left: body }
    }

    pub(crate) fn left(&self) -> &'a [u8] {
        self.left
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, left) = self.left.split_at_checked(length).ok_or(FrameError::Short)?;
        self.left = left;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, left) = self.left.split_first_chunk::<N>().ok_or(FrameError::Short)?;
        self.left = left;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, FrameError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, FrameError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A string up to its terminator, which is taken too.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], FrameError> {
        let end = memchr::memchr(0, self.left).ok_or(FrameError::Unterminated)?;
        let string = self.take(end)?;
        self.take(1)?;
        Ok(string)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.string()?).map_err(|_| FrameError::Encoding)
    }

    /// The bytes of a length that stands before them; `None` for -1, which means NULL.
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>, FrameError> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| FrameError::Field("length of a value"))?;
                self.take(length).map(Some)
            }
        }
    }

    pub(crate) fn end(&self) -> Result<(), FrameError> {
        if self.left.is_empty() { Ok(()) } else { Err(FrameError::Trailing) }
    }
}

/// Writes one frame, all of it or nothing.
pub(crate) fn write_frame(
    out: &mut BytesMut,
    tag: u8,
    body: impl FnOnce(&mut BytesMut) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    let start = out.len();
    out.put_u8(tag);
    let written = write_counted(out, body);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes a length that counts itself, and what it counts; all of it or nothing.
pub(crate) fn write_counted(
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    let start = out.len();
    out.put_i32(0);
    let written = body(out).and_then(|()| {
        let length = i32::try_from(out.len() - start).map_err(|_| FrameError::Field("length to be sent"))?;
        if let Some(place) = out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes a string and its terminator.
pub(crate) fn write_string(out: &mut BytesMut, string: &[u8]) -> Result<(), FrameError> {
    if memchr::memchr(0, string).is_some() {
        return Err(FrameError::HoldsNul);
    }
    out.put_slice(string);
    out.put_u8(0);
    Ok(())
}
