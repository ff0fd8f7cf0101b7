//! Keys as the configuration names them: read from files, variables and commands. No error holds any part of one.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use gate::{HashKeys, SECRET_BYTES_MAX};
use policy::Policy;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::config::{Config, Key, KeyFrom};
use crate::error::Error;

/// How long a command may take to print a key.
const COMMAND_MAX: Duration = Duration::from_secs(30);

type Secret = Zeroizing<Vec<u8>>;

/// The keys for this policy: it says where hashes are made, and then there must be one to make them with.
pub(crate) fn for_policy(config: &Config, policy: &Policy) -> Result<Option<Arc<HashKeys>>, Error> {
    let keys = read(config)?;
    let without = policy.hashes_without_key();
    if keys.is_none() && !without.is_empty() {
        return Err(Error::Diagnostics(without));
    }
    Ok(keys)
}

/// The keys of the mask `hash`, in all their versions.
pub(crate) fn read(config: &Config) -> Result<Option<Arc<HashKeys>>, Error> {
    let Some(key) = &config.hash_key else { return Ok(None) };
    let mut versions = Vec::with_capacity(key.versions.len());
    for (version, from) in &key.versions {
        let secret = secret(from).map_err(|why| {
            let (setting, word) = (key.setting(*version), from.word());
            Error::Message(format!("`{setting}.{word}`: {why}"))
        })?;
        versions.push((*version, secret));
    }
    let keys = HashKeys::new(versions, key.current);
    keys.map(|keys| Some(Arc::new(keys))).map_err(|why| unusable(key, why))
}

/// A new key, or a new password: 64 random hexadecimal digits.
pub(crate) fn new() -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| Error::Message("the system has no random bytes".into()))?;
    let mut digits = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes.iter() {
        for nibble in [byte >> 4, byte & 15] {
            digits.extend(char::from_digit(nibble.into(), 16));
        }
    }
    Ok(digits)
}

fn unusable(key: &Key, why: gate::HashKeyError) -> Error {
    Error::Message(format!("`keys.{}.versions`: {why}; `veilgate hash new` prints a good one", key.name))
}

fn secret(from: &KeyFrom) -> Result<Secret, String> {
    let mut secret = match from {
        KeyFrom::File(path) => of_file(path)?,
        KeyFrom::Variable(name) => match std::env::var_os(name) {
            Some(value) => Zeroizing::new(value.into_encoded_bytes()),
            None => return Err(format!("the variable `{name}` is not set")),
        },
        KeyFrom::Command(words) => of_command(words)?,
    };
    // An editor or `echo` ends a line; the break is not meant.
    for end in [b'\n', b'\r'] {
        if secret.last() == Some(&end) {
            secret.pop();
        }
    }
    Ok(secret)
}

fn of_file(path: &Path) -> Result<Secret, String> {
    let told = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut file = File::open(path).map_err(told)?;
    let meta = file.metadata().map_err(told)?;
    if !meta.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    // A file of root's may be given to the gateway's group, as secrets that are mounted are.
    let others = if meta.uid() == 0 { 0o037 } else { 0o077 };
    if meta.mode() & others != 0 {
        let mode = meta.mode() & 0o777;
        let path = path.display();
        return Err(format!("{path} has mode {mode:o}, so that others may use it: chmod 600 {path}"));
    }
    read_some(&mut file).map_err(told)
}

/// As much as a key can have, and a little more, so that one that is too long is noticed.
fn read_some(from: &mut impl Read) -> io::Result<Secret> {
    // Never grown, so that no part of it stays behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 8));
    let mut chunk = Zeroizing::new([0_u8; 256]);
    while secret.len() <= SECRET_BYTES_MAX + 2 {
        let room = (SECRET_BYTES_MAX + 3 - secret.len()).min(chunk.len());
        match from.read(chunk.get_mut(..room).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => secret.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(secret)
}

/// What a program prints. What it says on standard error is nobody's: it may be a part of the key.
fn of_command(words: &[String]) -> Result<Secret, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("it is empty".to_owned()) };
    let told = |error: io::Error| format!("cannot run `{program}`: {error}");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(told)?;
    let Some(mut output) = child.stdout.take() else { return Err(format!("`{program}` has no output")) };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody waits any more where it took too long.
        let _ = sender.send(read_some(&mut output));
    });
    let Ok(secret) = receiver.recv_timeout(COMMAND_MAX) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("`{program}` took longer than {} s", COMMAND_MAX.as_secs()));
    };
    let status = child.wait().map_err(told)?;
    if !status.success() {
        return Err(format!("`{program}` ended with {status}; run it by hand to see why"));
    }
    secret.map_err(told)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, format!("{KEY}\r\n")).unwrap();
        let read = |mode: u32| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            secret(&KeyFrom::File(path.clone()))
        };
        assert_eq!(*read(0o600).unwrap(), KEY.as_bytes());
        assert_eq!(*read(0o400).unwrap(), KEY.as_bytes());
        for mode in [0o644, 0o604, 0o620, 0o601] {
            let error = read(mode).unwrap_err();
            assert!(error.contains("others may use it") && !error.contains(KEY), "{error}");
        }
        assert!(secret(&KeyFrom::File(folder.path().to_owned())).unwrap_err().contains("is no file"));
        assert!(secret(&KeyFrom::File(folder.path().join("none"))).unwrap_err().contains("cannot read"));
    }

    #[test]
    fn a_command_prints_it_and_says_nothing_else() {
        let run =
            |words: &[&str]| secret(&KeyFrom::Command(words.iter().map(|word| (*word).to_owned()).collect()));
        assert_eq!(*run(&["printf", "%s\\n", KEY]).unwrap(), KEY.as_bytes());
        let error = run(&["sh", "-c", &format!("echo {KEY}; echo {KEY} >&2; exit 3")]).unwrap_err();
        assert!(error.contains("`sh` ended with exit status: 3") && !error.contains(KEY), "{error}");
        assert!(run(&["/no/such/program"]).unwrap_err().contains("cannot run"));
        // One that prints without end is cut off, and too long then.
        assert!(run(&["cat", "/dev/zero"]).is_err());
        let long = run(&["printf", "%05000d", "7"]);
        assert!(long.is_err() || long.unwrap().len() > SECRET_BYTES_MAX);
    }

    #[test]
    fn a_variable_has_to_be_there() {
        let error = secret(&KeyFrom::Variable("VEILGATE_NO_SUCH_KEY".into())).unwrap_err();
        assert_eq!(error, "the variable `VEILGATE_NO_SUCH_KEY` is not set");
    }
}
