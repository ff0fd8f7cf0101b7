//! The one place that prints: what a command was asked for, on standard output.

use std::io::{self, Write};

/// Prints a text and a line break. Who has closed the pipe does not want more.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Says something beside what was asked for, on standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
