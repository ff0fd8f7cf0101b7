//! Prepared statements and portals: the client's by its own names, a connection's by names that the gateway makes.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gate::{Decided, Outcome, SqlDecision, SqlPermit};

use crate::back;
use crate::frame::{Frame, FrameError};
use crate::hidden;
use crate::settings::Reading;

/// What a client has given names to. The empty name is one too.
#[derive(Debug)]
pub(crate) struct Named<T> {
    /// The one without a name, which is the most used by far.
    unnamed: Option<Arc<T>>,
    named: HashMap<Box<str>, Arc<T>>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { unnamed: None, named: HashMap::new() }
    }
}

impl<T> Named<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<T>> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    /// Those with a name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Arc<T>)> {
        self.named.iter().map(|(name, thing)| (&**name, thing))
    }

    pub(crate) fn len(&self) -> usize {
        self.named.len() + usize::from(self.unnamed.is_some())
    }

    /// Gives what had the name before.
    pub(crate) fn put(&mut self, name: &str, thing: Arc<T>) -> Option<Arc<T>> {
        if name.is_empty() { self.unnamed.replace(thing) } else { self.named.insert(name.into(), thing) }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        if name.is_empty() { self.unnamed.take() } else { self.named.remove(name) }
    }

    /// DEALLOCATE ALL and DISCARD ALL leave the unnamed statement where it is.
    pub(crate) fn clear_named(&mut self) {
        self.named.clear();
    }

    pub(crate) fn retain(&mut self, mut kept: impl FnMut(&T) -> bool) {
        if self.unnamed.as_deref().is_some_and(|thing| !kept(thing)) {
            self.unnamed = None;
        }
        if !self.named.is_empty() {
            self.named.retain(|_, thing| kept(thing));
        }
    }

    /// Takes back a `put` that gave `before`, unless the name has been given anew since.
    pub(crate) fn unput(&mut self, name: &str, thing: &Arc<T>, before: Option<Arc<T>>) {
        if self.get(name).is_some_and(|now| Arc::ptr_eq(now, thing)) {
            match before {
                Some(before) => self.put(name, before),
                None => self.remove(name),
            };
        }
    }
}

/// A statement that the client has prepared.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What was decided about it; of one statement, or none where its text is empty.
    pub decision: Arc<SqlDecision>,
    /// What the store has to know to run it.
    pub key: Key,
    /// The types of its parameters as the client has declared them.
    types: Arc<[u32]>,
    /// The columns that the client has been told.
    columns: Arc<OnceLock<Columns>>,
}

impl Prepared {
    /// A statement that the store is to read by these settings, if they are known.
    pub(crate) fn new(decision: Arc<SqlDecision>, types: Arc<[u32]>, reading: Option<&Reading>) -> Self {
        let text = text_of(&decision);
        // What a FETCH describes depends on the cursor: it is shared with nobody.
        let reading = reading.filter(|_| !decision.uses_names());
        let sense = Sense::of(&text, reading);
        let key = Key::new(text, hidden::types(decision.statements.first(), &types), sense);
        Self { decision, key, types, columns: Arc::default() }
    }

    /// The same statement decided anew. Its columns are those of before where it is the same to the store.
    pub(crate) fn renewed(&self, decision: Arc<SqlDecision>) -> Self {
        let text = text_of(&decision);
        let reading = self.key.sense.reading().filter(|_| !decision.uses_names());
        let sense = self.key.sense.now(&text, reading);
        let types = hidden::types(decision.statements.first(), &self.types);
        let key = Key::new(text, types, sense);
        let columns = if key == self.key { Arc::clone(&self.columns) } else { Arc::default() };
        Self { decision, key, types: Arc::clone(&self.types), columns }
    }

    /// The same statement, for a store that reads it by these settings now.
    pub(crate) fn read_by(self: Arc<Self>, reading: Option<&Reading>) -> Arc<Self> {
        let reading = reading.filter(|_| !self.decision.uses_names());
        let sense = self.key.sense.now(&self.key.text, reading);
        if sense == self.key.sense {
            return self;
        }
        let key = Key::new(Arc::clone(&self.key.text), Arc::clone(&self.key.types), sense);
        let (decision, types) = (Arc::clone(&self.decision), Arc::clone(&self.types));
        Arc::new(Self { decision, key, types, columns: Arc::clone(&self.columns) })
    }

    pub(crate) fn decided(&self) -> Option<&Decided> {
        self.decision.statements.first()
    }

    /// The columns that the client has been told, if it has.
    pub(crate) fn columns(&self) -> Option<&Columns> {
        self.columns.get()
    }

    /// The client is told these columns.
    pub(crate) fn describe(&self, description: &Frame) -> Result<(), FrameError> {
        if self.columns.get().is_none() {
            let _ = self.columns.set(Columns::read(description)?);
        }
        Ok(())
    }
}

fn text_of(decision: &SqlDecision) -> Arc<str> {
    decision.statements.first().map_or_else(|| "".into(), |decided| Arc::clone(&decided.text))
}

/// The columns of a result, as far as a client's plan depends on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns(Vec<(Box<[u8]>, u32, i32)>);

impl Columns {
    /// Of RowDescription, or of NoData.
    pub(crate) fn read(frame: &Frame) -> Result<Self, FrameError> {
        if frame.tag() != b'T' {
            return Ok(Self(Vec::new()));
        }
        let columns = back::row_description(frame)?;
        Ok(Self(columns.iter().map(|column| (column.name.into(), column.type_oid, column.typmod)).collect()))
    }
}

/// What a statement is to the store: text, declared types, and what the text is read by.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub text: Arc<str>,
    pub types: Arc<[u32]>,
    sense: Sense,
    /// Of all of it, so that a text is hashed once and not for each time it runs.
    hash: OnceLock<u64>,
}

impl Key {
    fn new(text: Arc<str>, types: Arc<[u32]>, sense: Sense) -> Self {
        Self { text, types, sense, hash: OnceLock::new() }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // A hash is no proof: texts are compared, unless they are the same place.
        (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
            && self.types == other.types
            && self.sense == other.sense
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let whole = (&self.text, &self.types, &self.sense);
        let hash = || BuildHasherDefault::<DefaultHasher>::default().hash_one(whole);
        state.write_u64(*self.hash.get_or_init(hash));
    }
}

/// What the store makes of the literals of a text. It reads them when it prepares the text, not when it runs it, so what
/// one session has had prepared is another's only where both mean the same by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sense {
    /// What these settings say.
    By(Reading),
    /// What held at that moment: it is nobody else's.
    Own(u64),
}

impl Sense {
    fn of(text: &str, reading: Option<&Reading>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        match reading {
            Some(reading) if !names_a_moment(text) => Self::By(Arc::clone(reading)),
            _ => Self::Own(NEXT.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// What it is by other settings, or for another text.
    fn now(&self, text: &str, reading: Option<&Reading>) -> Self {
        match (self, Self::of(text, reading)) {
            // It was nobody else's before.
            (Self::Own(own), Self::Own(_)) => Self::Own(*own),
            (_, now) => now,
        }
    }

    fn reading(&self) -> Option<&Reading> {
        match self {
            Self::By(reading) => Some(reading),
            Self::Own(_) => None,
        }
    }
}

/// Whether a literal of the text may name the moment at which it is read, as `'now'` does. Any text that has one of these
/// words after its first quote counts.
fn names_a_moment(text: &str) -> bool {
    let Some((_, quoted)) = text.split_once('\'') else { return false };
    let quoted = quoted.to_ascii_lowercase();
    ["now", "today", "tomorrow", "yesterday"].iter().any(|word| quoted.contains(word))
}

/// The statements that one connection has prepared, under names of the gateway's own.
#[derive(Debug)]
pub(crate) struct Cache {
    known: HashMap<Key, Entry>,
    /// What the connection's unnamed statement is.
    unnamed: Option<Unnamed>,
    /// Names that are no longer used, to be closed when something is sent.
    stale: Vec<Arc<str>>,
    entries_max: usize,
    /// Counts names and uses.
    clock: u64,
}

/// An unnamed statement. Its name is used again and again, so each has a number of its own.
#[derive(Debug, Clone)]
pub(crate) struct Unnamed {
    key: Key,
    number: u64,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    used: u64,
}

impl Cache {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self {
            known: HashMap::new(),
            unnamed: None,
            stale: Vec::new(),
            entries_max: entries_max.max(1),
            clock: 0,
        }
    }

    /// The name under which this is prepared.
    pub(crate) fn name(&mut self, key: &Key) -> Option<Arc<str>> {
        let entry = self.known.get_mut(key)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(Arc::clone(&entry.name))
    }

    /// Makes a new name for what is about to be prepared. The least used makes room.
    pub(crate) fn insert(&mut self, key: Key) -> Arc<str> {
        self.forget(&key);
        if self.known.len() >= self.entries_max {
            let oldest = self.known.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.forget(&oldest);
            }
        }
        self.clock += 1;
        let name: Arc<str> = format!("veilgate_{}", self.clock).into();
        self.known.insert(key, Entry { name: Arc::clone(&name), used: self.clock });
        name
    }

    /// It is not to be used again, and closed when something is sent.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.known.remove(key) {
            self.stale.push(entry.name);
        }
    }

    /// It was never prepared: the store has refused it, or has not looked at it.
    pub(crate) fn unprepared(&mut self, key: &Key, name: &str) {
        if self.known.get(key).is_some_and(|entry| &*entry.name == name) {
            self.known.remove(key);
        }
    }

    /// A name to be closed now.
    pub(crate) fn next_stale(&mut self) -> Option<Arc<str>> {
        self.stale.pop()
    }

    /// The store has not looked at its Close.
    pub(crate) fn unclosed(&mut self, name: Arc<str>) {
        self.stale.push(name);
    }

    pub(crate) fn is_unnamed(&self, key: &Key) -> bool {
        self.unnamed.as_ref().is_some_and(|unnamed| unnamed.key == *key)
    }

    /// The connection has no unnamed statement, or nobody knows which.
    pub(crate) fn forget_unnamed(&mut self) {
        self.unnamed = None;
    }

    /// Another unnamed statement is about to be prepared. Gives what is needed to take that back.
    pub(crate) fn put_unnamed(&mut self, key: Key) -> Replaced {
        self.clock += 1;
        let before = self.unnamed.replace(Unnamed { key, number: self.clock });
        Replaced { number: self.clock, before }
    }

    /// The store has not looked at its Parse. Nothing changes where another has been prepared since.
    pub(crate) fn unput_unnamed(&mut self, replaced: Replaced) {
        if self.unnamed.as_ref().is_some_and(|unnamed| unnamed.number == replaced.number) {
            self.unnamed = replaced.before;
        }
    }
}

/// What an unnamed statement has taken the place of.
#[derive(Debug)]
pub(crate) struct Replaced {
    number: u64,
    before: Option<Unnamed>,
}

/// A portal: a statement with its values, permitted and recorded.
#[derive(Debug)]
pub(crate) struct Portal {
    pub prepared: Arc<Prepared>,
    /// The part of the session's messages that it was made in; it ends with the transaction.
    pub segment: u64,
    run: Mutex<Run>,
}

#[derive(Debug)]
struct Run {
    permit: Option<SqlPermit>,
    rows: u64,
    /// Whether an Execute is on its way.
    running: bool,
}

impl Portal {
    pub(crate) fn new(prepared: Arc<Prepared>, permit: Option<SqlPermit>, segment: u64) -> Self {
        Self { prepared, segment, run: Mutex::new(Run { permit, rows: 0, running: false }) }
    }

    pub(crate) fn decided(&self) -> Option<&Decided> {
        self.prepared.decided()
    }

    /// An Execute has been sent.
    pub(crate) fn execute(&self) {
        self.run().running = true;
    }

    /// Whether it has come to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.run().permit.is_none()
    }

    /// Rows have been passed on.
    pub(crate) fn rows(&self, rows: u64) {
        self.run().rows += rows;
    }

    /// The store says how many rows there were: not each message of COPY is one.
    pub(crate) fn counted(&self, rows: u64) {
        self.run().rows = rows;
    }

    /// It has stopped at its limit of rows.
    pub(crate) fn suspend(&self) {
        self.run().running = false;
    }

    /// It has come to its end. Whether that is the first time.
    pub(crate) fn finish(&self, sqlstate: Option<&str>) -> bool {
        let mut run = self.run();
        run.running = false;
        let rows = run.rows;
        let Some(permit) = run.permit.take() else { return false };
        permit.finish(&Outcome { rows, sqlstate: sqlstate.map(str::to_owned) });
        true
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        // A portal that the client has left where it stood is done; what becomes of one that runs nobody will know.
        if !self.run().running {
            self.finish(None);
        }
        let mut run = self.run();
        let rows = run.rows;
        if let Some(permit) = run.permit.take() {
            permit.lose(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Cache, Key, Named, Sense};
    use crate::settings::Reading;

    fn key(text: &str) -> Key {
        Key::new(text.into(), [].into(), Sense::of(text, Some(&Reading::default())))
    }

    #[test]
    fn text_is_shared_by_those_who_read_it_alike() {
        assert_eq!(key("select now(), '1'::text"), key("select now(), '1'::text"));
        for own in ["select 'now'::timestamptz", "select E'TODAY '::date", "select 'Tomorrow'::date"] {
            assert_ne!(key(own), key(own));
        }
        let text = "select '01/02/2020'::date";
        let reading = Reading::from([("datestyle".into(), "DMY".into())]);
        let german = Key::new(text.into(), [].into(), Sense::of(text, Some(&reading)));
        assert_ne!(key(text), german);
        let unknown = || Key::new(text.into(), [].into(), Sense::of(text, None));
        assert_ne!(unknown(), unknown());
    }

    #[test]
    fn taking_back_restores_what_the_name_meant() {
        let mut named = Named::default();
        let (first, second, third) = (Arc::new(1), Arc::new(2), Arc::new(3));
        named.put("a", Arc::clone(&first));
        let before = named.put("a", Arc::clone(&second));
        named.unput("a", &second, before);
        assert_eq!(named.get("a").map(|value| **value), Some(1));

        let before = named.put("a", Arc::clone(&second));
        named.put("a", Arc::clone(&third));
        named.unput("a", &second, before);
        assert_eq!(named.get("a").map(|value| **value), Some(3));
    }

    #[test]
    fn unnamed_statement_is_taken_back_unless_there_is_another() {
        let mut cache = Cache::new(2);
        cache.put_unnamed(key("a"));
        let second = cache.put_unnamed(key("b"));
        cache.unput_unnamed(second);
        assert!(cache.is_unnamed(&key("a")));

        // The same text again, in a later segment that is not skipped.
        let second = cache.put_unnamed(key("b"));
        cache.put_unnamed(key("b"));
        cache.unput_unnamed(second);
        assert!(cache.is_unnamed(&key("b")));
    }

    #[test]
    fn least_used_statement_makes_room() {
        let mut cache = Cache::new(2);
        cache.insert(key("a"));
        cache.insert(key("b"));
        assert!(cache.name(&key("a")).is_some());
        cache.insert(key("c"));
        assert!(cache.name(&key("b")).is_none());
        assert!(cache.name(&key("a")).is_some());
        assert_eq!(cache.next_stale().as_deref(), Some("veilgate_2"));
        assert_eq!(cache.next_stale(), None);
    }

    #[test]
    fn statement_that_was_never_prepared_is_not_closed() {
        let mut cache = Cache::new(2);
        let name = cache.insert(key("a"));
        cache.unprepared(&key("a"), &name);
        assert!(cache.name(&key("a")).is_none());
        assert_eq!(cache.next_stale(), None);
    }
}
