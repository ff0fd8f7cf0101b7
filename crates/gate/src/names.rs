//! Names that a session has given: to queries that it has prepared, and to the cursors of its transaction.
//!
//! The same code follows what a session has done, and what the statements of one text would do before any is sent.

use std::collections::HashMap;
use std::sync::Arc;

use sql::{Effect, Query};

use crate::sql::Decided;

/// The names that a statement can use.
#[derive(Debug, Clone, Default)]
pub struct Names {
    prepared: HashMap<Arc<str>, Arc<Query>>,
    cursors: HashMap<Arc<str>, Open>,
    savepoints: Vec<Arc<str>>,
}

/// A cursor that is open.
#[derive(Debug, Clone)]
struct Open {
    cursor: Arc<Cursor>,
    /// How many savepoints there were when it was opened: it goes when one of those is rolled back to.
    depth: usize,
}

/// What a cursor was declared as.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The client's text of its DECLARE.
    pub(crate) asked: Arc<str>,
    /// The types that were declared for its parameters.
    pub(crate) parameters: Vec<u32>,
    /// The path that it was read with.
    pub(crate) path: Vec<Arc<str>>,
    /// What was sent.
    pub(crate) text: Arc<str>,
    /// The generation that it was decided in.
    pub(crate) generation: u64,
    /// The rules that were applied: they hold for its rows.
    pub(crate) rules: Vec<Arc<str>>,
}

impl Names {
    /// Sets which queries are prepared. The proxy, which has them, says so before a text that names one is decided.
    pub fn set_prepared(&mut self, prepared: impl Iterator<Item = (Arc<str>, Arc<Query>)>) {
        self.prepared = prepared.collect();
    }

    /// Whether a cursor of this name is open.
    #[must_use]
    pub fn has_cursor(&self, name: &str) -> bool {
        self.cursors.contains_key(name)
    }

    pub(crate) fn cursor(&self, name: &str) -> Option<&Arc<Cursor>> {
        self.cursors.get(name).map(|open| &open.cursor)
    }

    pub(crate) fn prepared(&self, name: &str) -> Option<&Arc<Query>> {
        self.prepared.get(name)
    }

    /// Whether this changes any name.
    #[must_use]
    pub fn follows(effect: &Effect) -> bool {
        match effect {
            Effect::Commit { .. }
            | Effect::Rollback { .. }
            | Effect::Savepoint(_)
            | Effect::Release(_)
            | Effect::RollbackTo(_)
            | Effect::Prepare(_)
            | Effect::Deallocate(_)
            | Effect::Declare(_)
            | Effect::CloseCursor(_)
            | Effect::DiscardAll => true,
            Effect::None
            | Effect::Begin
            | Effect::Set { .. }
            | Effect::Reset(_)
            | Effect::ResetAll
            | Effect::SetSearchPath(_) => false,
        }
    }

    /// A statement has completed, or would have.
    pub fn follow(&mut self, decided: &Decided) {
        match &decided.effect {
            Effect::Commit { .. } | Effect::Rollback { .. } => self.end_transaction(),
            Effect::Savepoint(name) => self.savepoints.push(name.as_str().into()),
            Effect::Release(name) => {
                if let Some(place) = self.savepoint(name) {
                    self.savepoints.truncate(place);
                    self.cursors.values_mut().for_each(|open| open.depth = open.depth.min(place));
                }
            }
            Effect::RollbackTo(name) => {
                if let Some(place) = self.savepoint(name) {
                    self.savepoints.truncate(place + 1);
                    self.cursors.retain(|_, open| open.depth <= place);
                }
            }
            Effect::Prepare(name) => {
                if let Some(query) = decided.prepares() {
                    self.prepared.insert(name.as_str().into(), query);
                }
            }
            Effect::Deallocate(Some(name)) => {
                self.prepared.remove(name.as_str());
            }
            Effect::Deallocate(None) => self.prepared.clear(),
            Effect::Declare(name) => {
                if let Some(cursor) = &decided.cursor {
                    let open = Open { cursor: Arc::clone(cursor), depth: self.savepoints.len() };
                    self.cursors.insert(name.as_str().into(), open);
                }
            }
            Effect::CloseCursor(Some(name)) => self.close(name),
            Effect::CloseCursor(None) => self.cursors.clear(),
            Effect::DiscardAll => {
                self.prepared.clear();
                self.cursors.clear();
            }
            Effect::None
            | Effect::Begin
            | Effect::Set { .. }
            | Effect::Reset(_)
            | Effect::ResetAll
            | Effect::SetSearchPath(_) => {}
        }
    }

    /// The transaction is over: its cursors are closed.
    pub fn end_transaction(&mut self) {
        self.savepoints.clear();
        self.cursors.clear();
    }

    /// One cursor is closed.
    pub fn close(&mut self, cursor: &str) {
        self.cursors.remove(cursor);
    }

    /// The newest savepoint of this name.
    fn savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|other| **other == *name)
    }
}
