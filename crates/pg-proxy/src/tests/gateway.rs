//! A gateway before a real Postgres, and clients of it: a driver, and one that speaks in frames.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::Identity;
use bytes::BytesMut;
use gate::Gate;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use testkit::{Database, Postgres};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::back::{self, Authentication};
use crate::frame::{Back, BackFrames, Frame};
use crate::login::{Login, Logins};
use crate::scram::{Verifier, make_verifier};
use crate::startup::Acceptor;
use crate::tls::ServerTls;
use crate::upstream::UpstreamConfig;
use crate::{Limits, Pool, PoolLimits, Proxy, front, serve};

/// Nothing in these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Gateway {
    pub(super) port: u16,
    pub(super) proxy: Arc<Proxy>,
    pub(super) shutdown: watch::Sender<bool>,
    pub(super) served: Option<JoinHandle<()>>,
    pub(super) database: Database<'static>,
}

pub(super) struct Settings {
    pub(super) limits: Limits,
    pub(super) pool: PoolLimits,
    pub(super) tls: Option<ServerTls>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits {
                connections_max: 20,
                idle_ms_max: 60_000,
                transaction_idle_ms_max: 60_000,
                drain_ms_max: 5_000,
                statements_max: 100,
            },
            pool: PoolLimits {
                pool_size_max: 4,
                pool_wait_ms_max: 2_000,
                connection_age_ms_max: 60_000,
                statements_max: 10,
            },
            tls: None,
        }
    }
}

impl Gateway {
    pub(super) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    pub(super) async fn start_with(settings: Settings) -> Self {
        let server = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
        let database = server.database();
        database.run(SCHEMA);
        let config = UpstreamConfig {
            host: "127.0.0.1".to_owned(),
            port: server.port(),
            database: database.name.clone(),
            user: "postgres".to_owned(),
            password: None,
            tls: None,
            extension_schemas: Vec::new(),
            settings: Vec::new(),
            connect_ms_max: 5_000,
        };
        let gate = super::policy::gate(&config).await;
        let pool = Pool::new("crm", config, settings.pool);
        let acceptor = Acceptor {
            tls: settings.tls,
            tls_required: false,
            startup_ms_max: 10_000,
            message_bytes_max: 16 * 1024 * 1024,
        };
        let logins = Logins::new(["alice", "bob"].map(login)).unwrap();
        let proxy = Arc::new(Proxy::new(gate, logins, [pool], acceptor, settings.limits));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shutdown, stopped) = watch::channel(false);
        let served = Some(tokio::spawn(serve(listener, Arc::clone(&proxy), stopped)));
        Self { port, proxy, shutdown, served, database }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.proxy.gate
    }

    pub(super) fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("alice").password("alice").dbname("crm");
        config
    }

    pub(super) async fn connect(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(super) async fn raw(&self) -> Raw {
        Raw::connect(self.port, &[]).await
    }
}

fn login(name: &str) -> Login {
    let identity = Identity { id: name.into(), attributes: BTreeMap::new(), purposes: Vec::new() };
    let verifier = Verifier::parse(&make_verifier(name).unwrap()).unwrap();
    Login { identity: Arc::new(identity), verifier }
}

pub(super) const SCHEMA: &str = "
    create table numbers (n int primary key, word text);
    insert into numbers select n, 'word ' || n from generate_series(1, 1000) n;
    create table wide (n int primary key, filling text);
    insert into wide select n, repeat('x', 1000) from generate_series(1, 20000) n;
    create schema other;
    create table other.numbers (n int primary key, word text);
    insert into other.numbers values (1, 'other');
    create table secret (n int);
    analyze;
";

/// A client that speaks in frames.
pub(super) struct Raw {
    pub(super) stream: TcpStream,
    pub(super) frames: BackFrames,
    pub(super) out: BytesMut,
    pub(super) key: (i32, Vec<u8>),
    pub(super) parameters: Vec<(String, String)>,
}

impl Raw {
    pub(super) async fn connect(port: u16, parameters: &[(&str, &str)]) -> Self {
        let mut all = vec![("user", "alice"), ("database", "crm")];
        all.extend(parameters);
        Self::connect_as(port, &all).await
    }

    pub(super) async fn connect_as(port: u16, parameters: &[(&str, &str)]) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut raw = Self {
            stream,
            frames: BackFrames::new(),
            out: BytesMut::new(),
            key: (0, Vec::new()),
            parameters: Vec::new(),
        };
        front::startup(&mut raw.out, parameters).unwrap();
        let mut scram = ScramSha256::new(b"alice", ChannelBinding::unsupported());
        loop {
            raw.send().await;
            let frame = raw.frame().await;
            match frame.tag() {
                b'R' => match back::authentication(&frame).unwrap() {
                    Authentication::Sasl(_) => {
                        front::sasl_initial(&mut raw.out, "SCRAM-SHA-256", scram.message()).unwrap();
                    }
                    Authentication::SaslContinue(data) => {
                        scram.update(data).unwrap();
                        front::sasl_response(&mut raw.out, scram.message()).unwrap();
                    }
                    Authentication::SaslFinal(data) => scram.finish(data).unwrap(),
                    Authentication::Ok => {}
                    Authentication::Cleartext | Authentication::Md5(_) | Authentication::Other(_) => {
                        panic!("unexpected way to log in")
                    }
                },
                b'S' => {
                    let (name, value) = back::parameter_status(&frame).unwrap();
                    raw.parameters.push((name.to_owned(), value.to_owned()));
                }
                b'K' => {
                    let (pid, secret) = back::backend_key(&frame).unwrap();
                    raw.key = (pid, secret.to_vec());
                }
                b'Z' => return raw,
                b'E' => panic!("{:?}", back::report_field(&frame, b'M')),
                other => panic!("unexpected {other}"),
            }
        }
    }

    pub(super) async fn send(&mut self) {
        let out = self.out.split();
        self.stream.write_all(&out).await.unwrap();
    }

    /// The next message; rows come as what was read of them.
    pub(super) async fn next(&mut self) -> Option<Back> {
        let read = self.frames.read(&mut self.stream);
        timeout(PATIENCE, read).await.expect("the gateway answers").unwrap()
    }

    pub(super) async fn frame(&mut self) -> Frame {
        match self.next().await {
            Some(Back::Frame(frame)) => frame,
            other => panic!("unexpected {other:?}"),
        }
    }

    /// Sends, and gives all answers up to so many ReadyForQuery, each as a short text.
    pub(super) async fn answers(&mut self, ready: usize) -> Vec<String> {
        self.send().await;
        let mut answers: Vec<String> = Vec::new();
        let mut left = ready;
        while left > 0 {
            match self.next().await {
                None => {
                    answers.push("end".to_owned());
                    break;
                }
                Some(Back::Rows(rows)) => {
                    let ended = rows.ended;
                    match answers.last_mut().and_then(|last| last.strip_prefix("rows ")) {
                        Some(count) => {
                            let total = count.parse::<u64>().unwrap() + ended;
                            *answers.last_mut().unwrap() = format!("rows {total}");
                        }
                        None => answers.push(format!("rows {ended}")),
                    }
                }
                Some(Back::Frame(frame)) => {
                    left -= usize::from(frame.tag() == b'Z');
                    answers.push(short(&frame));
                }
            }
        }
        answers
    }

    /// The first value of the first row of a query, as text.
    pub(super) async fn value(&mut self, query: &str) -> String {
        self.query(query).first_value().await
    }

    /// Sends, and gives the first value that comes before ReadyForQuery, as text.
    pub(super) async fn first_value(&mut self) -> String {
        self.send().await;
        let mut value = None;
        loop {
            match self.next().await {
                Some(Back::Rows(rows)) => {
                    let (values, _) = back::data_row(&rows.bytes).unwrap();
                    value = Some(String::from_utf8(values[0].unwrap().to_vec()).unwrap());
                }
                Some(Back::Frame(frame)) if frame.tag() == b'Z' => return value.unwrap(),
                Some(Back::Frame(_)) => {}
                None => panic!("the session ended"),
            }
        }
    }

    pub(super) fn query(&mut self, text: &str) -> &mut Self {
        front::query(&mut self.out, text).unwrap();
        self
    }

    pub(super) fn parse(&mut self, name: &str, text: &str) -> &mut Self {
        front::parse(&mut self.out, name, text, &[]).unwrap();
        self
    }

    /// With no values.
    pub(super) fn bind(&mut self, portal: &str, statement: &str) -> &mut Self {
        front::bind(&mut self.out, portal, statement, &[0, 0, 0, 0, 0, 0]).unwrap();
        self
    }

    pub(super) fn describe(&mut self, target: front::Target<'_>) -> &mut Self {
        front::describe(&mut self.out, target).unwrap();
        self
    }

    pub(super) fn execute(&mut self, portal: &str, rows_max: i32) -> &mut Self {
        front::execute(&mut self.out, portal, rows_max).unwrap();
        self
    }

    pub(super) fn close(&mut self, target: front::Target<'_>) -> &mut Self {
        front::close(&mut self.out, target).unwrap();
        self
    }

    pub(super) fn sync(&mut self) -> &mut Self {
        front::sync(&mut self.out);
        self
    }

    pub(super) fn flush(&mut self) -> &mut Self {
        front::flush(&mut self.out);
        self
    }
}

fn short(frame: &Frame) -> String {
    match frame.tag() {
        b'Z' => format!("ready {}", frame.body()[0] as char),
        b'C' => back::command_tag(frame).unwrap().to_owned(),
        b'E' => format!("error {}", back::report_field(frame, b'C').unwrap()),
        b'N' => format!("notice {}", back::report_field(frame, b'C').unwrap()),
        b'1' => "parsed".to_owned(),
        b'2' => "bound".to_owned(),
        b'3' => "closed".to_owned(),
        b'T' => {
            let columns = back::row_description(frame).unwrap();
            let numbered = columns.iter().any(|column| (column.table_oid, column.attribute) != (0, 0));
            // The gateway never says so.
            format!("columns {}{}", columns.len(), if numbered { " of a table" } else { "" })
        }
        b't' => format!("parameters {}", back::parameter_types(frame).unwrap().len()),
        b'n' => "no data".to_owned(),
        b's' => "suspended".to_owned(),
        b'I' => "empty".to_owned(),
        b'S' => {
            let (name, value) = back::parameter_status(frame).unwrap();
            format!("{name}={value}")
        }
        other => format!("{}", other as char),
    }
}
