//! Why a record could not be written.

use std::io;
use std::path::PathBuf;

/// Why a record could not be written. For the gateway's own log: a client learns only that nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened, locked, read or ended with a whole line.
    #[error("cannot open the audit log {}: {source}", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes the same file.
    #[error("the audit log {} is held by another process", path.display())]
    Held {
        /// Its path.
        path: PathBuf,
    },
    /// The record was not written, or only a part of it.
    #[error("cannot write the audit log: {0}")]
    Write(io::Error),
    /// The system could not bring earlier records to the disk. Nothing is recorded until the log is opened anew.
    #[error("the audit log could not be synced to disk: {0}; open it anew to go on")]
    Sync(String),
}
