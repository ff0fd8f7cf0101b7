//! The extended protocol: the client's statements and portals, run on whatever connection is at hand.
//!
//! A message is passed on as it comes, and what the store will answer to it is queued. So pipelines stay pipelines, and
//! an error skips to the next Sync because the store itself does.

use std::sync::Arc;

use gate::Phase;

use crate::answer::Answer;
use crate::back::{self, Plain, Status};
use crate::front::{self, Bind, Execute, Parse, Target};
use crate::pool::Link;
use crate::relay::Expected;
use crate::session::{End, Session};
use crate::simple::{REFUSED, unsettles};
use crate::statements::{Portal, Prepared};

impl Session {
    /// Parse.
    pub(crate) async fn parse(&mut self, parse: Parse<'_>) -> Result<(), End> {
        self.settle_meaning().await?;
        if self.skipping {
            return Ok(());
        }
        let Parse { name, text, types } = parse;
        if !name.is_empty() && self.statements.get(name).is_some() {
            return self
                .refuse(Answer::error("42P05", format!("prepared statement \"{name}\" already exists")));
        }
        if self.statements.len() >= self.proxy.limits.statements_max {
            return self.refuse(Answer::error("54000", "the session has too many prepared statements"));
        }
        let decision = match self.proxy.gate.decide_sql(&self.sql, text, &types) {
            Ok(decision) => decision,
            Err(refusal) => return self.refuse(Answer::refusal(&refusal, text)),
        };
        if decision.statements.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return self.refuse(Answer::error("42601", message));
        }
        let prepared = Prepared::new(decision, types.into());
        let prepared = match self.prepare(prepared, name.is_empty(), Preparing::Anew).await? {
            Ok((prepared, _)) => prepared,
            Err(answer) => return self.refuse(answer),
        };
        let before = self.statements.put(name, Arc::clone(&prepared));
        self.expect(Expected::Parsed { name: name.into(), prepared, before });
        Ok(())
    }

    /// Bind: the moment at which a statement is permitted and recorded, and its decision brought up to date.
    pub(crate) async fn bind(&mut self, bind: Bind<'_>) -> Result<(), End> {
        self.settle_meaning().await?;
        if self.skipping {
            return Ok(());
        }
        let Some(prepared) = self.statement(bind.statement).await? else { return Ok(()) };
        if let Some(answer) = prepared.decided().and_then(|decided| self.impossible(&decided.effect)) {
            return self.refuse(answer);
        }
        if self.portals.len() >= self.proxy.limits.statements_max {
            return self.refuse(Answer::error("54000", "the session has too many portals"));
        }
        let permit = match prepared.decided() {
            // There is nothing in it to permit.
            None => None,
            Some(_) => {
                let permit = self
                    .proxy
                    .gate
                    .permit_bound(&self.sql, &prepared.decision, |parameter| bind.value(parameter));
                match permit {
                    Ok(permit) => Some(permit),
                    Err(refusal) => {
                        return self.refuse(Answer::refusal(&refusal, prepared.decision.asked()));
                    }
                }
            }
        };
        let decision = permit.as_ref().map_or(&prepared.decision, |permit| permit.decision());
        let prepared = if Arc::ptr_eq(decision, &prepared.decision) {
            prepared
        } else {
            let renewed = prepared.renewed(Arc::clone(decision));
            match self.renew(bind.statement, &prepared, renewed).await? {
                Some(renewed) => renewed,
                // It has been answered.
                None => return Ok(()),
            }
        };
        let unnamed = bind.statement.is_empty();
        let (prepared, name) = match self.prepare(prepared, unnamed, Preparing::Permitted).await? {
            Ok(prepared) => prepared,
            Err(answer) => return self.refuse(answer),
        };
        let Some(link) = &mut self.link else { return Err(End::StoreGone) };
        front::bind(&mut link.out, bind.portal, &name, bind.tail).map_err(|_| End::StoreGone)?;
        let portal = Arc::new(Portal::new(prepared, permit, self.segment));
        let before = self.portals.put(bind.portal, Arc::clone(&portal));
        self.expect(Expected::Bind { name: bind.portal.into(), portal, before });
        Ok(())
    }

    /// The client's statement of this name; where there is none, that has been answered.
    async fn statement(&mut self, name: &str) -> Result<Option<Arc<Prepared>>, End> {
        if self.statements.get(name).is_none() {
            // The Close of it may yet turn out to be skipped.
            self.settle().await?;
            if self.skipping {
                return Ok(None);
            }
        }
        match self.statements.get(name) {
            Some(prepared) => Ok(Some(Arc::clone(prepared))),
            None => self.refuse(Answer::no_statement(name)).map(|()| None),
        }
    }

    /// Puts a statement that was decided anew in the place of the old one, if the client can read its rows as before.
    async fn renew(
        &mut self,
        name: &str,
        old: &Arc<Prepared>,
        renewed: Prepared,
    ) -> Result<Option<Arc<Prepared>>, End> {
        let told = old.columns().filter(|_| old.key != renewed.key).cloned();
        let (renewed, own_name) = match self.prepare(renewed, name.is_empty(), Preparing::Permitted).await? {
            Ok(prepared) => prepared,
            Err(answer) => return self.refuse(answer).map(|()| None),
        };
        if let Some(told) = told {
            let Some(link) = &mut self.link else { return Err(End::StoreGone) };
            front::describe(&mut link.out, Target::Statement(&own_name)).map_err(|_| End::StoreGone)?;
            self.expect(Expected::Columns(Arc::clone(&renewed)));
            self.settle().await?;
            if self.skipping {
                return Ok(None);
            }
            if renewed.columns() != Some(&told) {
                let answer = Answer::error("0A000", "cached plan must not change result type");
                return self.refuse(answer).map(|()| None);
            }
        }
        self.statements.put(name, Arc::clone(&renewed));
        Ok(Some(renewed))
    }

    /// Describe.
    pub(crate) async fn describe(&mut self, target: Target<'_>) -> Result<(), End> {
        match target {
            Target::Statement(name) => self.describe_statement(name).await,
            Target::Portal(name) => {
                let (Some(portal), Some(link)) = (self.portals.get(name), &mut self.link) else {
                    return self.refuse(Answer::no_portal(name));
                };
                front::describe(&mut link.out, target).map_err(|_| End::StoreGone)?;
                self.queue.push_back(Expected::Describe(Arc::clone(&portal.prepared)));
                Ok(())
            }
        }
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), End> {
        self.settle_meaning().await?;
        if self.skipping {
            return Ok(());
        }
        let Some(prepared) = self.statement(name).await? else { return Ok(()) };
        let (prepared, own_name) = match self.prepare(prepared, name.is_empty(), Preparing::Anew).await? {
            Ok(prepared) => prepared,
            Err(answer) => return self.refuse(answer),
        };
        let Some(link) = &mut self.link else { return Err(End::StoreGone) };
        front::describe(&mut link.out, Target::Statement(&own_name)).map_err(|_| End::StoreGone)?;
        self.expect(Expected::Describe(prepared));
        Ok(())
    }

    /// Execute.
    pub(crate) fn execute(&mut self, execute: Execute<'_>) -> Result<(), End> {
        let (Some(portal), Some(link)) = (self.portals.get(execute.portal), &mut self.link) else {
            return self.refuse(Answer::no_portal(execute.portal));
        };
        let portal = Arc::clone(portal);
        front::execute(&mut link.out, execute.portal, execute.rows_max).map_err(|_| End::StoreGone)?;
        portal.execute();
        if let Some(decided) = portal.decided() {
            self.unsettled |= unsettles(&decided.effect, &mut self.path_moves);
        }
        self.expect(Expected::Execute(portal));
        Ok(())
    }

    /// Close. A statement stays prepared on its connections: another session may have the same.
    pub(crate) fn close(&mut self, target: Target<'_>) -> Result<(), End> {
        match target {
            Target::Statement(name) => {
                let before = self.statements.remove(name);
                self.expect(Expected::Closed { name: name.into(), before });
            }
            Target::Portal(name) => {
                self.portals.remove(name);
                match &mut self.link {
                    Some(link) => {
                        front::close(&mut link.out, target).map_err(|_| End::StoreGone)?;
                        self.queue.push_back(Expected::ClosePortal);
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
        if let Some(link) = &mut self.link {
            front::flush(&mut link.out);
        }
    }

    /// Answers a message with this error, in its place. Where the store has seen something of this segment, it is made
    /// to fail too, so that both skip to the same Sync and no half of a transaction stays.
    fn refuse(&mut self, answer: Answer) -> Result<(), End> {
        match &mut self.link {
            Some(link) => {
                front::parse(&mut link.out, "veilgate_refused", REFUSED, &[]).map_err(|_| End::StoreGone)?;
                self.queue.push_back(Expected::Refused(answer));
            }
            None => {
                answer.write(&mut self.client.out);
                self.skipping = true;
            }
        }
        Ok(())
    }

    /// Makes sure that the connection knows the statement, and under which name.
    async fn prepare(
        &mut self,
        prepared: impl Into<Arc<Prepared>>,
        unnamed: bool,
        preparing: Preparing,
    ) -> Result<Result<(Arc<Prepared>, Arc<str>), Answer>, End> {
        let mut prepared = prepared.into();
        let link = match self.link().await? {
            Ok(link) => link,
            Err(answer) => return Ok(Err(answer)),
        };
        if let Some(name) = known(link, &prepared, unnamed) {
            return Ok(Ok((prepared, name)));
        }
        let permit = match (preparing, prepared.decided()) {
            (Preparing::Permitted, _) | (Preparing::Anew, None) => None,
            (Preparing::Anew, Some(_)) => {
                match self.proxy.gate.permit(&self.sql, &prepared.decision, 0, Phase::Prepare) {
                    Ok(permit) => Some(permit),
                    Err(refusal) => {
                        return Ok(Err(Answer::refusal(&refusal, prepared.decision.asked())));
                    }
                }
            }
        };
        if let Some(permit) = &permit
            && !Arc::ptr_eq(permit.decision(), &prepared.decision)
        {
            prepared = Arc::new(prepared.renewed(Arc::clone(permit.decision())));
        }
        let Some(link) = &mut self.link else { return Err(End::StoreGone) };
        let key = prepared.key.clone();
        let name: Arc<str> = if unnamed {
            link.cache.set_unnamed(Some(key.clone()));
            "".into()
        } else {
            link.cache.insert(key.clone())
        };
        front::parse(&mut link.out, &name, &key.text, &key.types).map_err(|_| End::StoreGone)?;
        self.queue.push_back(Expected::Prepare { key, name: Arc::clone(&name), permit });
        while let Some(stale) = link.cache.next_stale() {
            front::close(&mut link.out, Target::Statement(&stale)).map_err(|_| End::StoreGone)?;
            self.queue.push_back(Expected::Unprepare(stale));
        }
        Ok(Ok((prepared, name)))
    }

    /// Waits, if need be, until it is known what names mean.
    async fn settle_meaning(&mut self) -> Result<(), End> {
        if self.unsettled || (!self.queue.is_empty() && self.settings.path_is_open()) {
            self.settle().await?;
        }
        Ok(())
    }

    /// Queues an answer, and gives it at once where it is its turn and nothing of the store is needed.
    fn expect(&mut self, expected: Expected) {
        self.queue.push_back(expected);
        self.answer_own();
    }
}

/// Whether a record has yet to be written before a statement is prepared.
#[derive(Clone, Copy)]
enum Preparing {
    /// It has.
    Anew,
    /// It is part of a Bind that has its permit.
    Permitted,
}

/// The name under which the connection knows the statement.
fn known(link: &mut Link, prepared: &Prepared, unnamed: bool) -> Option<Arc<str>> {
    if unnamed {
        return link.cache.is_unnamed(&prepared.key).then(|| "".into());
    }
    link.cache.name(&prepared.key)
}
