//! What kind a statement is, and what it does to the session. Everything unknown is refused by name.

use std::sync::Arc;

use access::{Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes};

/// What kind a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, WITH: it reads.
    Select,
    /// EXPLAIN of one of those.
    Explain,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their kin.
    Transaction,
    /// SET and RESET.
    Set,
    /// SHOW.
    Show,
    /// DEALLOCATE and DISCARD ALL: it is about what the gateway keeps for the session.
    Session,
    /// No statement: an empty text. It is not in a [`crate::Batch`].
    Empty,
}

/// What a statement does to the session, once its completion has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// A transaction begins.
    Begin,
    /// The transaction is committed.
    Commit {
        /// Whether another begins at once.
        chain: bool,
    },
    /// The transaction is rolled back.
    Rollback {
        /// Whether another begins at once.
        chain: bool,
    },
    /// A savepoint is set.
    Savepoint(String),
    /// A savepoint is released.
    Release(String),
    /// The transaction goes back to a savepoint.
    RollbackTo(String),
    /// A forwarded setting gets a value.
    Set {
        /// The setting, in lower case.
        name: String,
        /// The value, as the text of one parameter.
        value: String,
        /// Whether it lasts for the transaction only.
        local: bool,
    },
    /// A forwarded setting goes back to the value that the session started with.
    Reset(String),
    /// All settings go back, `search_path` with them.
    ResetAll,
    /// The tracked path changes; `None` is the session's default.
    SetSearchPath(Option<Vec<Arc<str>>>),
    /// One prepared statement is forgotten, or all.
    Deallocate(Option<String>),
    /// Everything of the session is forgotten.
    DiscardAll,
}

/// One statement of a [`crate::Batch`].
#[derive(Clone, Copy)]
pub struct Statement<'b> {
    raw: &'b nodes::RawStmt,
    source: &'b str,
    class: &'b Class,
}

impl<'b> Statement<'b> {
    pub(crate) fn new(raw: &'b nodes::RawStmt, source: &'b str, class: &'b Class) -> Self {
        Self { raw, source, class }
    }

    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.class.kind
    }

    /// What it does to the session.
    #[must_use]
    pub fn effect(&self) -> &'b Effect {
        &self.class.effect
    }

    /// The client's own text of this statement, for the record; never sent.
    #[must_use]
    pub fn source(&self) -> &'b str {
        self.source
    }

    /// The tree; its locations are offsets into the whole text.
    pub(crate) fn raw(&self) -> &'b nodes::RawStmt {
        self.raw
    }

    /// The query, of a SELECT or of what an EXPLAIN explains.
    pub(crate) fn select(&self) -> Option<&'b nodes::SelectStmt> {
        match self.raw.stmt() {
            Node::SelectStmt(select) => Some(select),
            Node::ExplainStmt(explain) => <&nodes::SelectStmt>::try_from(explain.query()).ok(),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Statement<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement")
            .field("source", &self.source)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// What is known of a statement besides its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) kind: Kind,
    pub(crate) effect: Effect,
}

/// What kind this is.
pub(crate) fn classify(raw: &nodes::RawStmt) -> Result<Class, Refusal> {
    match raw.stmt() {
        Node::SelectStmt(_) => Ok(Class { kind: Kind::Select, effect: Effect::None }),
        _ => Err(Refusal::new(RefusalKind::Unsupported, "this statement is not mediated by this version")
            .at(raw.stmt_location)),
    }
}
