//! The admin socket: one command a connection, one JSON object as its answer. For the gateway's own user alone.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::error::Error;
use crate::health::{Health, Report};
use crate::reload::Reloader;

/// The longest command.
const COMMAND_BYTES_MAX: u64 = 64;
/// How long a client of the socket may take to say it.
const COMMAND_MAX: Duration = Duration::from_secs(5);
/// How long `veilgate reload` waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The socket's server. The file goes with it.
#[derive(Debug)]
pub(crate) struct Admin {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Admin {
    /// Binds the socket. One that a killed gateway has left is taken over; one that answers is not.
    pub(crate) fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::file(path, format!("cannot listen for commands: {error}"));
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(Error::file(path, "another gateway answers here"));
        }
        match fs::symlink_metadata(path) {
            Ok(left) if std::os::unix::fs::FileTypeExt::is_socket(&left.file_type()) => {
                fs::remove_file(path).map_err(failed)?;
            }
            Ok(_) => return Err(Error::file(path, "there is a file that is no socket")),
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let owner = fs::metadata(path).map_err(failed)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Answers commands until it is dropped.
    pub(crate) async fn serve(self, reloader: Arc<Reloader>, health: Arc<Health>) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // The file's mode says the same; it was not yet set when the socket was bound.
            let uid = stream.peer_cred().map(|peer| peer.uid()).ok();
            if uid.is_some_and(|uid| uid == self.owner || uid == 0) {
                let (reloader, health) = (Arc::clone(&reloader), Arc::clone(&health));
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &reloader, &health).await {
                        tracing::warn!(%error, "a command could not be answered");
                    }
                });
            }
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, reloader: &Arc<Reloader>, health: &Health) -> io::Result<()> {
    let mut stream = tokio::io::BufReader::new(stream);
    let mut command = String::new();
    let mut limited = (&mut stream).take(COMMAND_BYTES_MAX);
    tokio::time::timeout(COMMAND_MAX, limited.read_line(&mut command)).await??;
    let answer = match command.trim_end() {
        "reload" => reload(reloader).await,
        "health" => told(&health.alive()),
        "ready" => told(&health.ready().await),
        _ => json!({"ok": false, "error": "there is no such command"}),
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await?;
    stream.shutdown().await
}

fn told(report: &Report) -> Value {
    json!({"ok": report.is_good(), "text": report.to_string()})
}

async fn reload(reloader: &Arc<Reloader>) -> Value {
    let reloader = Arc::clone(reloader);
    match tokio::task::spawn_blocking(move || reloader.reload()).await {
        Ok(Ok(reloaded)) => json!({
            "ok": true,
            "revision": &*reloaded.revision,
            "generation": reloaded.generation,
            "callers": reloaded.callers,
            "warnings": reloaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Ok(Err(error)) => json!({"ok": false, "error": error.to_string()}),
        Err(_) => json!({"ok": false, "error": "the reload has failed; the gateway's log says why"}),
    }
}

/// Sends a command to the gateway behind a socket.
pub(crate) fn ask(path: &Path, command: &str) -> Result<Value, Error> {
    let asked = || -> io::Result<String> {
        let stream = std::os::unix::net::UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        writeln!(&stream, "{command}")?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        Ok(line)
    };
    let line = asked().map_err(|error| Error::file(path, format!("no gateway answers: {error}")))?;
    serde_json::from_str(&line).map_err(|error| Error::file(path, format!("no answer of a gateway: {error}")))
}
