//! Why a command fails.

use std::fmt;
use std::path::Path;

use policy::Diagnostic;

/// Why a command fails, as its user is told.
#[derive(Debug)]
pub(crate) enum Error {
    /// What is wrong with a text, each with its place.
    Diagnostics(Vec<Diagnostic>),
    /// Anything else.
    Message(String),
    /// What the command looked for and found; it has said so already.
    Problems,
}

impl Error {
    /// An error about a file.
    pub(crate) fn file(path: &Path, error: impl fmt::Display) -> Self {
        Self::Message(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diagnostics(diagnostics) => {
                for diagnostic in diagnostics {
                    writeln!(f, "{diagnostic}\n")?;
                }
                write!(f, "{} in all", count(diagnostics.len(), "error"))
            }
            Self::Message(message) => write!(f, "error: {message}"),
            Self::Problems => Ok(()),
        }
    }
}

impl From<Vec<Diagnostic>> for Error {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Diagnostics(diagnostics)
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
