//! A client's first packets: TLS, the version of the protocol, who it wants to be; or a cancel.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::fields::Fields;
use crate::frame::{FrameError, FrontFrames, ReadError};
use crate::scram::{RandomError, ScramError};
use crate::tls::{ServerTls, Stream};
use crate::{back, front, tls};

/// The longest start-up packet, as Postgres has it.
const PACKET_BYTES_MAX: usize = 10_000;
/// The newest minor version of protocol 3 that is spoken here.
const MINOR_MAX: u16 = 2;
/// The longest message before a login is complete.
const LOGIN_BYTES_MAX: usize = 10_000;
/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// How connections are accepted.
#[derive(Debug, Clone)]
pub struct Acceptor {
    /// The certificate; without one, clients are told that there is no TLS.
    pub tls: Option<ServerTls>,
    /// Whether a session without TLS is refused.
    pub tls_required: bool,
    /// Time from the first byte to the end of the login.
    pub startup_ms_max: u64,
    /// The longest message of a session.
    pub message_bytes_max: usize,
}

/// What a connection turned out to be.
#[derive(Debug)]
pub enum Incoming {
    /// A session that has yet to log in.
    Session(Box<Startup>),
    /// A cancel of another session; the connection is closed once it has been dealt with.
    Cancel(CancelKey, Stream),
}

/// What a client shows to cancel a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CancelKey {
    /// The number of the session.
    pub pid: i32,
    /// The session's secret.
    pub secret: Vec<u8>,
}

/// A session's beginning.
#[derive(Debug)]
pub struct Startup {
    /// The connection.
    pub stream: Stream,
    /// Its frames, to be read from the connection from here on.
    pub frames: FrontFrames,
    /// The client's address.
    pub peer: SocketAddr,
    /// The minor version of protocol 3 that both sides speak.
    pub minor: u16,
    /// The user as the client says.
    pub user: String,
    /// The database; the user's name where the client says none.
    pub database: String,
    /// The purpose, from the setting `veilgate.purpose`.
    pub purpose: Option<String>,
    /// All other settings by name, in the order in which they apply; `application_name` is one.
    pub settings: Vec<(String, String)>,
    /// When the login must be complete.
    pub deadline: Instant,
}

/// Why a connection does not become a session.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The client went away.
    #[error("connection closed during start-up")]
    Closed,
    /// The client took too long.
    #[error("timeout during start-up")]
    Timeout,
    /// The connection failed, or the handshake did.
    #[error(transparent)]
    Io(io::Error),
    /// The client sent bytes after asking for TLS without waiting for the answer: they would be taken for a part of
    /// the encrypted session.
    #[error("received unencrypted data after SSL request")]
    EarlyBytes,
    /// A session without TLS.
    #[error("TLS is required")]
    TlsRequired,
    /// A packet that is none.
    #[error("invalid start-up packet: {0}")]
    Packet(&'static str),
    /// Another protocol.
    #[error("unsupported frontend protocol {0}.{1}: the gateway supports 3.0 to 3.{MINOR_MAX}")]
    Version(u16, u16),
    /// A replication connection.
    #[error("replication connections are not supported")]
    Replication,
    /// A start-up option that is not a setting.
    #[error("start-up option `{0}` is not supported: use `-c name=value`")]
    Option(String),
    /// No user.
    #[error("no user name specified in start-up packet")]
    NoUser,
    /// A message of the login that is none.
    #[error(transparent)]
    Frame(FrameError),
    /// A mechanism that was not offered.
    #[error("client selected an invalid SASL authentication mechanism")]
    Mechanism,
    /// A login that is malformed, or bound to another connection.
    #[error(transparent)]
    Scram(ScramError),
    /// The wrong password, or no such user.
    #[error("password authentication failed for user \"{0}\"")]
    Denied(String),
    /// No randomness, no login.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl StartupError {
    /// The SQLSTATE that tells the client; `None` where there is nobody to tell.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&'static str> {
        match self {
            Self::Closed | Self::Timeout | Self::Io(_) => None,
            Self::EarlyBytes | Self::Packet(_) | Self::Frame(_) | Self::Mechanism | Self::Scram(_) => {
                Some("08P01")
            }
            Self::Version(..) | Self::Replication => Some("0A000"),
            Self::TlsRequired | Self::NoUser => Some("28000"),
            Self::Option(_) => Some("42601"),
            Self::Denied(_) => Some("28P01"),
            Self::Random(_) => Some("58000"),
        }
    }
}

impl From<io::Error> for StartupError {
    fn from(error: io::Error) -> Self {
        let gone = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        if gone.contains(&error.kind()) { Self::Closed } else { Self::Io(error) }
    }
}

impl From<ReadError> for StartupError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error.into(),
            ReadError::Frame(error) => Self::Frame(error),
        }
    }
}

/// A connection that does not become a session, and where to say so.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: StartupError,
    /// The connection, where an answer would be understood.
    pub stream: Option<Stream>,
}

/// Takes a connection to the point where it is known what the client wants. Nothing that was sent before a TLS
/// handshake is seen after it.
///
/// # Errors
/// When the client does not keep to the protocol, or wants what is not to be had here.
pub async fn accept(tcp: TcpStream, acceptor: &Acceptor) -> Result<Incoming, Failed> {
    let deadline = Instant::now() + Duration::from_millis(acceptor.startup_ms_max);
    let accepting = async {
        let peer = tcp.peer_addr().map_err(StartupError::from)?;
        tls::set_options(&tcp).map_err(StartupError::from)?;
        let (mut stream, packet) = secure(tcp, acceptor).await?;
        let incoming = match packet {
            Packet::Cancel(key) => return Ok(Incoming::Cancel(key, stream)),
            Packet::Startup { minor, parameters } => open(&mut stream, acceptor, minor, &parameters).await,
        };
        match incoming {
            Ok(Opened { minor, user, database, purpose, settings }) => {
                let frames = FrontFrames::new(LOGIN_BYTES_MAX);
                Ok(Incoming::Session(Box::new(Startup {
                    stream,
                    frames,
                    peer,
                    minor,
                    user,
                    database,
                    purpose,
                    settings,
                    deadline,
                })))
            }
            Err(error) => Err(Failed { error, stream: Some(stream) }),
        }
    };
    match timeout_at(deadline, accepting).await {
        Ok(incoming) => incoming,
        Err(_) => Err(StartupError::Timeout.into()),
    }
}

impl From<StartupError> for Failed {
    fn from(error: StartupError) -> Self {
        Self { error, stream: None }
    }
}

/// A packet that is neither a request for TLS nor for GSSAPI.
enum Packet {
    Startup { minor: u16, parameters: Vec<u8> },
    Cancel(CancelKey),
}

/// Reads packets until one of them is a start-up or a cancel, with a TLS handshake in between where the client wants
/// one.
async fn secure(mut tcp: TcpStream, acceptor: &Acceptor) -> Result<(Stream, Packet), Failed> {
    let mut first = [0];
    if tcp.peek(&mut first).await.map_err(StartupError::from)? == 0 {
        return Err(StartupError::Closed.into());
    }
    if first == [TLS_HANDSHAKE] {
        let tls = acceptor.tls.as_ref().ok_or(StartupError::Packet("TLS is not configured"))?;
        return encrypted(tls, tcp, true).await;
    }
    let (mut tls_asked, mut gss_asked) = (false, false);
    loop {
        match read_packet(&mut tcp).await {
            Ok(Request::Tls) if !tls_asked => {
                tls_asked = true;
                refuse_early_bytes(&mut tcp).await?;
                let Some(tls) = &acceptor.tls else {
                    tcp.write_all(b"N").await.map_err(StartupError::from)?;
                    continue;
                };
                tcp.write_all(b"S").await.map_err(StartupError::from)?;
                return encrypted(tls, tcp, false).await;
            }
            Ok(Request::Gss) if !gss_asked => {
                gss_asked = true;
                refuse_early_bytes(&mut tcp).await?;
                tcp.write_all(b"N").await.map_err(StartupError::from)?;
            }
            Ok(Request::Packet(packet)) => return Ok((Stream::Tcp(tcp), packet)),
            Ok(Request::Tls | Request::Gss) => {
                let error = StartupError::Packet("encryption was asked for twice");
                return Err(Failed { error, stream: Some(Stream::Tcp(tcp)) });
            }
            Err(error) => return Err(Failed { error, stream: Some(Stream::Tcp(tcp)) }),
        }
    }
}

/// The handshake, and the packet after it.
async fn encrypted(tls: &ServerTls, tcp: TcpStream, direct: bool) -> Result<(Stream, Packet), Failed> {
    let mut stream = tls.accept(tcp, direct).await.map_err(StartupError::from)?;
    match read_packet(&mut stream).await {
        Ok(Request::Packet(packet)) => Ok((stream, packet)),
        Ok(Request::Tls | Request::Gss) => {
            let error = StartupError::Packet("encryption was asked for twice");
            Err(Failed { error, stream: Some(stream) })
        }
        Err(error) => Err(Failed { error, stream: Some(stream) }),
    }
}

/// A client waits for the answer to a request for encryption; bytes that are there before it were put there by
/// somebody else.
async fn refuse_early_bytes(tcp: &mut TcpStream) -> Result<(), StartupError> {
    let mut byte = [0];
    let early = std::future::poll_fn(|cx| match tcp.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
        Poll::Ready(peeked) => Poll::Ready(peeked.map(|count| count > 0)),
        Poll::Pending => Poll::Ready(Ok(false)),
    });
    if early.await? { Err(StartupError::EarlyBytes) } else { Ok(()) }
}

enum Request {
    Tls,
    Gss,
    Packet(Packet),
}

/// Reads one packet, and not a byte more.
async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> Result<Request, StartupError> {
    let length = stream.read_u32().await?;
    let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(8));
    let length = length.filter(|length| *length <= PACKET_BYTES_MAX).ok_or(StartupError::Packet("length"))?;
    let version = stream.read_u32().await?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    match version {
        front::SSL_REQUEST if body.is_empty() => Ok(Request::Tls),
        front::GSSENC_REQUEST if body.is_empty() => Ok(Request::Gss),
        front::CANCEL_REQUEST => read_cancel(&body).map(Packet::Cancel).map(Request::Packet),
        _ => match (version >> 16, version & 0xffff) {
            (3, minor) => {
                let minor = u16::try_from(minor).unwrap_or(u16::MAX);
                Ok(Request::Packet(Packet::Startup { minor, parameters: body }))
            }
            (major, minor) => {
                let half = |half| u16::try_from(half).unwrap_or(u16::MAX);
                Err(StartupError::Version(half(major), half(minor)))
            }
        },
    }
}

fn read_cancel(body: &[u8]) -> Result<CancelKey, StartupError> {
    let mut fields = Fields::new(body);
    let pid = fields.i32().map_err(|_| StartupError::Packet("cancel key"))?;
    match fields.left() {
        secret if (4..=256).contains(&secret.len()) => Ok(CancelKey { pid, secret: secret.to_vec() }),
        _ => Err(StartupError::Packet("cancel key")),
    }
}

struct Opened {
    minor: u16,
    user: String,
    database: String,
    purpose: Option<String>,
    settings: Vec<(String, String)>,
}

/// Agrees on the version, and reads what the client says of itself.
async fn open(
    stream: &mut Stream,
    acceptor: &Acceptor,
    asked: u16,
    parameters: &[u8],
) -> Result<Opened, StartupError> {
    if acceptor.tls_required && !stream.is_tls() {
        return Err(StartupError::TlsRequired);
    }
    let parameters = read_parameters(parameters)?;
    let minor = asked.min(MINOR_MAX);
    let is_extension = |name: &str| name.starts_with("_pq_.");
    let unknown: Vec<_> =
        parameters.iter().map(|(name, _)| *name).filter(|name| is_extension(name)).collect();
    if asked > MINOR_MAX || !unknown.is_empty() {
        let mut out = BytesMut::new();
        back::write_negotiate_version(&mut out, minor, &unknown).map_err(StartupError::Frame)?;
        stream.write_all(&out).await?;
        stream.flush().await?;
    }
    let (mut user, mut database, mut purpose) = ("", "", None);
    // Options apply first, so that a parameter of the same name wins.
    let (mut settings, mut named) = (Vec::new(), Vec::new());
    for (name, value) in &parameters {
        match *name {
            "user" => user = value,
            "database" => database = value,
            "options" => settings.extend(read_options(value)?),
            "replication" if !matches!(*value, "false" | "off" | "no" | "0") => {
                return Err(StartupError::Replication);
            }
            "replication" => {}
            name if is_extension(name) => {}
            name => named.push((name.to_ascii_lowercase(), (*value).to_owned())),
        }
    }
    settings.extend(named);
    settings.retain(|(name, value)| {
        let is_purpose = name == "veilgate.purpose";
        if is_purpose {
            purpose = Some(value.clone());
        }
        !is_purpose
    });
    if user.is_empty() {
        return Err(StartupError::NoUser);
    }
    let database = if database.is_empty() { user } else { database };
    Ok(Opened { minor, user: user.to_owned(), database: database.to_owned(), purpose, settings })
}

/// Names and values, each with its terminator, and an empty name after the last.
fn read_parameters(body: &[u8]) -> Result<Vec<(&str, &str)>, StartupError> {
    let bad = |_| StartupError::Packet("parameters");
    let mut fields = Fields::new(body);
    let mut parameters = Vec::new();
    loop {
        match fields.text().map_err(bad)? {
            "" => break,
            name => parameters.push((name, fields.text().map_err(bad)?)),
        }
    }
    fields.end().map_err(bad)?;
    Ok(parameters)
}

/// The settings of `-c name=value --name=value`, cut at blanks as Postgres cuts them.
fn read_options(options: &str) -> Result<Vec<(String, String)>, StartupError> {
    let mut words = split_options(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(setting), _) => setting.to_owned(),
            (None, Some("")) => words.next().unwrap_or_default(),
            (None, Some(setting)) => setting.to_owned(),
            (None, None) => return Err(StartupError::Option(word)),
        };
        let (name, value) = setting.split_once('=').ok_or_else(|| StartupError::Option(word.clone()))?;
        settings.push((name.replace('-', "_").to_ascii_lowercase(), value.to_owned()));
    }
    Ok(settings)
}

/// Words between blanks; a backslash takes the next character as it is.
fn split_options(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}
