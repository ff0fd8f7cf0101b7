//! A program that ends with the test that started it, whatever becomes of the test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The shell that watches: it outlives this process. When the pipe to it closes, by [`Drop`] or because this process
/// died, it sends the program its signal and removes the folder.
const WATCH: &str = r#"
    signal=$1; folder=$2; shift 2
    trap '' INT TERM
    exec 3<&0
    "$@" </dev/null 3<&- &
    program=$!
    echo $program >"$folder/pid"
    (while read -r _ <&3; do :; done; : >"$folder/stopped"; kill -$signal $program 2>/dev/null) &
    wait $program; status=$?
    test ! -e "$folder/stopped" || rm -rf "$folder"
    exit $status
"#;

/// A running program in a folder of its own. Dropping it stops the program and removes the folder.
#[derive(Debug)]
pub struct Watched {
    shell: Child,
    folder: PathBuf,
}

impl Watched {
    /// Starts `program`, the last words of a command line. `prepare` sees the command of the shell before it starts: for
    /// its user and its environment, which the program inherits. What the program prints goes to `folder/log`.
    pub fn start(
        folder: &Path,
        signal: &str,
        program: impl IntoIterator<Item = impl AsRef<OsStr>>,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let log = File::create(folder.join("log")).expect("the program's log can be made");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WATCH, "watchdog", signal]).arg(folder).args(program);
        command.stdin(Stdio::piped());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        prepare(&mut command);
        let shell = command.spawn().expect("a shell can be started");
        Self { shell, folder: folder.to_owned() }
    }

    /// How the program ended, where it did so by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().expect("a child can be waited for")
    }

    /// Sends a signal to the program: `HUP`.
    pub fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.folder.join("pid")).expect("the program has started");
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{signal} {pid}")]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the program cannot be signalled");
    }

    /// What the program has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
