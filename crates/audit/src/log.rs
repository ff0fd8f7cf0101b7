//! The log file: one write a record, synced in the background, closed to requests while it cannot be written.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::line::Line;
use crate::{Error, Event};

/// The longest time between a write and the call that brings it to the disk.
const SYNC_AFTER: Duration = Duration::from_millis(8);

/// The capacity that the buffer keeps between records; longer records give theirs back.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

/// When a record counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the operating system has it; it is on the disk at most 10 ms later. A killed process loses nothing.
    Os,
}

/// The number of a record, unique in the log: it starts from the clock and counts up by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

/// The log. Clones write to the same file; it is synced and closed with the last of them.
#[derive(Clone)]
pub struct Log {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
    memory: Option<Arc<Mutex<Vec<u8>>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    sink: Arc<dyn Sink>,
    buffer: Vec<u8>,
    next: u64,
    health: Health,
    unsynced: bool,
    closed: bool,
}

/// Whether the log takes records.
enum Health {
    Sound,
    /// The last write failed. A probe is written before the next record; it ends a line that was cut.
    Failing {
        /// Whether a part of a line was written.
        cut: bool,
        /// Records that were refused since.
        refused: u64,
    },
    /// Records that had been written may be lost, and the system will not say so twice.
    Unsynced(String),
}

/// Where lines go: a file, a buffer in memory.
trait Sink: Send + Sync {
    /// One write of the system: how many bytes it took.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn sync(&self) -> io::Result<()>;
    /// Lets another process write here.
    fn release(&self) {}
    /// Takes that back.
    fn hold(&self) {}
}

impl Log {
    /// Opens the file for appending, alone, and ends a line that an earlier crash has cut.
    pub fn open(path: impl Into<PathBuf>, durability: Durability) -> Result<Self, Error> {
        let Durability::Os = durability;
        let path = path.into();
        let sink = open_file(&path)?;
        Ok(Self::new(sink, Some(path), None))
    }

    /// A log in memory, for tests and for commands that serve nobody.
    #[must_use]
    pub fn memory() -> Self {
        let memory = Arc::new(Mutex::new(Vec::new()));
        Self::new(Arc::new(Memory(Arc::clone(&memory))), None, Some(memory))
    }

    fn new(sink: Arc<dyn Sink>, path: Option<PathBuf>, memory: Option<Arc<Mutex<Vec<u8>>>>) -> Self {
        let state = State {
            sink,
            buffer: Vec::new(),
            next: u64::try_from(now_us()).unwrap_or(0),
            health: Health::Sound,
            unsynced: false,
            closed: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let synced = Arc::clone(&shared);
        // Without its thread a log would claim a durability that it has not: it then refuses from the start.
        let thread = thread::Builder::new().name("audit-sync".into());
        if let Err(error) = thread.spawn(move || sync_in_background(&synced)) {
            shared.lock().health = Health::Unsynced(error.to_string());
        }
        Self { handle: Arc::new(Handle { shared, path, memory }) }
    }

    /// Writes one record and gives its number. Nothing may be sent before this has returned `Ok`.
    pub fn write(&self, event: &Event<'_>) -> Result<RecordId, Error> {
        self.write_all(std::slice::from_ref(event))
    }

    /// Writes these records at once and gives the number of the first; the others count up from it.
    pub fn write_all(&self, events: &[Event<'_>]) -> Result<RecordId, Error> {
        let shared = &self.handle.shared;
        let mut state = shared.lock();
        state.recover()?;
        let first = RecordId(state.next);
        state.next += events.len() as u64;
        let mut buffer = std::mem::take(&mut state.buffer);
        buffer.clear();
        buffer.shrink_to(BUFFER_BYTES_KEPT);
        let at_us = now_us();
        for (id, event) in (first.0..).zip(events) {
            event.write(RecordId(id), at_us, &mut buffer);
        }
        let written = state.append(&buffer);
        state.buffer = buffer;
        written?;
        if !state.unsynced {
            state.unsynced = true;
            shared.changed.notify_one();
        }
        Ok(first)
    }

    /// Brings everything written so far to the disk, now.
    pub fn sync(&self) -> Result<(), Error> {
        let sink = Arc::clone(&self.handle.shared.lock().sink);
        self.handle.shared.synced(sink.sync())
    }

    /// Opens the file of the same path anew: after it was moved aside, or after a disk was repaired. Where that fails,
    /// all stays as it was.
    pub fn reopen(&self) -> Result<(), Error> {
        let Some(path) = &self.handle.path else { return Ok(()) };
        let mut state = self.handle.shared.lock();
        if matches!(state.health, Health::Sound) && state.sink.sync().is_err() {
            tracing::error!(path = %path.display(), "the last records of the old audit log may not be on disk");
        }
        // The file's lock is given up first, for the path may still name the same file; no record is written meanwhile.
        state.sink.release();
        match open_file(path) {
            Ok(sink) => {
                state.sink = sink;
                state.health = Health::Sound;
                Ok(())
            }
            Err(error) => {
                state.sink.hold();
                Err(error)
            }
        }
    }

    /// Whether the next record is likely to be taken.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        matches!(self.handle.shared.lock().health, Health::Sound)
    }

    /// What a log in memory holds; empty for a file.
    #[must_use]
    pub fn contents(&self) -> String {
        let Some(memory) = &self.handle.memory else { return String::new() };
        String::from_utf8_lossy(&memory.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let sink = std::mem::replace(&mut state.sink, Arc::new(Closed));
        drop(state);
        self.shared.changed.notify_one();
        let _ = self.shared.synced(sink.sync());
        sink.release();
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("path", &self.handle.path).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock left at worst a cut line, which readers skip.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what a sync has answered.
    fn synced(&self, answer: io::Result<()>) -> Result<(), Error> {
        let Err(error) = answer else { return Ok(()) };
        tracing::error!(%error, "the audit log cannot be synced to disk: every request is refused from here on");
        self.lock().health = Health::Unsynced(error.to_string());
        Err(Error::Sync(error.to_string()))
    }
}

impl State {
    /// Lets a sound log pass, and tries to make a failing one sound by a probe.
    fn recover(&mut self) -> Result<(), Error> {
        let (cut, refused) = match &self.health {
            Health::Sound => return Ok(()),
            Health::Unsynced(why) => return Err(Error::Sync(why.clone())),
            Health::Failing { cut, refused } => (*cut, *refused),
        };
        let mut probe = Vec::new();
        if cut {
            probe.push(b'\n');
        }
        let mut line = Line::begin(&mut probe, now_us(), "log_recovered");
        line.number("refused", refused);
        line.end();
        self.append(&probe)?;
        self.health = Health::Sound;
        tracing::warn!(refused, "the audit log can be written again");
        Ok(())
    }

    /// One write. What it did not take whole, it has not taken.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (error, cut_now) = match self.sink.write(bytes) {
            Ok(taken) if taken == bytes.len() => return Ok(()),
            Ok(taken) => (io::Error::new(io::ErrorKind::WriteZero, "only a part was written"), taken > 0),
            Err(error) => (error, false),
        };
        let (cut, refused) = match self.health {
            Health::Failing { cut, refused } => (cut, refused),
            Health::Sound | Health::Unsynced(_) => {
                tracing::error!(%error, "the audit log cannot be written: requests are refused until it can");
                (false, 0)
            }
        };
        self.health = Health::Failing { cut: cut || cut_now, refused: refused + 1 };
        Err(Error::Write(error))
    }
}

/// Syncs soon after each first write, until the log is closed.
fn sync_in_background(shared: &Shared) {
    loop {
        let state = shared.lock();
        let mut state = shared
            .changed
            .wait_while(state, |state| !state.unsynced && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return;
        }
        state.unsynced = false;
        let sink = Arc::clone(&state.sink);
        drop(state);
        // What went wrong is kept in the log's health, where the next request meets it.
        let _ = shared.synced(sink.sync());
        drop(sink);
        thread::sleep(SYNC_AFTER);
    }
}

fn open_file(path: &Path) -> Result<Arc<dyn Sink>, Error> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    let is_file = file.metadata().map_err(failed)?.is_file();
    if is_file {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Held { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        end_last_line(&mut file, path).map_err(failed)?;
    }
    Ok(Arc::new(Appended { file, is_file }))
}

/// Ends a line that a crash has cut, so that the next record begins on its own.
fn end_last_line(file: &mut File, path: &Path) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == [b'\n'] {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "the last line of the audit log was cut by an earlier crash; it is kept as it is");
    file.write_all(b"\n")
}

/// A file opened for appending.
struct Appended {
    file: File,
    /// Devices and pipes have nothing to sync.
    is_file: bool,
}

impl Sink for Appended {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.file).write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        if self.is_file { self.file.sync_data() } else { Ok(()) }
    }

    fn release(&self) {
        // An error leaves the lock to whoever closes the handle last.
        let _ = self.file.unlock();
    }

    fn hold(&self) {
        if let Err(error) = self.file.try_lock() {
            tracing::warn!(%error, "the audit log is not locked against other processes any more");
        }
    }
}

/// A buffer.
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Sink for Memory {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What stands in while a file is opened anew.
struct Closed;

impl Sink for Closed {
    fn write(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
