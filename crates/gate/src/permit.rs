//! A permit: proof that a statement was decided and recorded. A backend takes nothing else.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use access::{Refusal, RefusalKind};
use audit::{Event, Phase, RecordId};

use crate::session::SqlSession;
use crate::sql::{Decided, SqlDecision};
use crate::{Gate, unrecorded};

/// The only ticket that a backend takes. It has one maker, [`Gate::permit`].
///
/// Dropped without [`SqlPermit::finish`], it is recorded with the outcome `unknown`.
#[derive(Debug)]
#[must_use = "a permit that is dropped is recorded as unfinished"]
pub struct SqlPermit {
    decision: Arc<SqlDecision>,
    statement: usize,
    id: RecordId,
    since: Instant,
    log: audit::Log,
    finished: bool,
}

/// How a permitted statement ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The rows that were sent to the client.
    pub rows: u64,
    /// The SQLSTATE that ended it, where one did.
    pub sqlstate: Option<String>,
}

impl Outcome {
    /// Completed, with so many rows.
    #[must_use]
    pub fn done(rows: u64) -> Self {
        Self { rows, sqlstate: None }
    }

    /// Ended by this SQLSTATE.
    #[must_use]
    pub fn failed(sqlstate: impl Into<String>) -> Self {
        Self { rows: 0, sqlstate: Some(sqlstate.into()) }
    }
}

impl Gate {
    /// Permits one statement of a decision and records it. A decision that no longer holds is made anew first, and may
    /// then be a refusal: the permit says which text holds now.
    pub fn permit(
        &self,
        session: &SqlSession,
        decision: &Arc<SqlDecision>,
        statement: usize,
        phase: Phase,
    ) -> Result<SqlPermit, Refusal> {
        let decision = self.up_to_date(session, decision)?;
        self.without_values(session, &decision, phase)?;
        self.record(session, &decision, statement..statement + 1, phase)?.pop().ok_or_else(no_such_statement)
    }

    /// The same for a prepared statement that is run with these values: `value` gives the bytes of a parameter, counted
    /// from 1, and none for NULL.
    pub fn permit_bound<'v>(
        &self,
        session: &SqlSession,
        decision: &Arc<SqlDecision>,
        value: impl Fn(u16) -> Option<&'v [u8]>,
    ) -> Result<SqlPermit, Refusal> {
        let decision = self.up_to_date(session, decision)?;
        let patterns = decision.statements.first().map_or(&[][..], |decided| &decided.patterns);
        for parameter in patterns {
            if value(*parameter).is_some_and(|pattern| !sql::is_pattern(pattern)) {
                return Err(self.no_pattern(session, &decision, *parameter));
            }
        }
        self.record(session, &decision, 0..1, Phase::Execute)?.pop().ok_or_else(no_such_statement)
    }

    /// Permits all statements of a decision, by one decision and in one write of the record.
    pub fn permit_all(
        &self,
        session: &SqlSession,
        decision: &Arc<SqlDecision>,
        phase: Phase,
    ) -> Result<Vec<SqlPermit>, Refusal> {
        let decision = self.up_to_date(session, decision)?;
        self.without_values(session, &decision, phase)?;
        self.record(session, &decision, 0..decision.statements.len(), phase)
    }

    /// Whether what runs by this decision would be sent the same now. A refusal is recorded.
    pub fn still_holds(&self, session: &SqlSession, decision: &Arc<SqlDecision>) -> Result<bool, Refusal> {
        let now = self.up_to_date(session, decision)?;
        let sent = |decision: &SqlDecision| {
            let sent = |(now, before): (&Decided, &Decided)| {
                now.text == before.text && now.hidden() == before.hidden()
            };
            now.statements.len() == decision.statements.len()
                && now.statements.iter().zip(&decision.statements).all(sent)
        };
        Ok(sent(decision))
    }

    /// Whether a cursor of the session still shows what it would show were it declared now. A refusal is recorded.
    pub fn cursor_holds(&self, session: &SqlSession, name: &str) -> Result<(), Refusal> {
        let held = self.check_cursor(session, name);
        held.inspect_err(|refusal| self.refused(session, name, refusal))
    }

    /// Whether a decision can be run without a look at the values of its parameters.
    fn without_values(
        &self,
        session: &SqlSession,
        decision: &SqlDecision,
        phase: Phase,
    ) -> Result<(), Refusal> {
        let first = decision.statements.iter().find_map(|decided| decided.patterns.first());
        match (phase, first) {
            (Phase::Prepare, _) | (Phase::Execute, None) => Ok(()),
            (Phase::Execute, Some(parameter)) => Err(self.no_pattern(session, decision, *parameter)),
        }
    }

    fn no_pattern(&self, session: &SqlSession, decision: &SqlDecision, parameter: u16) -> Refusal {
        // A pattern that fails only over rows that match in part would tell that there are such rows.
        let message = format!("parameter ${parameter} is not a well-formed pattern of LIKE");
        let refusal = Refusal::new(RefusalKind::AtRisk, message)
            .hint("do not end it in a single backslash, nor use `%` more than 1,000 times");
        self.refused(session, decision.asked(), &refusal);
        refusal
    }

    fn up_to_date(
        &self,
        session: &SqlSession,
        decision: &Arc<SqlDecision>,
    ) -> Result<Arc<SqlDecision>, Refusal> {
        let renewed = self.renewed(session, decision);
        renewed.inspect_err(|refusal| self.refused(session, decision.asked(), refusal))
    }

    /// Recorded first: a request that cannot be recorded does not happen.
    fn record(
        &self,
        session: &SqlSession,
        decision: &Arc<SqlDecision>,
        statements: Range<usize>,
        phase: Phase,
    ) -> Result<Vec<SqlPermit>, Refusal> {
        let decided = decision.statements.get(statements.clone()).ok_or_else(no_such_statement)?;
        let snapshot = self.snapshot.load();
        let caller = session.known_caller();
        let recorded = session.recorded(&snapshot, caller.as_deref());
        let event = |decided| event(recorded, decided, phase);
        let first = match decided {
            [only] => self.log.write(&event(only)),
            all => self.log.write_all(&all.iter().map(event).collect::<Vec<_>>()),
        };
        let first = first.map_err(unrecorded)?;
        let permit = |(id, statement)| SqlPermit {
            decision: Arc::clone(decision),
            statement,
            id: RecordId(id),
            since: Instant::now(),
            log: self.log.clone(),
            finished: false,
        };
        Ok((first.0..).zip(statements).map(permit).collect())
    }
}

fn event<'a>(session: audit::Session<'a>, decided: &'a Decided, phase: Phase) -> Event<'a> {
    Event::Decided(audit::Decided {
        session,
        phase,
        kind: decided.kind_name(),
        rules: &decided.rules,
        policy: &decided.revision,
        asked: &decided.asked,
        sent: &decided.text,
    })
}

fn no_such_statement() -> Refusal {
    Refusal::new(RefusalKind::SessionName, "there is no such statement in the text")
}

impl SqlPermit {
    /// The text to be sent.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.decided().text
    }

    /// The statement that is permitted.
    #[must_use]
    pub fn decided(&self) -> &Decided {
        // INVARIANT: `Gate::permit` made this from a statement of the decision.
        #[expect(clippy::indexing_slicing, reason = "the only maker of a permit has looked the statement up")]
        &self.decision.statements[self.statement]
    }

    /// The decision that holds: another than was asked with, where that one was out of date.
    #[must_use]
    pub fn decision(&self) -> &Arc<SqlDecision> {
        &self.decision
    }

    /// Records what became of the statement.
    pub fn finish(mut self, outcome: &Outcome) {
        let how = match &outcome.sqlstate {
            None => audit::Outcome::Done,
            Some(sqlstate) => audit::Outcome::Failed(sqlstate),
        };
        self.close(how, outcome.rows);
    }

    /// Records that so many rows were sent, and that it is not known what became of the statement then.
    pub fn lose(mut self, rows: u64) {
        self.close(audit::Outcome::Unknown, rows);
    }

    fn close(&mut self, outcome: audit::Outcome<'_>, rows: u64) {
        self.finished = true;
        let us = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let finished = audit::Finished { id: self.id, outcome, rows, us };
        if let Err(error) = self.log.write(&Event::Finished(finished)) {
            tracing::error!(%error, "what became of a statement could not be recorded");
        }
    }
}

impl Drop for SqlPermit {
    fn drop(&mut self) {
        if !self.finished {
            self.close(audit::Outcome::Unknown, 0);
        }
    }
}
