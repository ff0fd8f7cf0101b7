//! The data folder of a throw-away server: made once by `initdb`, then copied.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::installation::{self, Installation, User};
use crate::workspace;

/// What every server has beside its superuser `postgres`: the login of a gateway, which may read all and change nothing.
/// A setup that differs needs another name in [`template`].
const SETUP: &str = "create role gateway login password 'gateway' in role pg_read_all_data;\n";

/// Copies a fresh data folder to `data`, which does not exist yet.
pub(crate) fn create(installation: &Installation, data: &Path) {
    let template = template(installation);
    copy(&template, data, installation.user)
        .unwrap_or_else(|error| panic!("cannot copy {} to {}: {error}", template.display(), data.display()));
}

/// Gives a file or folder to the user that the server runs as.
pub(crate) fn hand_over(path: &Path, user: Option<User>) -> std::io::Result<()> {
    match user {
        Some(user) => chown(path, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

/// The folder that is copied. Tests run in processes of their own, so that the first one makes it while others wait.
fn template(installation: &Installation) -> PathBuf {
    let cache = workspace::cache();
    fs::create_dir_all(&cache).expect("the folder for caches can be made");
    // Each user has one of its own: what root made, nobody else may read.
    let name = format!("postgres-{}-of-{}-1", installation.version, installation::uid());
    let template = cache.join(&name);
    let lock = File::create(cache.join(name + ".lock")).expect("the template's lock can be made");
    lock.lock().expect("the template's lock can be taken");
    if !template.is_dir() {
        make(installation, &template);
    }
    template
}

/// Runs `initdb` where its user may write, and keeps what it made.
fn make(installation: &Installation, template: &Path) {
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    hand_over(scratch.path(), installation.user).expect("a temporary folder can be given away");
    let data = scratch.path().join("data");

    let mut initdb = installation.command("initdb");
    initdb.arg("--pgdata").arg(&data);
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
    initdb.args(["--no-sync", "--no-instructions", "--wal-segsize=1"]);
    let output = initdb.output().expect("initdb can be started");
    assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));

    set_up(installation, &data);

    let unfinished = template.with_file_name("postgres-unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    copy(&data, &unfinished, None).expect("the template can be copied");
    fs::rename(&unfinished, template).expect("the template can be put in its place");
}

/// Runs [`SETUP`] in single-user mode, where no server has to be awaited.
fn set_up(installation: &Installation, data: &Path) {
    let mut single = installation.command("postgres");
    single.args(["--single", "-F", "-c", "log_checkpoints=off", "-D"]).arg(data).arg("postgres");
    single.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = single.spawn().expect("postgres can be started");
    let mut input = child.stdin.take().expect("its standard input is a pipe");
    input.write_all(SETUP.as_bytes()).expect("postgres reads its input");
    drop(input);
    let output = child.wait_with_output().expect("postgres ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("ERROR"), "the set-up failed: {said}");
}

fn copy(from: &Path, to: &Path, user: Option<User>) -> std::io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, user)?;
        } else {
            fs::copy(entry.path(), &target)?;
            hand_over(&target, user)?;
        }
    }
    hand_over(to, user)
}
