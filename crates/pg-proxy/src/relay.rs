//! Bytes out and bytes in: one place where a session waits, and where what the store answers meets what was expected.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use gate::{Decided, SqlPermit};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::{self, Answer, Words};
use crate::back::{self, Plain, Status};
use crate::frame::{Back, Frame};
use crate::hidden;
use crate::session::{End, Session};
use crate::simple::{Simple, is_copy, rows_copied};
use crate::statements::{Key, Portal, Prepared, Replaced};

/// What a buffer may keep once it is empty.
const OUT_BYTES_KEPT: usize = 16 * 1024;

/// What comes next to the client: an answer of the store, or one of the gateway's own in its place. One entry for each
/// message, in the order in which they were sent.
#[derive(Debug)]
pub(crate) enum Expected {
    /// A query of the gateway's own: nothing of it is passed on.
    Own,
    /// A simple query.
    Simple(Simple),
    /// A refused simple query: the store is made to fail, and this is the error.
    RefusedQuery(Answer, u64),
    /// The same for a message of the extended protocol.
    Refused(Answer),
    /// The gateway prepares a statement under a name of its own.
    Prepare {
        /// What is prepared.
        key: Key,
        /// The connection's name for it.
        name: Arc<str>,
        /// What it has taken the place of, where it is the unnamed one.
        replaced: Option<Replaced>,
        /// The record of it, where it is no part of a Bind's.
        permit: Option<SqlPermit>,
    },
    /// The gateway forgets a statement of its own.
    Unprepare(Arc<str>),
    /// The gateway asks for the columns of a statement that was decided anew.
    Columns(Arc<Prepared>),
    /// The client has prepared a statement: nothing more comes from the store.
    Parsed {
        /// The client's name for it.
        name: Box<str>,
        /// The statement.
        prepared: Arc<Prepared>,
        /// What had the name before.
        before: Option<Arc<Prepared>>,
    },
    /// The client has forgotten a statement: nothing comes from the store.
    Closed {
        /// The client's name for it.
        name: Box<str>,
        /// The statement, if there was one.
        before: Option<Arc<Prepared>>,
    },
    /// A portal is made.
    Bind {
        /// The client's name for it.
        name: Box<str>,
        /// The portal.
        portal: Arc<Portal>,
        /// What had the name before.
        before: Option<Arc<Portal>>,
    },
    /// The columns of a statement or portal.
    Describe(Arc<Prepared>),
    /// The columns of a cursor that was declared in SQL.
    DescribeCursor,
    /// A portal runs.
    Execute(Arc<Portal>),
    /// A portal is forgotten.
    ClosePortal {
        /// The client's name for it.
        name: Box<str>,
        /// The portal, if there was one.
        before: Option<Arc<Portal>>,
    },
    /// The end of this segment.
    Sync(u64),
}

impl Session {
    /// Waits until something has moved on: bytes have come from the store, or from the client where its next message is
    /// what is `waited_for`; or one of the two has taken enough that it may be sent more. What is to be sent is sent
    /// meanwhile, and what the store has answered is passed on.
    pub(crate) async fn turn(&mut self, waited_for: bool) -> Result<(), End> {
        if self.queue.is_empty() {
            self.rest();
        }
        std::future::poll_fn(|cx| self.poll_turn(waited_for, cx)).await?;
        self.relay()?;
        if self.free {
            self.give_back().await;
        }
        Ok(())
    }

    fn poll_turn(&mut self, waited_for: bool, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let before = self.client.out.len();
        let was_full = self.client.is_full();
        if let Poll::Ready(Err(_)) = poll_send(&mut self.client.stream, &mut self.client.out, cx) {
            return Poll::Ready(Err(End::ClientGone));
        }
        if self.client.out.len() < before {
            self.clock.moved();
        }
        let mut on = was_full && !self.client.is_full();
        on |= self.poll_store(cx)?;
        on |= self.poll_client(waited_for, cx)?;
        if on { Poll::Ready(Ok(())) } else { self.poll_clock(cx) }
    }

    /// Whether the store has said something, or has room again.
    fn poll_store(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Some(link) = &mut self.link else { return Ok(false) };
        let was_full = link.is_full();
        if let Poll::Ready(Err(_)) = poll_send(&mut link.stream, &mut link.out, cx) {
            return Err(End::StoreGone);
        }
        let has_room = was_full && !link.is_full();
        if self.client.is_full() {
            return Ok(has_room);
        }
        match pin!(link.frames.fill(&mut link.stream)).poll(cx) {
            Poll::Ready(Ok(1..)) => Ok(true),
            Poll::Ready(Ok(0) | Err(_)) => Err(End::StoreGone),
            Poll::Pending => Ok(has_room),
        }
    }

    /// Whether the client has said something that was waited for. It is read in any case, though not far, to notice
    /// that it is gone.
    fn poll_client(&mut self, waited_for: bool, cx: &mut Context<'_>) -> Result<bool, End> {
        let waited_for = waited_for && !self.client.is_full();
        while !self.leaves && (waited_for || self.client.frames.has_room()) {
            let filled = pin!(self.client.frames.fill(&mut self.client.stream)).poll(cx);
            match filled {
                Poll::Ready(Ok(1..)) if waited_for => {
                    self.clock.moved();
                    return Ok(true);
                }
                Poll::Ready(Ok(1..)) => {}
                // What it asked before its goodbye is done.
                Poll::Ready(Ok(0) | Err(_)) if self.client.frames.holds_goodbye() => self.leaves = true,
                Poll::Ready(Ok(0) | Err(_)) => return Err(End::ClientGone),
                Poll::Pending => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Passes on all that the store has answered, as long as the client keeps up.
    pub(crate) fn relay(&mut self) -> Result<(), End> {
        loop {
            self.answer_own();
            if self.client.is_full() {
                return Ok(());
            }
            let Some(link) = &mut self.link else { return Ok(()) };
            match link.frames.next_back().map_err(|_| End::StoreGone)? {
                None => return Ok(()),
                Some(Back::Rows(rows)) => {
                    self.row_open = rows.partial;
                    self.client.out.extend_from_slice(&rows.bytes);
                    self.count_rows(rows.ended)?;
                }
                Some(Back::Frame(frame)) => self.answered(&frame)?,
            }
        }
    }

    /// Answers that need nothing of the store, now that it is their turn.
    pub(crate) fn answer_own(&mut self) {
        loop {
            let message = match self.queue.front() {
                Some(Expected::Parsed { .. }) => Plain::ParseComplete,
                Some(Expected::Closed { .. }) => Plain::CloseComplete,
                _ => return,
            };
            back::write_plain(&mut self.client.out, message);
            self.queue.pop_front();
        }
    }

    fn count_rows(&mut self, rows: u64) -> Result<(), End> {
        match self.queue.front_mut() {
            Some(Expected::Simple(simple)) => simple.rows += rows,
            Some(Expected::Execute(portal)) => portal.rows(rows),
            _ => return Err(End::StoreGone),
        }
        Ok(())
    }

    /// One message of the store.
    fn answered(&mut self, frame: &Frame) -> Result<(), End> {
        match frame.tag() {
            b'E' => self.failed(frame),
            b'Z' => self.ready(back::ready_status(frame).map_err(|_| End::StoreGone)?),
            b'N' => {
                if !matches!(self.queue.front(), Some(Expected::Own)) {
                    answer::write_store_notice(&mut self.client.out, frame);
                }
                Ok(())
            }
            b'S' => self.parameter(frame),
            // A notification can tell what its sender knows. Nobody can listen yet.
            b'A' => Ok(()),
            tag => self.expected(tag, frame),
        }
    }

    fn expected(&mut self, tag: u8, frame: &Frame) -> Result<(), End> {
        let Some(expected) = self.queue.front_mut() else { return Err(End::StoreGone) };
        let out = &mut self.client.out;
        // Whether it is the last message of its entry.
        let done = match (expected, tag) {
            (Expected::Own, b'C' | b'T' | b'I') => false,
            (Expected::Simple(_), b'T') => {
                back::pass_row_description(out, frame).map_err(|_| End::StoreGone)?;
                false
            }
            (Expected::Simple(Simple { by_parts: true, .. }), b'1' | b'2' | b'n') => false,
            // COPY: how its rows are written, and their end.
            (Expected::Simple(simple), b'H' | b'c') if simple.copies() => {
                out.extend_from_slice(frame.bytes());
                false
            }
            (Expected::Execute(portal), b'H' | b'c') if portal.decided().is_some_and(is_copy) => {
                out.extend_from_slice(frame.bytes());
                false
            }
            (Expected::Simple(_), b'C' | b'I') => return self.completed_simple(frame),
            (Expected::Prepare { permit, .. }, b'1') => {
                if let Some(permit) = permit.take() {
                    permit.finish(&gate::Outcome::done(0));
                }
                true
            }
            (Expected::Unprepare(_), b'3') => true,
            (Expected::Columns(_) | Expected::Describe(_), b't') => {
                if let Some(Expected::Describe(prepared)) = self.queue.front() {
                    hidden::write_parameter_types(out, frame, prepared.decided())
                        .map_err(|_| End::StoreGone)?;
                }
                false
            }
            (Expected::Columns(prepared), b'T' | b'n') => {
                prepared.describe(frame).map_err(|_| End::StoreGone)?;
                true
            }
            (Expected::Describe(prepared), b'T' | b'n') => {
                prepared.describe(frame).map_err(|_| End::StoreGone)?;
                back::pass_row_description(out, frame).map_err(|_| End::StoreGone)?;
                true
            }
            (Expected::DescribeCursor, b'T' | b'n') => {
                back::pass_row_description(out, frame).map_err(|_| End::StoreGone)?;
                true
            }
            (Expected::ClosePortal { name, .. }, b'3') => {
                out.extend_from_slice(frame.bytes());
                self.sql.names.close(name);
                true
            }
            (Expected::Bind { .. }, b'2') => {
                out.extend_from_slice(frame.bytes());
                true
            }
            (Expected::Execute(portal), b's') => {
                portal.suspend();
                out.extend_from_slice(frame.bytes());
                true
            }
            (Expected::Execute(_), b'C' | b'I') => return self.completed_portal(frame),
            // Anything else is out of step, and so is all that follows.
            _ => return Err(End::StoreGone),
        };
        if done {
            self.queue.pop_front();
        }
        Ok(())
    }

    /// The store has failed at the first entry.
    fn failed(&mut self, error: &Frame) -> Result<(), End> {
        let sqlstate = answer::sqlstate_of_store(error);
        let words = match self.queue.front() {
            Some(Expected::Simple(simple)) => simple.words(),
            Some(Expected::Execute(portal) | Expected::Bind { portal, .. }) => {
                words_of(portal.decided().is_none_or(|decided| decided.protected))
            }
            _ => Words::Guarded,
        };
        if answer::is_fatal(error) {
            if !self.row_open {
                answer::write_store_error(&mut self.client.out, error, words);
            }
            return Err(End::Told);
        }
        let out = &mut self.client.out;
        match self.queue.front_mut() {
            None => return Err(End::StoreGone),
            Some(Expected::Own) => {
                let message = "the store does not take a setting of the session";
                return Err(End::Because(Answer::fatal("22023", message)));
            }
            Some(Expected::Refused(answer) | Expected::RefusedQuery(answer, _)) => {
                // A transaction that has failed before says so, unless a name or the grammar is looked at first.
                match (sqlstate, answer.sqlstate) {
                    ("25P02", "42601" | "26000" | "34000") => answer.write(out),
                    ("25P02", _) => Answer::transaction_failed().write(out),
                    _ => answer.write(out),
                }
            }
            Some(Expected::Simple(simple)) => {
                answer::write_store_error(out, error, words);
                simple.fail(sqlstate);
            }
            Some(_) => answer::write_store_error(out, error, words),
        }
        self.settings.fail();
        match self.queue.front() {
            Some(Expected::Simple(_) | Expected::RefusedQuery(..) | Expected::Sync(_)) => {}
            _ => self.skip_to_sync(sqlstate),
        }
        Ok(())
    }

    /// The store reads on after the next Sync only: what stands before it never happened.
    fn skip_to_sync(&mut self, sqlstate: &str) {
        let sync = self.queue.iter().position(|expected| matches!(expected, Expected::Sync(_)));
        self.skipping = sync.is_none();
        if self.skipping {
            self.deferred = None;
        }
        let skipped: Vec<_> = self.queue.drain(..sync.unwrap_or(self.queue.len())).collect();
        // A Parse that fails takes the old unnamed statement with it, at the store and here.
        let (lost, forgotten) = match &skipped[..] {
            [Expected::Prepare { name, .. }, Expected::Parsed { .. }, ..] if name.is_empty() => (true, true),
            [Expected::Prepare { name, .. }, ..] if name.is_empty() => (true, false),
            _ => (false, false),
        };
        if let Some(Expected::Bind { portal, .. } | Expected::Execute(portal)) = skipped.first() {
            self.forget_broken_plan(portal, sqlstate);
        }
        for expected in skipped.into_iter().rev() {
            self.undo(expected, sqlstate);
        }
        if let (true, Some(link)) = (lost, &mut self.link) {
            link.cache.forget_unnamed();
        }
        if forgotten {
            self.statements.remove("");
        }
    }

    fn undo(&mut self, expected: Expected, sqlstate: &str) {
        match expected {
            Expected::Prepare { key, name, replaced, permit } => {
                match (&mut self.link, replaced) {
                    (Some(link), Some(replaced)) => link.cache.unput_unnamed(replaced),
                    (Some(link), None) => link.cache.unprepared(&key, &name),
                    (None, _) => {}
                }
                if let Some(permit) = permit {
                    permit.finish(&gate::Outcome::failed(sqlstate));
                }
            }
            Expected::Unprepare(name) => {
                if let Some(link) = &mut self.link {
                    link.cache.unclosed(name);
                }
            }
            Expected::Parsed { name, prepared, before } => self.statements.unput(&name, &prepared, before),
            Expected::Closed { name, before: Some(before) } => {
                if self.statements.get(&name).is_none() {
                    self.statements.put(&name, before);
                }
            }
            Expected::Bind { name, portal, before } => {
                portal.finish(Some(sqlstate));
                self.portals.unput(&name, &portal, before);
            }
            Expected::Execute(portal) => {
                portal.finish(Some(sqlstate));
            }
            Expected::ClosePortal { name, before: Some(before) } => {
                if self.portals.get(&name).is_none() {
                    self.portals.put(&name, before);
                }
            }
            Expected::ClosePortal { before: None, .. }
            | Expected::Closed { before: None, .. }
            | Expected::Own
            | Expected::Simple(_)
            | Expected::RefusedQuery(..)
            | Expected::Refused(_)
            | Expected::Columns(_)
            | Expected::Describe(_)
            | Expected::DescribeCursor
            | Expected::Sync(_) => {}
        }
    }

    /// A statement whose plan the store gives up is prepared anew the next time.
    fn forget_broken_plan(&mut self, portal: &Portal, sqlstate: &str) {
        if let ("0A000" | "26000", Some(link)) = (sqlstate, &mut self.link) {
            link.cache.forget(&portal.prepared.key);
            if link.cache.is_unnamed(&portal.prepared.key) {
                link.cache.forget_unnamed();
            }
        }
    }

    /// A portal has run to its end.
    fn completed_portal(&mut self, frame: &Frame) -> Result<(), End> {
        let Some(Expected::Execute(portal)) = self.queue.pop_front() else { return Err(End::StoreGone) };
        if let Some(rows) = portal.decided().and_then(|decided| rows_copied(decided, frame)) {
            portal.counted(rows);
        }
        let first = portal.finish(None);
        match portal.decided() {
            Some(decided) => self.complete(frame, decided, first)?,
            None => self.client.out.extend_from_slice(frame.bytes()),
        }
        Ok(())
    }

    /// Passes on the completion of a statement, under the tag that the client is to see, and applies its effect the
    /// `first` time.
    pub(crate) fn complete(&mut self, frame: &Frame, decided: &Decided, first: bool) -> Result<(), End> {
        match decided.tag {
            Some(tag) => {
                back::write_command_complete(&mut self.client.out, tag).map_err(|_| End::StoreGone)?;
            }
            None => self.client.out.extend_from_slice(frame.bytes()),
        }
        if first && decided.effect != sql::Effect::None {
            let tag = back::command_tag(frame).map_err(|_| End::StoreGone)?;
            self.apply(decided, tag);
        }
        Ok(())
    }

    /// A simple query or a segment of the extended protocol is over.
    fn ready(&mut self, status: Status) -> Result<(), End> {
        let segment = match self.queue.pop_front() {
            Some(Expected::Own) => return Ok(()),
            Some(Expected::Sync(segment)) => segment,
            Some(Expected::Simple(Simple { segment, .. }) | Expected::RefusedQuery(_, segment)) => segment,
            _ => return Err(End::StoreGone),
        };
        back::write_ready(&mut self.client.out, status);
        self.status = status;
        if status == Status::Idle {
            self.transaction_ended(segment);
        }
        Ok(())
    }

    /// Passes on a setting that the client may know, unless it does.
    fn parameter(&mut self, frame: &Frame) -> Result<(), End> {
        let (name, value) = back::parameter_status(frame).map_err(|_| End::StoreGone)?;
        if self.parameters.changed(name, value) {
            self.client.out.extend_from_slice(frame.bytes());
        }
        Ok(())
    }

    /// Gives back what a large query or answer made buffers grow to.
    fn rest(&mut self) {
        self.client.frames.rest();
        let out = &mut self.client.out;
        if out.is_empty() && out.capacity() > OUT_BYTES_KEPT {
            *out = BytesMut::new();
        }
    }
}

pub(crate) fn words_of(protected: bool) -> Words {
    if protected { Words::Guarded } else { Words::Open }
}

/// Writes as much as the stream takes now, and makes sure that nothing stays in it.
pub(crate) fn poll_send(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    out: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        match Pin::new(&mut *stream).poll_write(cx, out) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => out.advance(written),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
    Pin::new(stream).poll_flush(cx)
}
