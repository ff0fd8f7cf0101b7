//! Whether the gateway lives, and whether it can serve: for whoever starts it, restarts it or sends clients to it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gate::Gate;
use pg_proxy::upstream::{self, UpstreamConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::timeout;

use crate::error::{Error, count};

/// How long an answer holds: whoever asks more often does not cost the stores more logins.
const HOLDS: Duration = Duration::from_secs(2);
/// How long a store may take to let the gateway in.
const REACHED_MAX: Duration = Duration::from_secs(3);

/// What health is read from.
#[derive(Debug)]
pub(crate) struct Health {
    gate: Arc<Gate>,
    stores: Vec<(String, UpstreamConfig)>,
    stopping: watch::Receiver<bool>,
    /// The last answer. Held while a new one is made, so that one look is under way at a time.
    last: Mutex<Option<(Instant, Report)>>,
}

/// Whether it is so, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// Each with whether it is as it should be.
    pub(crate) lines: Vec<(bool, String)>,
}

impl Report {
    pub(crate) fn is_good(&self) -> bool {
        self.lines.iter().all(|(good, _)| *good)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (good, line) in &self.lines {
            writeln!(f, "{:<6}  {line}", if *good { "ok" } else { "FAILED" })?;
        }
        Ok(())
    }
}

impl Health {
    pub(crate) fn new(
        gate: Arc<Gate>,
        stores: Vec<(String, UpstreamConfig)>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { gate, stores, stopping, last: Mutex::new(None) }
    }

    /// The process lives: it answers.
    pub(crate) fn alive(&self) -> Report {
        Report { lines: vec![(true, format!("veilgate {} lives", env!("CARGO_PKG_VERSION")))] }
    }

    /// Whether a client that comes now could be served.
    pub(crate) async fn ready(&self) -> Report {
        let mut last = self.last.lock().await;
        let mut report = match &*last {
            Some((when, report)) if when.elapsed() < HOLDS => report.clone(),
            _ => {
                let report = self.look().await;
                *last = Some((Instant::now(), report.clone()));
                report
            }
        };
        if *self.stopping.borrow() {
            report.lines.push((false, "stopping: no new clients".to_owned()));
        }
        report
    }

    async fn look(&self) -> Report {
        let gate = &self.gate;
        let mut lines = vec![(true, format!("policy {}, generation {}", gate.revision(), gate.generation()))];
        lines.push(match gate.log().is_sound() {
            true => (true, "the record can be written".to_owned()),
            false => (false, "the record cannot be written: every request is refused".to_owned()),
        });
        for (name, upstream) in &self.stores {
            lines.push(self.catalogue(name));
            lines.push(reached(name, upstream).await);
        }
        Report { lines }
    }

    fn catalogue(&self, store: &str) -> (bool, String) {
        match self.gate.catalog(store) {
            None => (false, format!("store `{store}`: its catalogue is not loaded; the log says why")),
            Some(catalog) => match &catalog.added.untrusted {
                Some(reason) => (false, format!("store `{store}`: {reason}: nothing is read from it")),
                None => {
                    let relations = count(catalog.relations.len(), "relation");
                    (true, format!("store `{store}`: a catalogue of {relations} is loaded"))
                }
            },
        }
    }
}

async fn reached(name: &str, upstream: &UpstreamConfig) -> (bool, String) {
    let told = match timeout(REACHED_MAX, upstream::connect(upstream)).await {
        Ok(Ok(connection)) => {
            connection.close().await;
            return (true, format!("store `{name}`: it lets the gateway in"));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} s", REACHED_MAX.as_secs()),
    };
    (false, format!("store `{name}`: cannot connect: {told}"))
}

/// The longest head of a request, and how long it may take.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Requests at a time; others wait.
const REQUESTS_MAX: usize = 16;
/// Headers of a request that are read over.
const HEADERS_MAX: usize = 64;

/// `/healthz` and `/readyz` over HTTP: one request a connection.
#[derive(Debug)]
pub(crate) struct Endpoint {
    listener: TcpListener,
}

impl Endpoint {
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let failed = |error| Error::Message(format!("cannot listen on {address} (admin.address): {error}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        tracing::info!(%address, "health is told over HTTP");
        Ok(Self { listener })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, health: Arc<Health>) {
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let health = Arc::clone(&health);
            tokio::spawn(async move {
                // Who has gone does not want an answer.
                let _ = timeout(HEAD_MAX * 2, answer(stream, &health)).await;
                drop(place);
            });
        }
    }
}

async fn answer(mut stream: TcpStream, health: &Health) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let asked = loop {
        let asked = asked(&head);
        if asked != Asked::More {
            break asked;
        }
        if head.len() >= HEAD_BYTES_MAX {
            break Asked::Not("400 Bad Request", "the request is too long");
        }
        let mut chunk = [0_u8; 1024];
        match timeout(HEAD_MAX, stream.read(&mut chunk)).await {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(read) => head.extend_from_slice(chunk.get(..read?).unwrap_or_default()),
        }
    };
    let (status, body, with_body) = match asked {
        Asked::Health { with_body } => ("200 OK", health.alive().to_string(), with_body),
        Asked::Ready { with_body } => {
            let report = health.ready().await;
            let status = if report.is_good() { "200 OK" } else { "503 Service Unavailable" };
            (status, report.to_string(), with_body)
        }
        Asked::Not(status, why) => (status, format!("{why}\n"), true),
        Asked::More => return Ok(()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if with_body {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Health {
        with_body: bool,
    },
    Ready {
        with_body: bool,
    },
    /// Nothing that there is: the status, and why.
    Not(&'static str, &'static str),
    /// The head is not whole yet.
    More,
}

fn asked(head: &[u8]) -> Asked {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Err(_) => return Asked::Not("400 Bad Request", "this is no HTTP"),
        Ok(httparse::Status::Partial) => return Asked::More,
        Ok(httparse::Status::Complete(_)) => {}
    }
    let with_body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return Asked::Not("405 Method Not Allowed", "only GET and HEAD are answered"),
    };
    let path = request.path.unwrap_or_default();
    match path.split_once('?').map_or(path, |(path, _)| path) {
        "/healthz" => Asked::Health { with_body },
        "/readyz" => Asked::Ready { with_body },
        _ => Asked::Not("404 Not Found", "there are /healthz and /readyz"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_can_be_asked() {
        for (head, expected) in [
            ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", Asked::Health { with_body: true }),
            ("HEAD /readyz?verbose HTTP/1.0\r\n\r\n", Asked::Ready { with_body: false }),
            ("GET /readyz HTTP/1.1\r\nHost: x", Asked::More),
            ("", Asked::More),
            (
                "POST /readyz HTTP/1.1\r\n\r\n",
                Asked::Not("405 Method Not Allowed", "only GET and HEAD are answered"),
            ),
            ("GET /metrics HTTP/1.1\r\n\r\n", Asked::Not("404 Not Found", "there are /healthz and /readyz")),
            ("\0\0\0\u{8}\u{4}\u{d2}\u{16}/", Asked::Not("400 Bad Request", "this is no HTTP")),
        ] {
            assert_eq!(asked(head.as_bytes()), expected, "{head:?}");
        }
    }
}
