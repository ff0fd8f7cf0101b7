//! The simple protocol: a text of statements, all decided before the first is sent, and sent as one query, so that it
//! stays one implicit transaction.

use std::fmt::Write as _;

use access::{Refusal, RefusalKind};
use gate::{Decided, Outcome, Phase, SqlPermit};
use sql::{Effect, Kind};

use crate::answer::{Answer, Words};
use crate::back::{self, Plain, Status};
use crate::frame::Frame;
use crate::front;
use crate::hidden;
use crate::relay::{Expected, words_of};
use crate::session::{End, Session, Stop};
use crate::settings::is_read_by;

/// A query that is on its way.
#[derive(Debug)]
pub(crate) struct Simple {
    /// Of the statements that have not ended, the next one last.
    permits: Vec<SqlPermit>,
    /// Rows of the statement that runs.
    pub rows: u64,
    /// Whether it was sent as the extended protocol has it.
    pub by_parts: bool,
    /// The part of the session's messages that it is.
    pub segment: u64,
}

impl Simple {
    /// Whether the store's own words about the statement that runs may pass.
    pub(crate) fn words(&self) -> Words {
        words_of(self.permits.last().is_none_or(|permit| permit.decided().protected))
    }

    /// Whether the statement that runs is a COPY.
    pub(crate) fn copies(&self) -> bool {
        self.permits.last().is_some_and(|permit| is_copy(permit.decided()))
    }

    /// The statement that runs has failed, and the rest never will run.
    pub(crate) fn fail(&mut self, sqlstate: &str) {
        while let Some(permit) = self.permits.pop() {
            let rows = std::mem::take(&mut self.rows);
            permit.finish(&Outcome { rows, sqlstate: Some(sqlstate.to_owned()) });
        }
    }
}

impl Drop for Simple {
    fn drop(&mut self) {
        // What becomes of the statement that runs nobody will know; these rows of it have been passed on.
        if let Some(permit) = self.permits.pop() {
            permit.lose(self.rows);
        }
    }
}

impl Session {
    /// Query. It is decided over the state that everything before it has left.
    pub(crate) async fn query(&mut self, text: &str) -> Result<(), Stop> {
        self.settle_all().await?;
        // The unnamed statement does not outlive it.
        self.statements.remove("");
        self.tell_names(text);
        let decision = self.proxy.gate.decide_sql(&self.sql, text, &[]);
        let decision = decision.map_err(|refusal| Answer::refusal(&refusal, text))?;
        let mut names = Vec::new();
        for decided in &decision.statements {
            if let Some(answer) = self.impossible(&decided.effect, &mut names) {
                return Err(answer.into());
            }
        }
        hidden::check_encoding(&self.pool.parameters(), &decision.statements)
            .map_err(|refusal| self.refused(&refusal, text))?;
        if decision.statements.is_empty() {
            return Ok(self.empty_query()?);
        }
        let permits = self.proxy.gate.permit_all(&self.sql, &decision, Phase::Execute);
        let mut permits = permits.map_err(|refusal| Answer::refusal(&refusal, text))?;
        let link = match self.link().await {
            Ok(link) => link,
            Err(stop) => {
                let sqlstate = stop.sqlstate().unwrap_or("08006");
                permits.into_iter().for_each(|permit| permit.finish(&Outcome::failed(sqlstate)));
                return Err(stop);
            }
        };
        let by_parts = permits.iter().any(|permit| hidden::has_any(Some(permit.decided())));
        match &permits[..] {
            permits if by_parts => hidden::query(&mut link.out, permits),
            [permit] => front::query(&mut link.out, permit.text()),
            permits => front::query(&mut link.out, &joined(permits)),
        }
        .map_err(|_| End::StoreGone)?;
        // The store forgets its unnamed statement.
        link.cache.forget_unnamed();
        permits.reverse();
        for permit in &permits {
            self.unsettled |= unsettles(&permit.decided().effect, &mut self.meaning_moves);
        }
        let segment = self.next_segment();
        self.queue.push_back(Expected::Simple(Simple { permits, rows: 0, by_parts, segment }));
        Ok(())
    }

    /// A refusal of the proxy's own, recorded.
    pub(crate) fn refused(&self, refusal: &Refusal, asked: &str) -> Answer {
        self.proxy.gate.refused(&self.sql, asked, refusal);
        Answer::refusal(refusal, asked)
    }

    /// FunctionCall: a call by oid cannot be mediated.
    pub(crate) async fn function_call(&mut self) -> Result<(), Stop> {
        self.settle_all().await?;
        let refusal = Refusal::new(RefusalKind::Unsupported, "function calls by oid are not mediated")
            .hint("call the function in a SELECT");
        Err(self.refused(&refusal, "").into())
    }

    /// A text without statements.
    fn empty_query(&mut self) -> Result<(), End> {
        match &mut self.link {
            // It ends the segment that is open.
            Some(link) if self.status == Status::Idle => {
                front::query(&mut link.out, "").map_err(|_| End::StoreGone)?;
                link.cache.forget_unnamed();
                let segment = self.next_segment();
                self.queue.push_back(Expected::Simple(Simple {
                    permits: Vec::new(),
                    rows: 0,
                    by_parts: false,
                    segment,
                }));
            }
            _ => {
                back::write_plain(&mut self.client.out, Plain::EmptyQuery);
                back::write_ready(&mut self.client.out, self.status);
            }
        }
        Ok(())
    }

    /// Answers a simple query with this error. Where a transaction is open, implicit or not, the store fails with it.
    pub(crate) fn refuse_query(&mut self, answer: Answer) -> Result<(), End> {
        match (&mut self.link, self.status) {
            (Some(link), Status::Idle | Status::Transaction) => {
                front::query(&mut link.out, REFUSED).map_err(|_| End::StoreGone)?;
                link.cache.forget_unnamed();
                let segment = self.next_segment();
                self.queue.push_back(Expected::RefusedQuery(answer, segment));
            }
            (_, status) => {
                let failed = status == Status::Failed && answer.sqlstate != "42601";
                let answer = if failed { Answer::transaction_failed() } else { answer };
                answer.write(&mut self.client.out);
                back::write_ready(&mut self.client.out, status);
            }
        }
        Ok(())
    }

    /// One statement of a query has completed.
    pub(crate) fn completed_simple(&mut self, frame: &Frame) -> Result<(), End> {
        let Some(Expected::Simple(simple)) = self.queue.front_mut() else { return Err(End::StoreGone) };
        let rows = std::mem::take(&mut simple.rows);
        let Some(permit) = simple.permits.pop() else {
            // Only a text without statements is answered without one.
            if frame.tag() != Plain::EmptyQuery.tag() {
                return Err(End::StoreGone);
            }
            self.client.out.extend_from_slice(frame.bytes());
            return Ok(());
        };
        let rows = rows_copied(permit.decided(), frame).unwrap_or(rows);
        self.complete(frame, permit.decided(), true)?;
        permit.finish(&Outcome::done(rows));
        Ok(())
    }
}

/// Whether the next message may mean something else after this.
pub(crate) fn unsettles(effect: &Effect, has_moved: &mut bool) -> bool {
    match effect {
        Effect::SetSearchPath(_) | Effect::ResetAll | Effect::DiscardAll => {
            *has_moved = true;
            true
        }
        Effect::Deallocate(_) | Effect::Prepare(_) | Effect::Declare(_) | Effect::CloseCursor(_) => true,
        Effect::Set { name, .. } | Effect::Reset(name) if is_read_by(name) => {
            *has_moved = true;
            true
        }
        // What was set may be taken back.
        Effect::Commit { .. } | Effect::Rollback { .. } | Effect::RollbackTo(_) => *has_moved,
        Effect::None
        | Effect::Begin
        | Effect::Savepoint(_)
        | Effect::Release(_)
        | Effect::Set { .. }
        | Effect::Reset(_) => false,
    }
}

/// The rows of a COPY that has completed.
pub(crate) fn rows_copied(decided: &Decided, frame: &Frame) -> Option<u64> {
    if !is_copy(decided) {
        return None;
    }
    back::command_tag(frame).ok().and_then(back::rows_of)
}

/// Whether it sends rows as COPY does.
pub(crate) fn is_copy(decided: &Decided) -> bool {
    matches!(decided.kind, Kind::Copy | Kind::CopyRelation)
}

/// Fails whatever the store holds: no function, no row, nothing but a name that is not there.
pub(crate) const REFUSED: &str = "SELECT veilgate_refused";

fn joined(permits: &[SqlPermit]) -> String {
    let mut text = String::new();
    for permit in permits {
        // A comment at the end of a statement must not swallow what follows.
        let _ = write!(text, "{}{}", if text.is_empty() { "" } else { "\n;\n" }, permit.text());
    }
    text
}
