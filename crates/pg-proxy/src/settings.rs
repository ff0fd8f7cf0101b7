//! The settings of a session, as the gateway tracks them: with a transaction's meaning, and as the statements that give a
//! pooled connection the same.
//!
//! Inside a transaction the store itself follows every SET, savepoint and rollback. What is tracked here is what holds
//! *between* transactions, when another connection may be the next, and `search_path`, which the store never sees.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sql::Effect;

/// The settings by which the store reads the literals of a text when it prepares it, and writes those that it computes.
const READ_BY: [&str; 7] = [
    "bytea_output",
    "datestyle",
    "extra_float_digits",
    "intervalstyle",
    "timezone",
    "xmlbinary",
    "xmloption",
];

/// Those of them that have a value of the session's, with it.
pub(crate) type Reading = Arc<[(Arc<str>, Arc<str>)]>;

/// Whether the store reads literals by this setting.
pub(crate) fn is_read_by(name: &str) -> bool {
    READ_BY.contains(&name)
}

/// The values at one moment, shared by a session and the connections that have them applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Values {
    /// Settings with a value other than the store's default, by lower-case name.
    set: BTreeMap<Arc<str>, Arc<str>>,
    /// Of those, what literals are read by.
    reading: Reading,
    /// The schemas of the path, in order.
    path: Vec<Arc<str>>,
}

impl Values {
    fn new(set: BTreeMap<Arc<str>, Arc<str>>, path: Vec<Arc<str>>) -> Self {
        let mut values = Self { set, reading: Reading::default(), path };
        values.read_anew();
        values
    }

    fn read_anew(&mut self) {
        let read_by = self.set.iter().filter(|(name, _)| is_read_by(name));
        self.reading = read_by.map(|(name, value)| (Arc::clone(name), Arc::clone(value))).collect();
    }

    /// The statements, joined by `;`, that turn a connection with the values `applied` into one with these. Nothing
    /// where there is nothing to do.
    pub(crate) fn statements_from(&self, applied: Option<&Self>) -> Option<String> {
        let mut sql = String::new();
        let none = BTreeMap::new();
        let before = match applied {
            Some(applied) => &applied.set,
            // Nobody knows what the connection has: it goes back to what it began with.
            None => {
                sql.push_str("RESET ALL");
                &none
            }
        };
        for name in before.keys().filter(|name| !self.set.contains_key(*name)) {
            separate(&mut sql);
            sql.push_str("RESET ");
            write_name(&mut sql, name);
        }
        for (name, value) in self.set.iter().filter(|(name, value)| before.get(*name) != Some(value)) {
            separate(&mut sql);
            sql.push_str("SET ");
            write_name(&mut sql, name);
            // Whether a backslash escapes depends on no setting here: `standard_conforming_strings` is pinned.
            let _ = write!(sql, " TO '{}'", value.replace('\'', "''"));
        }
        (!sql.is_empty()).then_some(sql)
    }
}

fn separate(sql: &mut String) {
    if !sql.is_empty() {
        sql.push(';');
    }
}

/// `name` or `name.name`, each part quoted.
fn write_name(sql: &mut String, name: &str) {
    for (place, part) in name.split('.').enumerate() {
        let _ = write!(sql, "{}\"{}\"", if place > 0 { "." } else { "" }, part.replace('"', "\"\""));
    }
}

/// The settings of one session.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What the session began with; RESET goes back to it.
    start: Arc<Values>,
    /// What holds now.
    now: Arc<Values>,
    /// What a rollback goes back to.
    committed: Arc<Values>,
    savepoints: Vec<(String, Arc<Values>)>,
    /// Whether the open transaction, implicit or not, has failed.
    failed: bool,
    /// Whether the store's connection no longer has what is tracked here.
    apart: bool,
    /// Whether the open transaction may read literals by values of its own.
    local: bool,
}

impl Settings {
    /// A session that begins with these values, by lower-case name, and this path.
    pub(crate) fn new(set: BTreeMap<Arc<str>, Arc<str>>, path: Vec<Arc<str>>) -> Self {
        let start = Arc::new(Values::new(set, path));
        Self {
            now: Arc::clone(&start),
            committed: Arc::clone(&start),
            start,
            savepoints: Vec::new(),
            failed: false,
            apart: false,
            local: false,
        }
    }

    /// What a connection must have before the session's next transaction.
    pub(crate) fn now(&self) -> &Arc<Values> {
        &self.now
    }

    /// The path of the session.
    pub(crate) fn path(&self) -> &[Arc<str>] {
        &self.now.path
    }

    /// What the store reads literals by, if that is known.
    pub(crate) fn reading(&self) -> Option<&Reading> {
        (!self.local && !self.apart).then_some(&self.now.reading)
    }

    /// Whether the open transaction has changed what texts mean: it is not known yet what stays.
    pub(crate) fn meaning_is_open(&self) -> bool {
        !Arc::ptr_eq(&self.now, &self.committed)
            && (self.now.path != self.committed.path || self.now.reading != self.committed.reading)
    }

    /// A statement with this effect has completed with this tag.
    pub(crate) fn apply(&mut self, effect: &Effect, tag: &str) {
        match effect {
            Effect::None
            | Effect::Begin
            | Effect::Deallocate(_)
            | Effect::Prepare(_)
            | Effect::Declare(_)
            | Effect::CloseCursor(_) => {}
            // COMMIT of a failed transaction is a rollback, and its tag says so.
            Effect::Commit { .. } if tag == "ROLLBACK" => self.rollback(),
            Effect::Commit { .. } => self.commit(),
            Effect::Rollback { .. } => self.rollback(),
            Effect::Savepoint(name) => self.savepoints.push((name.clone(), Arc::clone(&self.now))),
            Effect::Release(name) => {
                if let Some(place) = self.savepoint(name) {
                    self.savepoints.truncate(place);
                }
            }
            Effect::RollbackTo(name) => {
                if let Some(place) = self.savepoint(name) {
                    self.savepoints.truncate(place + 1);
                    if let Some((_, values)) = self.savepoints.last() {
                        self.now = Arc::clone(values);
                    }
                }
                self.failed = false;
            }
            // The store itself forgets it with the transaction.
            Effect::Set { name, local: true, .. } => self.local |= is_read_by(name),
            Effect::Set { name, value, local: false } => {
                let now = Arc::make_mut(&mut self.now);
                now.set.insert(name.as_str().into(), value.as_str().into());
                now.read_anew();
            }
            Effect::Reset(name) => self.reset(name),
            Effect::ResetAll | Effect::DiscardAll => {
                self.now = Arc::clone(&self.start);
                self.apart = true;
            }
            Effect::SetSearchPath(_) => {
                if let Some(path) = effect.path(&self.start.path) {
                    Arc::make_mut(&mut self.now).path = path.to_vec();
                }
            }
        }
    }

    /// A statement has failed.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// No transaction is open any more. Gives the values that the connection now has, if that is known.
    pub(crate) fn end_transaction(&mut self) -> Option<Arc<Values>> {
        if self.failed {
            self.rollback()
        } else {
            self.commit()
        }
        self.local = false;
        let apart = std::mem::take(&mut self.apart);
        (!apart).then(|| Arc::clone(&self.now))
    }

    fn commit(&mut self) {
        self.committed = Arc::clone(&self.now);
        self.savepoints.clear();
    }

    fn rollback(&mut self) {
        self.now = Arc::clone(&self.committed);
        self.savepoints.clear();
        self.failed = false;
    }

    fn reset(&mut self, name: &str) {
        let value = self.start.set.get(name).cloned();
        // The store goes back to its own default, which is not what this session began with.
        self.apart |= value.is_some();
        let now = Arc::make_mut(&mut self.now);
        match value {
            Some(value) => now.set.insert(name.into(), value),
            None => now.set.remove(name),
        };
        now.read_anew();
    }

    /// The newest savepoint of this name.
    fn savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|(other, _)| other == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sql::Effect;

    use super::{Settings, Values};

    fn set(name: &str, value: &str) -> Effect {
        Effect::Set { name: name.into(), value: value.into(), local: false }
    }

    fn path(schema: &str) -> Effect {
        Effect::SetSearchPath(Some(vec![schema.into()]))
    }

    fn session() -> Settings {
        Settings::new(BTreeMap::from([("datestyle".into(), "ISO".into())]), vec!["public".into()])
    }

    fn schema(settings: &Settings) -> &str {
        settings.path().first().unwrap()
    }

    #[test]
    fn rollback_restores_what_was_committed() {
        let mut settings = session();
        settings.apply(&path("a"), "SET");
        settings.end_transaction();
        settings.apply(&Effect::Begin, "BEGIN");
        settings.apply(&path("b"), "SET");
        assert_eq!(schema(&settings), "b");
        settings.apply(&Effect::Rollback { chain: false }, "ROLLBACK");
        assert_eq!(schema(&settings), "a");
    }

    #[test]
    fn failed_implicit_transaction_restores_too() {
        let mut settings = session();
        settings.apply(&path("a"), "SET");
        settings.fail();
        settings.end_transaction();
        assert_eq!(schema(&settings), "public");
    }

    #[test]
    fn commit_of_a_failed_transaction_is_a_rollback() {
        let mut settings = session();
        settings.apply(&path("a"), "SET");
        settings.fail();
        settings.apply(&Effect::Commit { chain: false }, "ROLLBACK");
        settings.end_transaction();
        assert_eq!(schema(&settings), "public");
    }

    #[test]
    fn savepoints_keep_what_held_when_they_were_set() {
        let mut settings = session();
        settings.apply(&Effect::Begin, "BEGIN");
        settings.apply(&path("a"), "SET");
        settings.apply(&Effect::Savepoint("s".into()), "SAVEPOINT");
        settings.apply(&path("b"), "SET");
        settings.fail();
        settings.apply(&Effect::RollbackTo("s".into()), "ROLLBACK");
        assert_eq!(schema(&settings), "a");
        settings.apply(&path("c"), "SET");
        settings.apply(&Effect::RollbackTo("s".into()), "ROLLBACK");
        assert_eq!(schema(&settings), "a");
        settings.apply(&Effect::Commit { chain: false }, "COMMIT");
        settings.end_transaction();
        assert_eq!(schema(&settings), "a");
    }

    #[test]
    fn statements_bring_a_connection_from_one_to_the_other() {
        let mut settings = session();
        let fresh = Values::default();
        assert_eq!(
            settings.now().statements_from(Some(&fresh)).as_deref(),
            Some("SET \"datestyle\" TO 'ISO'")
        );
        settings.apply(&set("timezone", "it's"), "SET");
        let applied = settings.end_transaction();
        assert_eq!(settings.now().statements_from(applied.as_deref()), None);
        assert_eq!(
            fresh.statements_from(applied.as_deref()).as_deref(),
            Some("RESET \"datestyle\";RESET \"timezone\"")
        );
        assert_eq!(
            settings.now().statements_from(None).as_deref(),
            Some("RESET ALL;SET \"datestyle\" TO 'ISO';SET \"timezone\" TO 'it''s'")
        );
    }

    #[test]
    fn literals_are_read_by_what_holds() {
        let mut settings = session();
        let began = settings.reading().cloned();
        settings.apply(&set("application_name", "x"), "SET");
        assert_eq!(settings.reading().cloned(), began);
        assert!(!settings.meaning_is_open());
        settings.apply(&set("timezone", "UTC"), "SET");
        assert_ne!(settings.reading().cloned(), began);
        assert!(settings.meaning_is_open());
        settings.fail();
        settings.end_transaction();
        assert_eq!(settings.reading().cloned(), began);
        // What holds for a transaction only is not tracked, and so nobody knows.
        let local = Effect::Set { name: "timezone".into(), value: "UTC".into(), local: true };
        settings.apply(&local, "SET");
        assert_eq!(settings.reading(), None);
        settings.end_transaction();
        assert_eq!(settings.reading().cloned(), began);
    }

    #[test]
    fn discard_leaves_the_connection_unknown() {
        let mut settings = session();
        settings.apply(&set("timezone", "UTC"), "SET");
        assert!(settings.end_transaction().is_some());
        settings.apply(&Effect::DiscardAll, "DISCARD ALL");
        assert!(settings.end_transaction().is_none());
        assert!(settings.now().statements_from(None).is_some());
    }
}
