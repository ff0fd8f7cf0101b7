//! What is recorded, and as which fields.
//!
//! A record holds who asked, what was asked and sent, and which rules decided. It never holds the content of a cell, a
//! password or a key.

use std::net::IpAddr;
use std::sync::Arc;

use crate::RecordId;
use crate::line::Line;

/// Bytes of the asked text that the record of a refusal keeps. A permitted text is kept whole.
const REFUSED_TEXT_BYTES_MAX: usize = 64 * 1024;

/// One record.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The gateway serves.
    Started {
        /// The gateway's version.
        version: &'a str,
        /// The policy's revision.
        policy: &'a str,
    },
    /// The gateway stops, its sessions having ended.
    Stopped,
    /// A new policy, new callers or a new catalogue hold from here on.
    Reloaded {
        /// The policy's revision.
        policy: &'a str,
        /// The generation of decisions that begins.
        generation: u64,
    },
    /// A reload was refused; what held before still holds.
    ReloadFailed {
        /// The first of its errors.
        error: &'a str,
    },
    /// A caller has proven who they are.
    Login {
        /// Their session.
        session: Session<'a>,
    },
    /// Somebody has not.
    LoginFailed {
        /// The session, with the caller's name as claimed.
        session: Session<'a>,
        /// Why.
        reason: &'a str,
    },
    /// A statement was permitted. Written before it is sent.
    Decided(Decided<'a>),
    /// A statement was refused.
    Refused(Refused<'a>),
    /// What became of a permitted statement.
    Finished(Finished<'a>),
}

/// Whose request it is.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The session's number, unique in one run of the gateway.
    pub id: u64,
    /// The caller's name.
    pub caller: &'a str,
    /// The purpose that holds for the session.
    pub purpose: Option<&'a str>,
    /// The model that the caller speaks for.
    pub model: Option<&'a str>,
    /// The client's address.
    pub peer: IpAddr,
    /// The store's name in the configuration.
    pub store: &'a str,
    /// The database behind it.
    pub database: &'a str,
}

/// A statement that was permitted.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// Whose.
    pub session: Session<'a>,
    /// What it is about to do.
    pub phase: Phase,
    /// What kind of statement: `select`, `explain`, `set`.
    pub kind: &'a str,
    /// The rules that were applied.
    pub rules: &'a [Arc<str>],
    /// The policy's revision.
    pub policy: &'a str,
    /// The client's text.
    pub asked: &'a str,
    /// The text that is sent.
    pub sent: &'a str,
}

/// What a permitted statement is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is described, and may be planned.
    Prepare,
    /// It is run.
    Execute,
}

/// A statement that was refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Whose.
    pub session: Session<'a>,
    /// The policy's revision.
    pub policy: &'a str,
    /// The refusal: its kind, its rule, and the message that the client gets.
    pub refusal: &'a access::Refusal,
    /// The client's text.
    pub asked: &'a str,
}

/// What became of a permitted statement.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// The number of the record that permitted it.
    pub id: RecordId,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// The rows that were sent to the client.
    pub rows: u64,
    /// Microseconds from the permit on.
    pub us: u64,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Completed.
    Done,
    /// Ended by this SQLSTATE.
    Failed(&'a str),
    /// The session ended before the store had answered.
    Unknown,
}

impl Event<'_> {
    /// Appends the record's line to `out`.
    pub(crate) fn write(&self, id: RecordId, at_us: i64, out: &mut Vec<u8>) {
        let mut line = Line::begin(out, at_us, self.name());
        match self {
            Self::Started { version, policy } => {
                line.text("version", version);
                line.text("policy", policy);
            }
            Self::Stopped => {}
            Self::Reloaded { policy, generation } => {
                line.text("policy", policy);
                line.number("generation", *generation);
            }
            Self::ReloadFailed { error } => line.text("error", error),
            Self::Login { session } => session.write(&mut line),
            Self::LoginFailed { session, reason } => {
                session.write(&mut line);
                line.text("reason", reason);
            }
            Self::Decided(decided) => decided.write(id, &mut line),
            Self::Refused(refused) => refused.write(id, &mut line),
            Self::Finished(finished) => finished.write(&mut line),
        }
        line.end();
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Stopped => "stopped",
            Self::Reloaded { .. } => "reloaded",
            Self::ReloadFailed { .. } => "reload_failed",
            Self::Login { .. } => "login",
            Self::LoginFailed { .. } => "login_failed",
            Self::Decided(_) => "decided",
            Self::Refused(_) => "refused",
            Self::Finished(_) => "finished",
        }
    }
}

impl Session<'_> {
    fn write(&self, line: &mut Line<'_>) {
        let Session { id, caller, purpose, model, peer, store, database } = self;
        line.number("session", *id);
        line.text("caller", caller);
        line.optional("purpose", *purpose);
        line.optional("model", *model);
        line.shown("peer", peer);
        line.text("store", store);
        line.text("database", database);
    }
}

impl Decided<'_> {
    fn write(&self, id: RecordId, line: &mut Line<'_>) {
        let Decided { session, phase, kind, rules, policy, asked, sent } = self;
        line.number("id", id.0);
        session.write(line);
        line.text("phase", phase.name());
        line.text("kind", kind);
        line.texts("rules", rules);
        line.text("policy", policy);
        line.text("asked", asked);
        line.text("sent", sent);
    }
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Execute => "execute",
        }
    }
}

impl Refused<'_> {
    fn write(&self, id: RecordId, line: &mut Line<'_>) {
        let Refused { session, policy, refusal, asked } = self;
        line.number("id", id.0);
        session.write(line);
        line.debug("refusal", &refusal.kind);
        line.optional("rule", refusal.rule.as_deref());
        line.text("message", &refusal.message);
        line.text("policy", policy);
        let kept = asked.floor_char_boundary(REFUSED_TEXT_BYTES_MAX);
        line.text("asked", asked.get(..kept).unwrap_or_default());
        if kept < asked.len() {
            line.number("asked_bytes", asked.len() as u64);
        }
    }
}

impl Finished<'_> {
    fn write(&self, line: &mut Line<'_>) {
        let Finished { id, outcome, rows, us } = self;
        line.number("id", id.0);
        match outcome {
            Outcome::Done => line.text("outcome", "done"),
            Outcome::Failed(sqlstate) => line.text("outcome", sqlstate),
            Outcome::Unknown => line.text("outcome", "unknown"),
        }
        line.number("rows", *rows);
        line.number("us", *us);
    }
}
