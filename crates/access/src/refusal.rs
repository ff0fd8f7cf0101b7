//! A no, with a reason that its receiver may know.

use std::fmt;
use std::sync::Arc;

/// Why a request does not happen. It holds nothing that the client should not learn; each proxy's `answer.rs` turns it
/// into the protocol's own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of no it is.
    pub kind: RefusalKind,
    /// One line, lowercase, no final period, names in backticks.
    pub message: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
    /// The rule that said no, where one did.
    pub rule: Option<Arc<str>>,
    /// Where in the client's text, as an offset in bytes.
    pub position: Option<usize>,
}

/// Kinds of refusal. `docs/refusals.md` has a line for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A rule of the policy said no, or no rule says yes.
    Denied,
    /// A relation that does not exist for this caller.
    UnknownRelation,
    /// A column that does not exist for this caller.
    UnknownColumn,
    /// A name that fits more than one column.
    AmbiguousColumn,
    /// A function, operator, cast or type that is not on the reviewed list.
    UnlistedCall,
    /// A statement, clause or form that is not mediated.
    Unsupported,
    /// An expression that could fail or tell over rows that the caller may not see.
    AtRisk,
    /// A setting outside the allow list, or a value outside its bounds.
    Setting,
    /// Text that Postgres's grammar does not accept.
    Syntax,
    /// A statement that is too long or too deep.
    TooComplex,
    /// Text that is not valid UTF-8 or holds a NUL.
    Encoding,
    /// What would be sent does not read back as what was meant.
    Unprintable,
    /// The record cannot be written.
    Unrecorded,
    /// The caller is not known, not proven, or lacks what the policy requires.
    Login,
    /// A purpose that the caller may not choose, or none chosen among several.
    Purpose,
    /// A named prepared statement, portal or savepoint that does not exist or exists already.
    SessionName,
    /// A cursor that is not open.
    UnknownCursor,
    /// A relation of a kind that the statement is not for.
    WrongObject,
    /// The store or the gateway cannot serve now.
    Unavailable,
}

impl Refusal {
    /// A refusal of this kind with this message.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, rule: None, position: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with the rule that said no.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<Arc<str>>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// The same with a place in the client's text, in bytes; a negative location of the parser is no place.
    #[must_use]
    pub fn at(mut self, location: i32) -> Self {
        self.position = usize::try_from(location).ok();
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
