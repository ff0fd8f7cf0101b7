//! What a client says: read from its frames, and written to the store on the gateway's own behalf.

use bytes::{BufMut, BytesMut};

use crate::fields::{Fields, write_counted, write_frame, write_string};
use crate::frame::{Frame, FrameError};

/// A message of a client, borrowed from its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A simple query: one or more statements.
    Query(&'a str),
    /// Prepares a statement.
    Parse(Parse<'a>),
    /// Makes a portal of a prepared statement and values.
    Bind(Bind<'a>),
    /// Asks for the columns of a statement or portal.
    Describe(Target<'a>),
    /// Runs a portal.
    Execute(Execute<'a>),
    /// Forgets a statement or portal.
    Close(Target<'a>),
    /// Ends a pipeline.
    Sync,
    /// Asks for the answers so far.
    Flush,
    /// Says goodbye.
    Terminate,
    /// A password or a step of SASL: the meaning depends on what was asked.
    Password(&'a [u8]),
    /// A piece of COPY data.
    CopyData(&'a [u8]),
    /// The end of COPY data.
    CopyDone,
    /// The client gives up a COPY.
    CopyFail(&'a [u8]),
    /// A call by oid; no driver of today sends one.
    FunctionCall,
}

/// Prepares a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The types of its parameters as far as the client says; 0 leaves one to the server.
    pub types: Vec<u32>,
}

/// Makes a portal of a prepared statement and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a str,
    /// The statement's name; empty for the unnamed one.
    pub statement: &'a str,
    /// How many values there are.
    pub values: u16,
    /// Formats, values and result formats as they came: checked, to be sent on under other names.
    pub tail: &'a [u8],
}

impl<'a> Bind<'a> {
    /// How many formats of values there are: none and one stand for all.
    #[must_use]
    pub fn formats(&self) -> u16 {
        Fields::new(self.tail).u16().unwrap_or(0)
    }

    /// The bytes of a parameter, counted from 1; none for NULL, and for one that is not there.
    #[must_use]
    pub fn value(&self, parameter: u16) -> Option<&'a [u8]> {
        if parameter == 0 || parameter > self.values {
            return None;
        }
        let mut fields = Fields::new(self.tail);
        let formats = fields.u16().ok()?;
        fields.take(usize::from(formats) * 2).ok()?;
        fields.u16().ok()?;
        for _ in 1..parameter {
            fields.value().ok()?;
        }
        fields.value().ok()?
    }
}

/// Runs a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a str,
    /// The most rows to return; 0 or less is no limit.
    pub rows_max: i32,
}

/// What a Describe or Close means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The prepared statement of this name.
    Statement(&'a str),
    /// The portal of this name.
    Portal(&'a str),
}

/// Reads a client's message. Every count and terminator is checked, and so is that nothing is left over.
///
/// # Errors
/// When the body is not one of its type.
pub fn read(frame: &Frame) -> Result<Message<'_>, FrameError> {
    let mut fields = Fields::new(frame.body());
    let message = match frame.tag() {
        b'Q' => Message::Query(fields.text()?),
        b'P' => Message::Parse(read_parse(&mut fields)?),
        b'B' => Message::Bind(read_bind(&mut fields)?),
        b'D' => Message::Describe(read_target(&mut fields)?),
        b'E' => Message::Execute(Execute { portal: fields.text()?, rows_max: fields.i32()? }),
        b'C' => Message::Close(read_target(&mut fields)?),
        b'S' => Message::Sync,
        b'H' => Message::Flush,
        b'X' => Message::Terminate,
        b'p' => Message::Password(fields.take(fields.left().len())?),
        b'd' => Message::CopyData(fields.take(fields.left().len())?),
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(fields.string()?),
        // Its fields are of no interest: it is refused.
        b'F' => return Ok(Message::FunctionCall),
        unknown => return Err(FrameError::UnknownTag(unknown)),
    };
    fields.end()?;
    Ok(message)
}

fn read_parse<'a>(fields: &mut Fields<'a>) -> Result<Parse<'a>, FrameError> {
    let (name, text) = (fields.text()?, fields.text()?);
    let count = fields.u16()?;
    let types = (0..count).map(|_| fields.u32()).collect::<Result<_, _>>()?;
    Ok(Parse { name, text, types })
}

fn read_bind<'a>(fields: &mut Fields<'a>) -> Result<Bind<'a>, FrameError> {
    let (portal, statement) = (fields.text()?, fields.text()?);
    let tail = fields.left();
    let formats = fields.u16()?;
    fields.take(usize::from(formats) * 2)?;
    let values = fields.u16()?;
    for _ in 0..values {
        fields.value()?;
    }
    let result_formats = fields.u16()?;
    fields.take(usize::from(result_formats) * 2)?;
    Ok(Bind { portal, statement, values, tail })
}

fn read_target<'a>(fields: &mut Fields<'a>) -> Result<Target<'a>, FrameError> {
    match fields.u8()? {
        b'S' => Ok(Target::Statement(fields.text()?)),
        b'P' => Ok(Target::Portal(fields.text()?)),
        _ => Err(FrameError::Field("kind of object")),
    }
}

/// Writes a simple query.
///
/// # Errors
/// When the text holds a NUL.
pub fn query(out: &mut BytesMut, text: &str) -> Result<(), FrameError> {
    write_frame(out, b'Q', |out| write_string(out, text.as_bytes()))
}

/// Writes a Parse.
///
/// # Errors
/// When a string holds a NUL, or there are too many types.
pub fn parse(out: &mut BytesMut, name: &str, text: &str, types: &[u32]) -> Result<(), FrameError> {
    write_frame(out, b'P', |out| {
        write_string(out, name.as_bytes())?;
        write_string(out, text.as_bytes())?;
        out.put_u16(u16::try_from(types.len()).map_err(|_| FrameError::Field("count of types"))?);
        types.iter().for_each(|oid| out.put_u32(*oid));
        Ok(())
    })
}

/// Writes a Bind with the tail of one that was read.
///
/// # Errors
/// When a name holds a NUL.
pub fn bind(out: &mut BytesMut, portal: &str, statement: &str, tail: &[u8]) -> Result<(), FrameError> {
    write_frame(out, b'B', |out| {
        write_string(out, portal.as_bytes())?;
        write_string(out, statement.as_bytes())?;
        out.put_slice(tail);
        Ok(())
    })
}

/// Writes a Bind with the values of one that was read, and further ones in binary after them.
///
/// # Errors
/// When a name holds a NUL, the formats of the values that were read are not one for each, or there are too many values.
pub fn bind_with(
    out: &mut BytesMut,
    bind: &Bind<'_>,
    statement: &str,
    further: &[&[u8]],
) -> Result<(), FrameError> {
    let mut fields = Fields::new(bind.tail);
    let count = fields.u16()?;
    let formats = (0..count).map(|_| fields.u16()).collect::<Result<Vec<_>, _>>()?;
    let values = fields.u16()?;
    let total = u16::try_from(usize::from(values) + further.len());
    let total = total.map_err(|_| FrameError::Field("count of values"))?;
    let formats = match formats.as_slice() {
        [] => vec![0; values.into()],
        [all] => vec![*all; values.into()],
        each if each.len() == usize::from(values) => each.to_vec(),
        _ => return Err(FrameError::Field("count of formats")),
    };
    let start = fields.left();
    for _ in 0..values {
        fields.value()?;
    }
    let results = fields.left();
    let own = start.get(..start.len() - results.len()).unwrap_or_default();
    write_frame(out, b'B', |out| {
        write_string(out, bind.portal.as_bytes())?;
        write_string(out, statement.as_bytes())?;
        out.put_u16(total);
        formats.iter().for_each(|format| out.put_u16(*format));
        further.iter().for_each(|_| out.put_u16(1));
        out.put_u16(total);
        out.put_slice(own);
        for value in further {
            out.put_i32(i32::try_from(value.len()).map_err(|_| FrameError::Field("length of a value"))?);
            out.put_slice(value);
        }
        out.put_slice(results);
        Ok(())
    })
}

/// Writes a Describe.
///
/// # Errors
/// When the name holds a NUL.
pub fn describe(out: &mut BytesMut, target: Target<'_>) -> Result<(), FrameError> {
    write_frame(out, b'D', |out| write_target(out, target))
}

/// Writes a Close.
///
/// # Errors
/// When the name holds a NUL.
pub fn close(out: &mut BytesMut, target: Target<'_>) -> Result<(), FrameError> {
    write_frame(out, b'C', |out| write_target(out, target))
}

/// Writes an Execute.
///
/// # Errors
/// When the name holds a NUL.
pub fn execute(out: &mut BytesMut, portal: &str, rows_max: i32) -> Result<(), FrameError> {
    write_frame(out, b'E', |out| {
        write_string(out, portal.as_bytes())?;
        out.put_i32(rows_max);
        Ok(())
    })
}

/// Writes a Sync.
pub fn sync(out: &mut BytesMut) {
    out.put_slice(b"S\0\0\0\x04");
}

/// Writes a Flush.
pub fn flush(out: &mut BytesMut) {
    out.put_slice(b"H\0\0\0\x04");
}

/// Writes a Terminate.
pub fn terminate(out: &mut BytesMut) {
    out.put_slice(b"X\0\0\0\x04");
}

/// Writes a CopyFail with a reason.
///
/// # Errors
/// When the reason holds a NUL.
pub fn copy_fail(out: &mut BytesMut, reason: &str) -> Result<(), FrameError> {
    write_frame(out, b'f', |out| write_string(out, reason.as_bytes()))
}

/// Writes a password, clear or hashed, whatever was asked for.
///
/// # Errors
/// When it holds a NUL.
pub fn password(out: &mut BytesMut, password: &[u8]) -> Result<(), FrameError> {
    write_frame(out, b'p', |out| write_string(out, password))
}

/// Writes the first message of SASL.
///
/// # Errors
/// When the mechanism holds a NUL, or the data is too long.
pub fn sasl_initial(out: &mut BytesMut, mechanism: &str, data: &[u8]) -> Result<(), FrameError> {
    write_frame(out, b'p', |out| {
        write_string(out, mechanism.as_bytes())?;
        out.put_i32(i32::try_from(data.len()).map_err(|_| FrameError::Field("length of a value"))?);
        out.put_slice(data);
        Ok(())
    })
}

/// Writes a further message of SASL.
///
/// # Errors
/// When the data is too long.
pub fn sasl_response(out: &mut BytesMut, data: &[u8]) -> Result<(), FrameError> {
    write_frame(out, b'p', |out| {
        out.put_slice(data);
        Ok(())
    })
}

/// Version 3.0 of the protocol, as a start-up packet has it.
pub const VERSION_3_0: u32 = 3 << 16;
/// In a version's place: asks for TLS.
pub const SSL_REQUEST: u32 = (1234 << 16) | 5679;
/// In a version's place: asks for GSSAPI encryption.
pub const GSSENC_REQUEST: u32 = (1234 << 16) | 5680;
/// In a version's place: asks for a cancel.
pub const CANCEL_REQUEST: u32 = (1234 << 16) | 5678;

/// Writes a start-up packet of protocol 3.0.
///
/// # Errors
/// When a string holds a NUL.
pub fn startup(out: &mut BytesMut, parameters: &[(&str, &str)]) -> Result<(), FrameError> {
    write_counted(out, |out| {
        out.put_u32(VERSION_3_0);
        for (name, value) in parameters {
            write_string(out, name.as_bytes())?;
            write_string(out, value.as_bytes())?;
        }
        out.put_u8(0);
        Ok(())
    })
}

/// Writes the packet that asks for TLS.
pub fn ssl_request(out: &mut BytesMut) {
    out.put_u32(8);
    out.put_u32(SSL_REQUEST);
}

/// Writes the packet that asks for a cancel.
///
/// # Errors
/// When the secret is too long.
pub fn cancel_request(out: &mut BytesMut, pid: i32, secret: &[u8]) -> Result<(), FrameError> {
    write_counted(out, |out| {
        out.put_u32(CANCEL_REQUEST);
        out.put_i32(pid);
        out.put_slice(secret);
        Ok(())
    })
}

fn write_target(out: &mut BytesMut, target: Target<'_>) -> Result<(), FrameError> {
    let (kind, name) = match target {
        Target::Statement(name) => (b'S', name),
        Target::Portal(name) => (b'P', name),
    };
    out.put_u8(kind);
    write_string(out, name.as_bytes())
}
