//! Passwords, asked for without an echo or read from a pipe: they never stand on a command line.

use std::io::{self, BufRead, IsTerminal};

use pg_proxy::scram::make_verifier;
use zeroize::Zeroizing;

use crate::error::Error;

/// The verifier of a new password: typed twice at a terminal, otherwise one line of standard input.
pub(crate) fn verifier() -> Result<String, Error> {
    let password = if io::stdin().is_terminal() { twice()? } else { piped()? };
    if password.is_empty() {
        return Err(Error::Message("the password is empty".into()));
    }
    make_verifier(&password).map_err(|error| Error::Message(error.to_string()))
}

/// Asks once, at a terminal.
pub(crate) fn ask(prompt: &str) -> Result<Zeroizing<String>, Error> {
    let asked = rpassword::prompt_password(prompt).map(Zeroizing::new);
    asked.map_err(|error| Error::Message(error.to_string()))
}

fn twice() -> Result<Zeroizing<String>, Error> {
    let password = ask("Password: ")?;
    if ask("Once more: ")? == password {
        Ok(password)
    } else {
        Err(Error::Message("the two passwords differ".into()))
    }
}

fn piped() -> Result<Zeroizing<String>, Error> {
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Error::Message(format!("standard input: {error}")))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Zeroizing::new(password.strip_suffix('\r').unwrap_or(password).to_owned()))
}
