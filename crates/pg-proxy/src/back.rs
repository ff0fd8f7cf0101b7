//! What a store says: read from its frames where the gateway must know, and written to a client on the gateway's own
//! behalf.

use bytes::{BufMut, BytesMut};

use crate::fields::{Fields, write_frame, write_string};
use crate::frame::{Frame, FrameError};

/// Where a session stands between messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In no transaction.
    Idle,
    /// In a transaction.
    Transaction,
    /// In a transaction that has failed.
    Failed,
}

/// A column of a row description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The table it comes from; 0 for an expression.
    pub table_oid: u32,
    /// The column's number there; 0 for an expression.
    pub attribute: i16,
    /// Its type.
    pub type_oid: u32,
    /// The type's size; negative where it varies.
    pub type_size: i16,
    /// The type's modifier.
    pub typmod: i32,
    /// 0 for text, 1 for binary.
    pub format: i16,
}

/// What a store asks of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Nothing more.
    Ok,
    /// The password, in clear.
    Cleartext,
    /// The password, hashed with this salt.
    Md5([u8; 4]),
    /// One of these SASL mechanisms.
    Sasl(Vec<&'a str>),
    /// A step of SASL.
    SaslContinue(&'a [u8]),
    /// The last step of SASL.
    SaslFinal(&'a [u8]),
    /// Something else, by its number.
    Other(u32),
}

/// The body of ReadyForQuery.
///
/// # Errors
/// When the body is not one.
pub fn ready_status(frame: &Frame) -> Result<Status, FrameError> {
    match frame.body() {
        b"I" => Ok(Status::Idle),
        b"T" => Ok(Status::Transaction),
        b"E" => Ok(Status::Failed),
        _ => Err(FrameError::Field("transaction status")),
    }
}

/// The body of CommandComplete: `SELECT 3`.
///
/// # Errors
/// When the body is not one.
pub fn command_tag(frame: &Frame) -> Result<&str, FrameError> {
    let mut fields = Fields::new(frame.body());
    let tag = fields.text()?;
    fields.end()?;
    Ok(tag)
}

/// The number of rows that a command tag ends with.
#[must_use]
pub fn rows_of(tag: &str) -> Option<u64> {
    tag.rsplit_once(' ').and_then(|(_, rows)| rows.parse().ok())
}

/// The fields of ErrorResponse or NoticeResponse, in their order: `(b'C', b"42501")`. Ends at the first field that is
/// not one.
pub fn report_fields(frame: &Frame) -> impl Iterator<Item = (u8, &[u8])> {
    let mut fields = Fields::new(frame.body());
    std::iter::from_fn(move || match fields.u8().ok()? {
        0 => None,
        kind => Some((kind, fields.string().ok()?)),
    })
}

/// One field of ErrorResponse or NoticeResponse, as text.
#[must_use]
pub fn report_field(frame: &Frame, kind: u8) -> Option<&str> {
    let (_, value) = report_fields(frame).find(|(other, _)| *other == kind)?;
    std::str::from_utf8(value).ok()
}

/// The body of ParameterStatus: name and value.
///
/// # Errors
/// When the body is not one.
pub fn parameter_status(frame: &Frame) -> Result<(&str, &str), FrameError> {
    let mut fields = Fields::new(frame.body());
    let pair = (fields.text()?, fields.text()?);
    fields.end()?;
    Ok(pair)
}

/// The body of BackendKeyData: process and secret.
///
/// # Errors
/// When the body is not one.
pub fn backend_key(frame: &Frame) -> Result<(i32, &[u8]), FrameError> {
    let mut fields = Fields::new(frame.body());
    let pid = fields.i32()?;
    match fields.left() {
        secret if (4..=256).contains(&secret.len()) => Ok((pid, secret)),
        _ => Err(FrameError::Field("cancel key")),
    }
}

/// The body of RowDescription.
///
/// # Errors
/// When the body is not one.
pub fn row_description(frame: &Frame) -> Result<Vec<Column<'_>>, FrameError> {
    let mut fields = Fields::new(frame.body());
    let count = fields.u16()?;
    let columns = (0..count)
        .map(|_| {
            Ok(Column {
                name: fields.string()?,
                table_oid: fields.u32()?,
                attribute: fields.i16()?,
                type_oid: fields.u32()?,
                type_size: fields.i16()?,
                typmod: fields.i32()?,
                format: fields.i16()?,
            })
        })
        .collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(columns)
}

/// The body of ParameterDescription: one oid a parameter.
///
/// # Errors
/// When the body is not one.
pub fn parameter_types(frame: &Frame) -> Result<Vec<u32>, FrameError> {
    let mut fields = Fields::new(frame.body());
    let count = fields.u16()?;
    let types = (0..count).map(|_| fields.u32()).collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(types)
}

/// The values of a row; `None` is NULL.
pub type Values<'a> = Vec<Option<&'a [u8]>>;

/// The values of one DataRow, which `bytes` begins with, and what follows it. The data path never calls this: rows are
/// passed on as bytes.
///
/// # Errors
/// When the bytes do not begin with a whole row.
pub fn data_row(bytes: &[u8]) -> Result<(Values<'_>, &[u8]), FrameError> {
    let mut message = Fields::new(bytes);
    if message.u8()? != b'D' {
        return Err(FrameError::Field("type of a row"));
    }
    let length = usize::try_from(message.i32()?).ok().and_then(|length| length.checked_sub(4));
    let mut fields = Fields::new(message.take(length.ok_or(FrameError::Length(b'D'))?)?);
    let count = fields.u16()?;
    let values = (0..count).map(|_| fields.value()).collect::<Result<_, _>>()?;
    fields.end()?;
    Ok((values, message.left()))
}

/// The body of an Authentication message.
///
/// # Errors
/// When the body is not one.
pub fn authentication(frame: &Frame) -> Result<Authentication<'_>, FrameError> {
    let mut fields = Fields::new(frame.body());
    let asked = match fields.u32()? {
        0 => Authentication::Ok,
        3 => Authentication::Cleartext,
        5 => Authentication::Md5(fields.array()?),
        10 => {
            let mut mechanisms = Vec::new();
            loop {
                match fields.text()? {
                    "" => break Authentication::Sasl(mechanisms),
                    mechanism => mechanisms.push(mechanism),
                }
            }
        }
        11 => Authentication::SaslContinue(fields.take(fields.left().len())?),
        12 => Authentication::SaslFinal(fields.take(fields.left().len())?),
        // What follows is not known, and the login ends here.
        other => return Ok(Authentication::Other(other)),
    };
    fields.end()?;
    Ok(asked)
}

/// Writes ReadyForQuery.
pub fn write_ready(out: &mut BytesMut, status: Status) {
    out.put_slice(b"Z\0\0\0\x05");
    out.put_u8(match status {
        Status::Idle => b'I',
        Status::Transaction => b'T',
        Status::Failed => b'E',
    });
}

/// A message without a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// A statement was prepared.
    ParseComplete,
    /// A portal was made.
    BindComplete,
    /// A statement or portal was forgotten.
    CloseComplete,
    /// What was described returns no rows.
    NoData,
    /// The text held no statement.
    EmptyQuery,
    /// A portal stopped at its limit of rows.
    PortalSuspended,
}

impl Plain {
    /// The message's type.
    #[must_use]
    pub fn tag(self) -> u8 {
        match self {
            Self::ParseComplete => b'1',
            Self::BindComplete => b'2',
            Self::CloseComplete => b'3',
            Self::NoData => b'n',
            Self::EmptyQuery => b'I',
            Self::PortalSuspended => b's',
        }
    }
}

/// Writes a message without a body.
pub fn write_plain(out: &mut BytesMut, message: Plain) {
    out.put_u8(message.tag());
    out.put_i32(4);
}

/// Writes CommandComplete.
///
/// # Errors
/// When the tag holds a NUL.
pub fn write_command_complete(out: &mut BytesMut, tag: &str) -> Result<(), FrameError> {
    write_frame(out, b'C', |out| write_string(out, tag.as_bytes()))
}

/// Writes ParameterStatus.
///
/// # Errors
/// When a string holds a NUL.
pub fn write_parameter_status(out: &mut BytesMut, name: &str, value: &str) -> Result<(), FrameError> {
    write_frame(out, b'S', |out| {
        write_string(out, name.as_bytes())?;
        write_string(out, value.as_bytes())
    })
}

/// Writes BackendKeyData.
///
/// # Errors
/// When the secret is too long to be sent.
pub fn write_backend_key(out: &mut BytesMut, pid: i32, secret: &[u8]) -> Result<(), FrameError> {
    write_frame(out, b'K', |out| {
        out.put_i32(pid);
        out.put_slice(secret);
        Ok(())
    })
}

/// Writes ParameterDescription.
///
/// # Errors
/// When there are too many parameters.
pub fn write_parameter_types(out: &mut BytesMut, types: &[u32]) -> Result<(), FrameError> {
    write_frame(out, b't', |out| {
        out.put_u16(u16::try_from(types.len()).map_err(|_| FrameError::Field("count of types"))?);
        types.iter().for_each(|oid| out.put_u32(*oid));
        Ok(())
    })
}

/// Writes RowDescription.
///
/// # Errors
/// When a name holds a NUL, or there are too many columns.
pub fn write_row_description(out: &mut BytesMut, columns: &[Column<'_>]) -> Result<(), FrameError> {
    write_frame(out, b'T', |out| {
        out.put_u16(u16::try_from(columns.len()).map_err(|_| FrameError::Field("count of columns"))?);
        for column in columns {
            write_string(out, column.name)?;
            out.put_u32(column.table_oid);
            out.put_i16(column.attribute);
            out.put_u32(column.type_oid);
            out.put_i16(column.type_size);
            out.put_i32(column.typmod);
            out.put_i16(column.format);
        }
        Ok(())
    })
}

/// Passes RowDescription on, or NoData, but for the numbers of the table and the column that a value comes from: a gap
/// between two would show that there is a column which the client does not see.
///
/// # Errors
/// When the body is not one; nothing is written then.
pub fn pass_row_description(out: &mut BytesMut, frame: &Frame) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(frame.bytes());
    if frame.tag() != b'T' {
        return Ok(());
    }
    let blanked = blank_sources(out.get_mut(start..).unwrap_or_default(), frame);
    if blanked.is_err() {
        out.truncate(start);
    }
    blanked
}

/// Puts zeroes in the place of the numbers of tables and columns in a copy of the frame.
fn blank_sources(copy: &mut [u8], frame: &Frame) -> Result<(), FrameError> {
    let mut fields = Fields::new(frame.body());
    for _ in 0..fields.u16()? {
        fields.string()?;
        let source = copy.len() - fields.left().len();
        // An oid and an i16 of the source; then type, size, modifier and format.
        fields.take(4 + 2 + 4 + 2 + 4 + 2)?;
        copy.get_mut(source..source + 6).ok_or(FrameError::Short)?.fill(0);
    }
    fields.end()
}

/// Writes DataRow.
///
/// # Errors
/// When there are too many values, or one is too long.
pub fn write_data_row(out: &mut BytesMut, values: &[Option<&[u8]>]) -> Result<(), FrameError> {
    write_frame(out, b'D', |out| {
        out.put_u16(u16::try_from(values.len()).map_err(|_| FrameError::Field("count of values"))?);
        for value in values {
            let Some(value) = value else {
                out.put_i32(-1);
                continue;
            };
            out.put_i32(i32::try_from(value.len()).map_err(|_| FrameError::Field("length of a value"))?);
            out.put_slice(value);
        }
        Ok(())
    })
}

/// Writes an Authentication message.
///
/// # Errors
/// When a mechanism holds a NUL, or what is sent is too long.
pub fn write_authentication(out: &mut BytesMut, asked: &Authentication<'_>) -> Result<(), FrameError> {
    write_frame(out, b'R', |out| {
        match asked {
            Authentication::Ok => out.put_u32(0),
            Authentication::Cleartext => out.put_u32(3),
            Authentication::Md5(salt) => {
                out.put_u32(5);
                out.put_slice(salt);
            }
            Authentication::Sasl(mechanisms) => {
                out.put_u32(10);
                for mechanism in mechanisms {
                    write_string(out, mechanism.as_bytes())?;
                }
                out.put_u8(0);
            }
            Authentication::SaslContinue(data) => {
                out.put_u32(11);
                out.put_slice(data);
            }
            Authentication::SaslFinal(data) => {
                out.put_u32(12);
                out.put_slice(data);
            }
            Authentication::Other(other) => out.put_u32(*other),
        }
        Ok(())
    })
}

/// Writes NegotiateProtocolVersion: the newest minor version of 3 that is spoken here, and the options that are not known.
///
/// # Errors
/// When an option holds a NUL.
pub fn write_negotiate_version(out: &mut BytesMut, minor: u16, options: &[&str]) -> Result<(), FrameError> {
    write_frame(out, b'v', |out| {
        out.put_u32((3 << 16) | u32::from(minor));
        out.put_u32(u32::try_from(options.len()).map_err(|_| FrameError::Field("count of options"))?);
        options.iter().try_for_each(|option| write_string(out, option.as_bytes()))
    })
}

/// Which of the two reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// ErrorResponse.
    Error,
    /// NoticeResponse.
    Notice,
}

/// Writes ErrorResponse or NoticeResponse with these fields in this order. A field ends at its first NUL: a report
/// always gets out.
pub fn write_report(out: &mut BytesMut, kind: ReportKind, fields: &[(u8, &str)]) {
    let tag = match kind {
        ReportKind::Error => b'E',
        ReportKind::Notice => b'N',
    };
    let written = write_frame(out, tag, |out| {
        for (kind, value) in fields {
            out.put_u8(*kind);
            write_string(out, value.split('\0').next().unwrap_or_default().as_bytes())?;
        }
        out.put_u8(0);
        Ok(())
    });
    // Only a report of 2 GiB fails, and nobody writes one.
    debug_assert!(written.is_ok());
}
