//! Which PostgreSQL is installed here, and as whom it may run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The binaries of one PostgreSQL, and the user that runs them.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// The folder of `initdb` and `postgres`.
    pub(crate) bin: PathBuf,
    /// Its major version and more: `15.18`.
    pub(crate) version: String,
    /// Whom to become: PostgreSQL refuses to run as root. `None` where we are not root.
    pub(crate) user: Option<User>,
}

/// A user of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    /// Its number.
    pub(crate) uid: u32,
    /// Its group's number.
    pub(crate) gid: u32,
}

impl Installation {
    /// The one in `VEILGATE_TEST_POSTGRES_BIN`, else the newest of Debian's, else the one on the path.
    pub(crate) fn find() -> Self {
        let bin = named().or_else(newest_of_debian).or_else(on_path).unwrap_or_else(|| {
            panic!(
                "no PostgreSQL found: `apt-get install postgresql`, or name the folder of initdb and postgres in \
                 VEILGATE_TEST_POSTGRES_BIN"
            )
        });
        let version = version(&bin);
        let user = (uid() == 0).then(unprivileged);
        Self { bin, version, user }
    }

    /// A client program. A server from npm comes without any; those of another version speak to it as well.
    pub(crate) fn client(&self, program: &str) -> PathBuf {
        let own = self.bin.join(program);
        if own.is_file() {
            return own;
        }
        newest_of_debian().map_or_else(|| PathBuf::from(program), |bin| bin.join(program))
    }

    /// A command of this installation, run as its user.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        self.run_as_user(&mut command);
        command
    }

    /// Makes a command run as this installation's user.
    pub(crate) fn run_as_user(&self, command: &mut Command) {
        if let Some(user) = self.user {
            command.gid(user.gid).uid(user.uid);
        }
        // A folder that every user may stand in, and messages that do not depend on the developer's language.
        command.current_dir("/").env("LC_ALL", "C").env("TZ", "UTC");
    }
}

fn named() -> Option<PathBuf> {
    std::env::var_os("VEILGATE_TEST_POSTGRES_BIN").map(PathBuf::from)
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| has_server(bin))
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin)
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| has_server(folder))
}

fn has_server(bin: &Path) -> bool {
    bin.join("initdb").is_file() && bin.join("postgres").is_file()
}

/// The version of the server that tests run, as `server_version_num` has it but for what stands behind the major one.
pub(crate) fn server_version() -> u32 {
    let version = version(&Installation::find().bin);
    let major: u32 =
        version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().unwrap_or(0);
    major * 10_000
}

/// The number in `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version(bin: &Path) -> String {
    let output = Command::new(bin.join("postgres")).arg("--version").output();
    let output = output.unwrap_or_else(|error| panic!("{}/postgres: {error}", bin.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().nth(2).unwrap_or("unknown").to_owned()
}

/// The number of the user that this process runs as.
pub(crate) fn uid() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid())
}

fn unprivileged() -> User {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| user_named(&users, name))
        .expect("this machine has neither a user `postgres` nor `nobody` to run PostgreSQL as")
}

/// A line of `/etc/passwd` reads `name:password:uid:gid:…`.
fn user_named(users: &str, name: &str) -> Option<User> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2);
    Some(User { uid: numbers.next()?.parse().ok()?, gid: numbers.next()?.parse().ok()? })
}
