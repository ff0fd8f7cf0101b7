//! The extended protocol: the client's statements and portals, run on whatever connection is at hand.
//!
//! A message is passed on as it comes, and what the store will answer to it is queued. So pipelines stay pipelines, and
//! an error skips to the next Sync because the store itself does.

use std::sync::Arc;

use gate::{Outcome, Phase, SqlDecision};
use sql::Effect;

use crate::answer::Answer;
use crate::back::{self, Plain, Status};
use crate::front::{self, Bind, Execute, Parse, Target};
use crate::hidden;
use crate::pool::Link;
use crate::relay::Expected;
use crate::session::{End, Session, Stop};
use crate::simple::{REFUSED, unsettles};
use crate::statements::{Portal, Prepared};

impl Session {
    /// Parse.
    pub(crate) async fn parse(&mut self, parse: Parse<'_>) -> Result<(), Stop> {
        self.settle_meaning().await?;
        let Parse { name, text, types } = parse;
        if self.statements.len() >= self.proxy.limits.statements_max {
            return Err(Answer::error("54000", "the session has too many prepared statements").into());
        }
        self.settle_names(name).await?;
        let decision = self.decide_one(name, text, &types).await?;
        if !name.is_empty() && self.statements.get(name).is_some() {
            // What has the name may yet turn out to have failed.
            self.settle_all().await?;
            if self.statements.get(name).is_some() {
                let message = format!("prepared statement \"{name}\" already exists");
                return Err(Answer::error("42P05", message).into());
            }
        }
        let prepared = Arc::new(Prepared::new(decision, types.into(), self.settings.reading()));
        if name.is_empty() {
            // Most often its Bind is next, and one record is enough for both.
            self.deferred = Some(prepared);
            return Ok(());
        }
        self.parsed(name, prepared).await
    }

    /// Decides a text of one statement, or of none.
    async fn decide_one(&mut self, name: &str, text: &str, types: &[u32]) -> Result<Arc<SqlDecision>, Stop> {
        self.tell_names(text);
        let refused = match self.proxy.gate.decide_sql(&self.sql, text, types) {
            Ok(decision) if decision.statements.len() <= 1 => {
                match hidden::check_encoding(&self.pool.parameters(), &decision.statements) {
                    Ok(()) => return Ok(decision),
                    Err(refusal) => self.refused(&refusal, text),
                }
            }
            Ok(_) => Answer::error("42601", "cannot insert multiple commands into a prepared statement"),
            Err(refusal) => Answer::refusal(&refusal, text),
        };
        if name.is_empty() {
            // The old unnamed statement goes, unless something before has failed and this is skipped.
            self.settle_all().await?;
            self.statements.remove(name);
        }
        Err(refused.into())
    }

    /// Sends the Parse of the unnamed statement, which is not followed by its Bind.
    pub(crate) async fn send_deferred(&mut self) -> Result<(), Stop> {
        match self.deferred.take() {
            Some(prepared) => self.parsed("", prepared).await,
            None => Ok(()),
        }
    }

    async fn parsed(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<(), Stop> {
        let known = self.trusts_known();
        let (prepared, _) = self.prepare(prepared, name.is_empty(), Record::Own, known).await?;
        let before = self.statements.put(name, Arc::clone(&prepared));
        self.expect(Expected::Parsed { name: name.into(), prepared, before });
        Ok(())
    }

    /// Bind: the moment at which a statement is permitted and recorded, and its decision brought up to date.
    pub(crate) async fn bind(&mut self, bind: Bind<'_>) -> Result<(), Stop> {
        self.settle_meaning().await?;
        let deferred = self.deferred.take();
        let is_deferred = deferred.is_some();
        let prepared = match deferred {
            Some(prepared) => prepared,
            None => self.statement(bind.statement).await?,
        };
        if self.portals.len() >= self.proxy.limits.statements_max {
            return Err(Answer::error("54000", "the session has too many portals").into());
        }
        if prepared.decision.uses_names() {
            self.tell_names(prepared.decision.asked());
        }
        let permit = match prepared.decided() {
            // There is nothing in it to permit.
            None => None,
            Some(_) => {
                let value = |parameter| bind.value(parameter);
                let permit = self.proxy.gate.permit_bound(&self.sql, &prepared.decision, value);
                Some(permit.map_err(|refusal| Answer::refusal(&refusal, prepared.decision.asked()))?)
            }
        };
        let decision = permit.as_ref().map(|permit| Arc::clone(permit.decision()));
        match self.bind_permitted(&bind, prepared, decision, is_deferred).await {
            Ok(prepared) => {
                let portal = Arc::new(Portal::new(prepared, permit, self.segment));
                let before = self.portals.put(bind.portal, Arc::clone(&portal));
                self.expect(Expected::Bind { name: bind.portal.into(), portal, before });
                Ok(())
            }
            Err(stop) => {
                if let (Some(permit), Some(sqlstate)) = (permit, stop.sqlstate()) {
                    permit.finish(&Outcome::failed(sqlstate));
                }
                Err(stop)
            }
        }
    }

    /// Sends a Bind by the decision that was permitted, and whatever has to go before it.
    async fn bind_permitted(
        &mut self,
        bind: &Bind<'_>,
        prepared: Arc<Prepared>,
        decision: Option<Arc<SqlDecision>>,
        is_deferred: bool,
    ) -> Result<Arc<Prepared>, Stop> {
        let prepared = match decision {
            Some(decision) if !Arc::ptr_eq(&decision, &prepared.decision) => {
                self.renew(bind.statement, &prepared, decision).await?
            }
            _ => prepared,
        };
        hidden::check_bind(bind, prepared.decided())?;
        let unnamed = bind.statement.is_empty();
        let known = if is_deferred { self.trusts_known() } else { Known::Suffices };
        let (prepared, name) = self.prepare(prepared, unnamed, Record::OfBind, known).await?;
        if is_deferred {
            let before = self.statements.put("", Arc::clone(&prepared));
            self.expect(Expected::Parsed { name: "".into(), prepared: Arc::clone(&prepared), before });
        }
        let link = self.held()?;
        hidden::bind(&mut link.out, bind, &name, prepared.decided()).map_err(|_| End::StoreGone)?;
        Ok(prepared)
    }

    /// Whether a Parse need not be sent where the connection knows the statement. Where a transaction may be open, and
    /// may have failed, only the store knows whether it takes it.
    fn trusts_known(&self) -> Known {
        if self.status == Status::Idle && self.queue.is_empty() { Known::Suffices } else { Known::SentAgain }
    }

    /// The client's statement of this name.
    async fn statement(&mut self, name: &str) -> Result<Arc<Prepared>, Stop> {
        // INVARIANT: the unnamed statement of the store is the one that is believed to be there. Its name says nothing:
        // were the Parse in an earlier segment skipped, a Bind would run what was there before, of another caller even.
        let is_sure = !name.is_empty() || self.knows_unnamed();
        if !is_sure || self.statements.get(name).is_none() {
            // The Close of it may yet turn out to be skipped.
            self.settle_all().await?;
        }
        let prepared = self.statements.get(name).map(Arc::clone);
        Ok(prepared.ok_or_else(|| Answer::no_statement(name))?)
    }

    /// Whether the Parse of the unnamed statement has been answered, or is skipped together with what comes now.
    fn knows_unnamed(&self) -> bool {
        for expected in self.queue.iter().rev() {
            if let Expected::Prepare { replaced: Some(_), .. } = expected {
                return true;
            }
            if let Expected::Sync(_) = expected {
                return false;
            }
        }
        true
    }

    /// Puts a statement that was decided anew in the place of the old one, if the client can read its rows as before.
    async fn renew(
        &mut self,
        name: &str,
        old: &Arc<Prepared>,
        decision: Arc<SqlDecision>,
    ) -> Result<Arc<Prepared>, Stop> {
        let renewed = Arc::new(old.renewed(decision));
        if let Some(told) = old.columns()
            && old.key != renewed.key
        {
            let (_, own_name) =
                self.prepare(Arc::clone(&renewed), name.is_empty(), Record::OfBind, Known::Suffices).await?;
            let link = self.held()?;
            front::describe(&mut link.out, Target::Statement(&own_name)).map_err(|_| End::StoreGone)?;
            self.expect(Expected::Columns(Arc::clone(&renewed)));
            self.settle_all().await?;
            if renewed.columns() != Some(told) {
                return Err(Answer::error("0A000", "cached plan must not change result type").into());
            }
        }
        self.statements.put(name, Arc::clone(&renewed));
        Ok(renewed)
    }

    /// Describe.
    pub(crate) async fn describe(&mut self, target: Target<'_>) -> Result<(), Stop> {
        let prepared = match target {
            Target::Statement(name) => {
                self.settle_meaning().await?;
                let prepared = self.statement(name).await?;
                let (prepared, own_name) =
                    self.prepare(prepared, name.is_empty(), Record::Own, Known::Suffices).await?;
                let own = Target::Statement(&own_name);
                front::describe(&mut self.held()?.out, own).map_err(|_| End::StoreGone)?;
                prepared
            }
            Target::Portal(name) => {
                if self.portals.get(name).is_none() {
                    return self.describe_cursor(name).await;
                }
                let portal = Arc::clone(self.portal(name)?);
                front::describe(&mut self.held()?.out, target).map_err(|_| End::StoreGone)?;
                Arc::clone(&portal.prepared)
            }
        };
        self.expect(Expected::Describe(prepared));
        Ok(())
    }

    /// A cursor of SQL is a portal of its name: psycopg asks for the columns of its cursors so.
    async fn describe_cursor(&mut self, name: &str) -> Result<(), Stop> {
        // Its DECLARE may be on its way.
        self.settle_meaning().await?;
        if self.link.is_none() || !self.sql.names.has_cursor(name) {
            return Err(Answer::no_portal(name).into());
        }
        let held = self.proxy.gate.cursor_holds(&self.sql, name);
        held.map_err(|refusal| Answer::refusal(&refusal, ""))?;
        front::describe(&mut self.held()?.out, Target::Portal(name)).map_err(|_| End::StoreGone)?;
        self.queue.push_back(Expected::DescribeCursor);
        Ok(())
    }

    /// Execute.
    pub(crate) async fn execute(&mut self, execute: Execute<'_>) -> Result<(), Stop> {
        let mut portal = Arc::clone(self.portal(execute.portal)?);
        if let Some(decided) = Arc::clone(&portal.prepared).decided()
            && matches!(decided.effect, Effect::Deallocate(Some(_)) | Effect::Prepare(_) | Effect::DiscardAll)
        {
            self.settle_all().await?;
            // Its transaction may have ended meanwhile.
            portal = Arc::clone(self.portal(execute.portal)?);
            if !portal.is_done()
                && let Some(answer) = self.impossible(&decided.effect, &mut Vec::new())
            {
                portal.finish(Some(answer.sqlstate));
                return Err(answer.into());
            }
        }
        self.still_permitted(&portal)?;
        let link = self.held()?;
        front::execute(&mut link.out, execute.portal, execute.rows_max).map_err(|_| End::StoreGone)?;
        portal.execute();
        if let Some(decided) = portal.decided() {
            self.unsettled |= unsettles(&decided.effect, &mut self.meaning_moves);
        }
        self.expect(Expected::Execute(portal));
        Ok(())
    }

    /// A portal runs on after a reload only where it would be bound the same: the store still has the old one.
    fn still_permitted(&self, portal: &Portal) -> Result<(), Answer> {
        let decision = &portal.prepared.decision;
        if decision.generation == self.proxy.gate.generation() || portal.decided().is_none() {
            return Ok(());
        }
        let answer = match self.proxy.gate.still_holds(&self.sql, decision) {
            Ok(true) => return Ok(()),
            Ok(false) => Answer::error("0A000", "cached plan must not change result type"),
            Err(refusal) => Answer::refusal(&refusal, decision.asked()),
        };
        portal.finish(Some(answer.sqlstate));
        Err(answer)
    }

    fn portal(&self, name: &str) -> Result<&Arc<Portal>, Answer> {
        self.portals.get(name).filter(|_| self.link.is_some()).ok_or_else(|| Answer::no_portal(name))
    }

    /// Close. A statement stays prepared on its connections: another session may have the same.
    pub(crate) async fn close(&mut self, target: Target<'_>) -> Result<(), Stop> {
        match target {
            Target::Statement(name) => {
                // A DEALLOCATE that is on its way must not be undone when this is skipped.
                self.settle_meaning().await?;
                self.settle_names(name).await?;
                let before = self.statements.remove(name);
                // It is skipped if something before it in this segment fails.
                self.unsettled |= before.is_some() && self.awaits_sync();
                self.expect(Expected::Closed { name: name.into(), before });
            }
            Target::Portal(name) => {
                let before = self.portals.remove(name);
                match &mut self.link {
                    Some(link) => {
                        front::close(&mut link.out, target).map_err(|_| End::StoreGone)?;
                        self.queue.push_back(Expected::ClosePortal { name: name.into(), before });
                    }
                    None => back::write_plain(&mut self.client.out, Plain::CloseComplete),
                }
            }
        }
        Ok(())
    }

    /// Sync.
    pub(crate) fn sync(&mut self) {
        self.skipping = false;
        match &mut self.link {
            Some(link) => {
                front::sync(&mut link.out);
                let segment = self.next_segment();
                self.queue.push_back(Expected::Sync(segment));
            }
            None => back::write_ready(&mut self.client.out, Status::Idle),
        }
    }

    /// The number of the segment that ends here.
    pub(crate) fn next_segment(&mut self) -> u64 {
        self.segment += 1;
        self.segment - 1
    }

    /// Flush.
    pub(crate) fn flush(&mut self) {
        self.asked = true;
        if let Some(link) = &mut self.link {
            front::flush(&mut link.out);
        }
    }

    /// Answers a message with this error, in its place. Where the store has seen something of this segment, it is made
    /// to fail too, so that both skip to the same Sync and no half of a transaction stays.
    pub(crate) fn refuse(&mut self, answer: Answer) -> Result<(), End> {
        match &mut self.link {
            Some(link) => {
                front::parse(&mut link.out, "veilgate_refused", REFUSED, &[]).map_err(|_| End::StoreGone)?;
                self.queue.push_back(Expected::Refused(answer));
            }
            None => {
                answer.write(&mut self.client.out);
                self.skipping = true;
                self.deferred = None;
            }
        }
        Ok(())
    }

    /// Makes sure that the connection knows the statement, and under which name.
    async fn prepare(
        &mut self,
        mut prepared: Arc<Prepared>,
        unnamed: bool,
        record: Record,
        known: Known,
    ) -> Result<(Arc<Prepared>, Arc<str>), Stop> {
        let link = self.link().await?;
        if known == Known::Suffices
            && let Some(name) = known_name(link, &prepared, unnamed)
        {
            return Ok((prepared, name));
        }
        // A store that has yet to learn it reads it by what holds now, whenever the client has prepared it.
        prepared = prepared.read_by(self.settings.reading());
        let link = self.held()?;
        if known == Known::Suffices
            && let Some(name) = known_name(link, &prepared, unnamed)
        {
            return Ok((prepared, name));
        }
        let mut permit = None;
        if record == Record::Own && prepared.decided().is_some() {
            let given = self.proxy.gate.permit(&self.sql, &prepared.decision, 0, Phase::Prepare);
            let given = given.map_err(|refusal| Answer::refusal(&refusal, prepared.decision.asked()))?;
            if !Arc::ptr_eq(given.decision(), &prepared.decision) {
                prepared = Arc::new(prepared.renewed(Arc::clone(given.decision())));
            }
            permit = Some(given);
        }
        let Some(link) = &mut self.link else { return Err(End::StoreGone.into()) };
        let key = prepared.key.clone();
        let (name, replaced): (Arc<str>, _) = if unnamed {
            ("".into(), Some(link.cache.put_unnamed(key.clone())))
        } else {
            (link.cache.insert(key.clone()), None)
        };
        while let Some(stale) = link.cache.next_stale() {
            front::close(&mut link.out, Target::Statement(&stale)).map_err(|_| End::StoreGone)?;
            self.queue.push_back(Expected::Unprepare(stale));
        }
        front::parse(&mut link.out, &name, &key.text, &key.types).map_err(|_| End::StoreGone)?;
        self.queue.push_back(Expected::Prepare { key, name: Arc::clone(&name), replaced, permit });
        Ok((prepared, name))
    }

    /// The connection of the open transaction.
    fn held(&mut self) -> Result<&mut Link, End> {
        self.link.as_mut().ok_or(End::StoreGone)
    }

    /// Waits, if need be, until it is known what names mean.
    async fn settle_meaning(&mut self) -> Result<(), Stop> {
        if self.unsettled || (!self.queue.is_empty() && self.settings.meaning_is_open()) {
            self.settle_all().await?;
        }
        Ok(())
    }

    /// Waits before a name gets another meaning while an earlier segment may yet fail: what it did to the name would have
    /// to be taken back from under this one.
    async fn settle_names(&mut self, name: &str) -> Result<(), Stop> {
        if !name.is_empty() && self.queue.iter().any(|expected| matches!(expected, Expected::Sync(_))) {
            self.settle_all().await?;
        }
        Ok(())
    }

    /// Waits until all that was sent has been answered. If something failed, the message is one of those skipped.
    pub(crate) async fn settle_all(&mut self) -> Result<(), Stop> {
        self.settle().await?;
        if self.skipping { Err(Stop::Skipped) } else { Ok(()) }
    }

    /// Whether the last message was one that an error before it may skip.
    pub(crate) fn awaits_sync(&self) -> bool {
        !matches!(
            self.queue.back(),
            None | Some(Expected::Own | Expected::Simple(_) | Expected::RefusedQuery(..) | Expected::Sync(_))
        )
    }

    /// Queues an answer, and gives it at once where it is its turn and nothing of the store is needed.
    fn expect(&mut self, expected: Expected) {
        self.queue.push_back(expected);
        self.answer_own();
    }
}

/// What records that a statement is prepared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    /// A record of its own.
    Own,
    /// That of the Bind which needs it.
    OfBind,
}

/// What happens where the connection knows the statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing is sent.
    Suffices,
    /// It is prepared all the same.
    SentAgain,
}

/// The name under which the connection knows the statement.
fn known_name(link: &mut Link, prepared: &Prepared, unnamed: bool) -> Option<Arc<str>> {
    if unnamed {
        return link.cache.is_unnamed(&prepared.key).then(|| "".into());
    }
    link.cache.name(&prepared.key)
}
