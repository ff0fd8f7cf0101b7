//! Names that the client gives in SQL: what PREPARE, DECLARE, DEALLOCATE and their kin do to the session. Prepared
//! statements of the protocol are in the same place under the same names, as they are in Postgres.

use std::sync::Arc;

use gate::{Decided, Names};
use sql::Effect;

use crate::answer::Answer;
use crate::back::Status;
use crate::session::Session;
use crate::statements::Prepared;

/// A name, and whether an earlier statement of the same text leaves it with a meaning.
pub(crate) type Given = (Box<str>, bool);

impl Session {
    /// Tells the gate which queries are prepared, if the text can ask for one.
    pub(crate) fn tell_names(&mut self, text: &str) {
        if says_execute(text.as_bytes()) {
            let prepared = self.statements.named();
            let query = |(name, prepared): (&str, &Arc<Prepared>)| {
                (Arc::from(name), Arc::new(prepared.decision.as_query()))
            };
            self.sql.names.set_prepared(prepared.map(query));
        }
    }

    /// What the session itself knows to be impossible, after the statements that have `given` names meanings.
    pub(crate) fn impossible(&self, effect: &Effect, given: &mut Vec<Given>) -> Option<Answer> {
        let known = |name: &str, given: &[Given]| match given.iter().rev().find(|(other, _)| **other == *name)
        {
            Some((_, known)) => *known,
            None => self.statements.get(name).is_some(),
        };
        match effect {
            Effect::Deallocate(Some(name)) if !known(name, given) => Some(Answer::no_statement(name)),
            Effect::Deallocate(Some(name)) => {
                given.push((name.as_str().into(), false));
                None
            }
            Effect::Deallocate(None) => {
                given.clear();
                given.extend(self.statements.named().map(|(name, _)| (name.into(), false)));
                None
            }
            Effect::Prepare(name) if known(name, given) => {
                let message = format!("prepared statement \"{name}\" already exists");
                Some(Answer::error("42P05", message))
            }
            Effect::Prepare(name) => {
                given.push((name.as_str().into(), true));
                let full = self.statements.len() + given.len() > self.proxy.limits.statements_max;
                full.then(|| Answer::error("54000", "the session has too many prepared statements"))
            }
            Effect::DiscardAll if self.status != Status::Idle => {
                Some(Answer::error("25001", "DISCARD ALL cannot run inside a transaction block"))
            }
            Effect::DiscardAll
            | Effect::None
            | Effect::Begin
            | Effect::Commit { .. }
            | Effect::Rollback { .. }
            | Effect::Savepoint(_)
            | Effect::Release(_)
            | Effect::RollbackTo(_)
            | Effect::Set { .. }
            | Effect::Reset(_)
            | Effect::ResetAll
            | Effect::SetSearchPath(_)
            | Effect::Declare(_)
            | Effect::CloseCursor(_) => None,
        }
    }

    /// A statement has completed that does something to the session.
    pub(crate) fn apply(&mut self, decided: &Decided, tag: &str) {
        self.settings.apply(&decided.effect, tag);
        match &decided.effect {
            Effect::Deallocate(Some(name)) => {
                self.statements.remove(name);
            }
            Effect::Deallocate(None) => self.statements.clear_named(),
            Effect::Prepare(name) => self.prepared_in_sql(name, decided),
            Effect::DiscardAll => {
                self.statements.clear_named();
                self.portals.retain(|_| false);
            }
            Effect::None
            | Effect::Begin
            | Effect::Commit { .. }
            | Effect::Rollback { .. }
            | Effect::Savepoint(_)
            | Effect::Release(_)
            | Effect::RollbackTo(_)
            | Effect::Set { .. }
            | Effect::Reset(_)
            | Effect::ResetAll
            | Effect::SetSearchPath(_)
            | Effect::Declare(_)
            | Effect::CloseCursor(_) => {}
        }
        if Names::follows(&decided.effect) {
            self.sql.names.follow(decided);
        }
        self.follow_path();
    }

    /// PREPARE gives a name to what a Parse could have given it to.
    fn prepared_in_sql(&mut self, name: &str, decided: &Decided) {
        if let Some(query) = &decided.query {
            let types = query.as_query().types.into();
            let prepared = Prepared::new(Arc::clone(query), types, self.settings.reading());
            self.statements.put(name, Arc::new(prepared));
        }
    }
}

/// Whether the word is anywhere in the text. No text without it runs a query by its name.
fn says_execute(text: &[u8]) -> bool {
    // Its second letter is rarer than its first.
    memchr::memchr2_iter(b'x', b'X', text).any(|place| {
        let word = text.get(place.saturating_sub(1)..).and_then(|rest| rest.get(..7));
        word.is_some_and(|word| word.eq_ignore_ascii_case(b"execute"))
    })
}
