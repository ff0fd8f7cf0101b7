//! A connection to the store: TLS, login, pinned settings, up to the first ReadyForQuery.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use access::quote;
use bytes::{Bytes, BytesMut};
use gate::SqlPermit;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::back::{self, Authentication};
use crate::frame::{Back, BackFrames, Frame, FrameError, ReadError};
use crate::scram::{MECHANISM, MECHANISM_PLUS};
use crate::startup::CancelKey;
use crate::tls::{ClientTls, Stream};
use crate::{front, hidden, tls};

/// The most work that a store may ask for one login: 250 times what Postgres asks by itself.
const SCRAM_ITERATIONS_MAX: u32 = 1_000_000;
/// The most that is held of one answer where the gateway itself asks.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Why a login fails where the configuration has nothing to give.
pub(crate) const NO_PASSWORD: &str = "no password is configured";

/// Where a store is, and how to log in there.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// A name or address; or the folder of a Unix socket, when it begins with `/`.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The gateway's own login.
    pub user: String,
    /// Its password, where the store asks for one.
    pub password: Option<Password>,
    /// How the store must prove itself; `None` is a plain connection.
    pub tls: Option<ClientTls>,
    /// Schemas of extensions whose operators and types are to be found: trusted, nobody else may create there.
    pub extension_schemas: Vec<String>,
    /// Further settings for all sessions, by name: `statement_timeout`.
    pub settings: Vec<(String, String)>,
    /// The longest that a connection with its login, or a cancel, may take.
    pub connect_ms_max: u64,
}

impl UpstreamConfig {
    /// What the start-up packet says. Everything that a guard's meaning depends on is pinned here, whatever the store's
    /// configuration, database or role have as defaults.
    fn parameters(&self) -> Vec<(&str, String)> {
        let mut path = vec!["pg_catalog".to_owned()];
        path.extend(self.extension_schemas.iter().map(|schema| quote(schema)));
        path.push("pg_temp".to_owned());
        let mut parameters: Vec<_> =
            self.settings.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        if !self.settings.iter().any(|(name, _)| name == "application_name") {
            parameters.push(("application_name", "veilgate".to_owned()));
        }
        // The last of a name wins.
        parameters.extend([
            ("user", self.user.clone()),
            ("database", self.database.clone()),
            ("client_encoding", "UTF8".to_owned()),
            ("standard_conforming_strings", "on".to_owned()),
            ("transform_null_equals", "off".to_owned()),
            ("search_path", path.join(", ")),
        ]);
        parameters
    }
}

/// A password that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// From its text.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// A connection to the store, logged in and idle.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub stream: Stream,
    /// Its frames, to be read from the connection.
    pub frames: BackFrames,
    /// What the store reported of its settings, by name.
    pub parameters: BTreeMap<String, String>,
    /// What cancels it; a store behind a pool may have none.
    pub key: Option<CancelKey>,
}

/// Why there is no connection, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("the store did not answer in time")]
    Timeout,
    /// The store has no TLS, and is to have it.
    #[error("the store does not offer TLS")]
    TlsNotOffered,
    /// The store asks for a password in a way that would give it away, or that is unknown, or there is none.
    #[error("login at the store: {0}")]
    Login(&'static str),
    /// A setting did not take.
    #[error("the store has `{0}` as it must not be")]
    Pin(&'static str),
    /// The store does not keep to the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The store sent something that has no place there.
    #[error("unexpected message of type 0x{0:02x} from the store")]
    Unexpected(u8),
    /// The answer is longer than is held.
    #[error("the store's answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An error of the store, in its own words: for the gateway's own log and commands, never for a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({sqlstate})")]
pub struct StoreError {
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The message.
    pub message: String,
}

impl StoreError {
    fn of(report: &Frame) -> Self {
        let field = |kind| back::report_field(report, kind).unwrap_or_default().to_owned();
        Self { sqlstate: field(b'C'), message: field(b'M') }
    }
}

impl From<ReadError> for UpstreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Io(error),
            ReadError::Frame(error) => Self::Frame(error),
        }
    }
}

/// Connects and logs in.
///
/// # Errors
/// When the store cannot be reached or does not let the gateway in, or a pinned setting does not take.
pub async fn connect(config: &UpstreamConfig) -> Result<Upstream, UpstreamError> {
    let connecting = async {
        let stream = open(config).await?;
        let mut upstream =
            Upstream { stream, frames: BackFrames::new(), parameters: BTreeMap::new(), key: None };
        let mut out = BytesMut::new();
        let parameters = config.parameters();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        front::startup(&mut out, &parameters)?;
        upstream.send(&out).await?;
        upstream.log_in(config).await?;
        upstream.await_ready().await?;
        upstream.check_pins()?;
        Ok(upstream)
    };
    timeout(Duration::from_millis(config.connect_ms_max), connecting)
        .await
        .map_err(|_| UpstreamError::Timeout)?
}

/// A connection with nothing said on it but what TLS needs.
pub(crate) async fn open(config: &UpstreamConfig) -> Result<Stream, UpstreamError> {
    if config.host.starts_with('/') {
        let path = Path::new(&config.host).join(format!(".s.PGSQL.{}", config.port));
        return Ok(Stream::Unix(UnixStream::connect(path).await?));
    }
    let mut tcp = TcpStream::connect((config.host.as_str(), config.port)).await?;
    tls::set_options(&tcp)?;
    let Some(client) = &config.tls else { return Ok(Stream::Tcp(tcp)) };
    let mut out = BytesMut::new();
    front::ssl_request(&mut out);
    tcp.write_all(&out).await?;
    // One byte is read, and not one more: what follows it belongs to the handshake.
    match tcp.read_u8().await? {
        b'S' => Ok(client.connect(tcp, &config.host).await?),
        b'N' => Err(UpstreamError::TlsNotOffered),
        other => Err(UpstreamError::Unexpected(other)),
    }
}

impl Upstream {
    /// Asks the store on the gateway's own behalf, in the simple protocol, and holds the answer: the rows of the last
    /// statement that has any.
    ///
    /// # Errors
    /// When the store says no, or the connection fails. It is idle again after the first, of no more use after others.
    pub async fn query(&mut self, text: &str) -> Result<Rows, UpstreamError> {
        let mut out = BytesMut::new();
        front::query(&mut out, text)?;
        self.rows_of(&out).await
    }

    /// The same for a statement that was permitted.
    ///
    /// # Errors
    /// When the store says no, or the connection fails.
    pub async fn run(&mut self, permit: &SqlPermit) -> Result<Rows, UpstreamError> {
        let mut out = BytesMut::new();
        hidden::query(&mut out, std::slice::from_ref(permit))?;
        self.rows_of(&out).await
    }

    /// What comes back until the store is idle again.
    async fn rows_of(&mut self, asked: &[u8]) -> Result<Rows, UpstreamError> {
        self.send(asked).await?;
        let (mut rows, mut failed) = (Rows::default(), None);
        let mut held = BytesMut::new();
        loop {
            match self.next().await? {
                Back::Rows(range) => {
                    if held.len() + range.bytes.len() > ANSWER_BYTES_MAX {
                        return Err(UpstreamError::TooLong);
                    }
                    held.extend_from_slice(&range.bytes);
                }
                Back::Frame(frame) => match frame.tag() {
                    b'T' => {
                        held.clear();
                        let columns = back::row_description(&frame)?;
                        let columns = columns.iter().map(|column| lossy(column.name)).collect();
                        rows = Rows { columns, bytes: Bytes::new() };
                    }
                    b'C' if !held.is_empty() => rows.bytes = held.split().freeze(),
                    b'E' => failed = Some(StoreError::of(&frame)),
                    b'Z' => break,
                    b'C' | b'I' | b'N' | b'S' | b'A' | b'1' | b'2' | b'n' => {}
                    other => return Err(UpstreamError::Unexpected(other)),
                },
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(rows),
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // Nobody minds when the store has gone before.
        let _ = self.send(b"X\0\0\0\x04").await;
        let _ = self.stream.shutdown().await;
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), UpstreamError> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn next(&mut self) -> Result<Back, UpstreamError> {
        let next = self.frames.read(&mut self.stream).await?;
        next.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }

    async fn hear(&mut self) -> Result<Frame, UpstreamError> {
        match self.next().await? {
            Back::Frame(frame) if frame.tag() == b'E' => Err(StoreError::of(&frame).into()),
            Back::Frame(frame) => Ok(frame),
            Back::Rows(_) => Err(UpstreamError::Unexpected(b'D')),
        }
    }

    async fn log_in(&mut self, config: &UpstreamConfig) -> Result<(), UpstreamError> {
        let password = || config.password.as_ref().ok_or(UpstreamError::Login(NO_PASSWORD));
        let mut out = BytesMut::new();
        loop {
            let frame = self.hear().await?;
            match frame.tag() {
                b'R' => {}
                b'N' => continue,
                other => return Err(UpstreamError::Unexpected(other)),
            }
            match back::authentication(&frame)? {
                Authentication::Ok => return Ok(()),
                Authentication::Cleartext if matches!(self.stream, Stream::Tcp(_)) => {
                    return Err(UpstreamError::Login("the store asks for the password in clear without TLS"));
                }
                Authentication::Cleartext => front::password(&mut out, password()?.0.as_bytes())?,
                Authentication::Md5(salt) => {
                    let hashed = md5_hash(config.user.as_bytes(), password()?.0.as_bytes(), salt);
                    front::password(&mut out, hashed.as_bytes())?;
                }
                Authentication::Sasl(mechanisms) => self.log_in_by_scram(&mechanisms, password()?).await?,
                Authentication::SaslContinue(_) | Authentication::SaslFinal(_) | Authentication::Other(_) => {
                    return Err(UpstreamError::Login("the store asks for a method that is not supported"));
                }
            }
            self.send(&out.split()).await?;
        }
    }

    /// Both sides prove that they know the password; on TLS the proof holds for this connection only, if the store can.
    async fn log_in_by_scram(
        &mut self,
        mechanisms: &[&str],
        password: &Password,
    ) -> Result<(), UpstreamError> {
        let end_point = self.stream.peer_end_point();
        let (mechanism, binding) = match end_point {
            Some(hash) if mechanisms.contains(&MECHANISM_PLUS) => {
                (MECHANISM_PLUS, ChannelBinding::tls_server_end_point(hash))
            }
            Some(_) if mechanisms.contains(&MECHANISM) => (MECHANISM, ChannelBinding::unrequested()),
            None if mechanisms.contains(&MECHANISM) => (MECHANISM, ChannelBinding::unsupported()),
            _ => return Err(UpstreamError::Login("the store offers no SCRAM-SHA-256")),
        };
        let mut scram = ScramSha256::new(password.0.as_bytes(), binding);
        let mut out = BytesMut::new();
        front::sasl_initial(&mut out, mechanism, scram.message())?;
        self.send(&out.split()).await?;

        let frame = self.hear().await?;
        let Authentication::SaslContinue(data) = back::authentication(&frame)? else {
            return Err(UpstreamError::Unexpected(frame.tag()));
        };
        let iterations =
            std::str::from_utf8(data).ok().and_then(|text| text.rsplit_once(",i=")?.1.parse::<u32>().ok());
        if iterations.is_none_or(|iterations| iterations > SCRAM_ITERATIONS_MAX) {
            return Err(UpstreamError::Login("the store asks for too many iterations of SCRAM"));
        }
        scram.update(data)?;
        front::sasl_response(&mut out, scram.message())?;
        self.send(&out).await?;

        let frame = self.hear().await?;
        let Authentication::SaslFinal(data) = back::authentication(&frame)? else {
            return Err(UpstreamError::Unexpected(frame.tag()));
        };
        Ok(scram.finish(data)?)
    }

    async fn await_ready(&mut self) -> Result<(), UpstreamError> {
        loop {
            let frame = self.hear().await?;
            match frame.tag() {
                b'S' => {
                    let (name, value) = back::parameter_status(&frame)?;
                    self.parameters.insert(name.to_owned(), value.to_owned());
                }
                b'K' => {
                    let (pid, secret) = back::backend_key(&frame)?;
                    self.key = Some(CancelKey { pid, secret: secret.to_vec() });
                }
                b'N' => {}
                b'Z' => return Ok(()),
                other => return Err(UpstreamError::Unexpected(other)),
            }
        }
    }

    /// A pool in between may swallow what the start-up packet says; what the server reports is the truth.
    fn check_pins(&self) -> Result<(), UpstreamError> {
        for (name, pinned) in [("client_encoding", "UTF8"), ("standard_conforming_strings", "on")] {
            if self.parameters.get(name).is_none_or(|value| value != pinned) {
                return Err(UpstreamError::Pin(name));
            }
        }
        Ok(())
    }
}

/// Rows of text, held whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// The columns' names.
    pub columns: Vec<String>,
    bytes: Bytes,
}

impl Rows {
    /// Row by row; `None` is NULL.
    ///
    /// # Errors
    /// When a row is malformed or no UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = Result<Vec<Option<&str>>, FrameError>> {
        let mut left: &[u8] = &self.bytes;
        std::iter::from_fn(move || {
            if left.is_empty() {
                return None;
            }
            let row = back::data_row(left);
            left = row.as_ref().map_or(&[], |(_, left)| left);
            Some(row.and_then(|(values, _)| values.into_iter().map(text).collect()))
        })
    }
}

fn text(value: Option<&[u8]>) -> Result<Option<&str>, FrameError> {
    value.map(std::str::from_utf8).transpose().map_err(|_| FrameError::Encoding)
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
