//! What kind a statement is, and what it does to the session. Everything unknown is refused by name.

use std::ops::ControlFlow;
use std::sync::Arc;

use access::{Refusal, RefusalKind};
use pg_raw_parse::raw::{DiscardMode, LockClauseStrength, TransactionStmtKind};
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{Node, nodes};

use crate::{copy, cursor, prepared, set_config, settings};

/// What kind a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, WITH: it reads.
    Select,
    /// EXPLAIN of one of those.
    Explain,
    /// COPY (query) TO STDOUT.
    Copy,
    /// COPY relation TO STDOUT, which reads as a query over that relation.
    CopyRelation,
    /// DECLARE.
    Declare,
    /// FETCH and MOVE.
    Fetch,
    /// PREPARE.
    Prepare,
    /// EXECUTE.
    Execute,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their kin.
    Transaction,
    /// SET and RESET.
    Set,
    /// SHOW.
    Show,
    /// DEALLOCATE, DISCARD, CLOSE, UNLISTEN *: it is about names that the session has given.
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
    /// A query is prepared under this name.
    Prepare(String),
    /// A cursor of this name is opened.
    Declare(String),
    /// One cursor is closed, or all.
    CloseCursor(Option<String>),
    /// Everything of the session is forgotten.
    DiscardAll,
}

impl Effect {
    /// The path by which names are looked up after it; none where it stays. `start` is the session's first.
    #[must_use]
    pub fn path<'p>(&'p self, start: &'p [Arc<str>]) -> Option<&'p [Arc<str>]> {
        match self {
            Self::SetSearchPath(Some(path)) => Some(path),
            Self::SetSearchPath(None) | Self::ResetAll | Self::DiscardAll => Some(start),
            Self::None
            | Self::Begin
            | Self::Commit { .. }
            | Self::Rollback { .. }
            | Self::Savepoint(_)
            | Self::Release(_)
            | Self::RollbackTo(_)
            | Self::Set { .. }
            | Self::Reset(_)
            | Self::Deallocate(_)
            | Self::Prepare(_)
            | Self::Declare(_)
            | Self::CloseCursor(_) => None,
        }
    }
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

    /// The form in which it shows the caller's own rights, where that is what it does.
    #[must_use]
    pub fn shows_rights(&self) -> Option<Rights> {
        if let Sent::Rights(form) = self.sent() { Some(*form) } else { None }
    }

    /// What goes upstream for it.
    pub(crate) fn sent(&self) -> &'b Sent {
        &self.class.sent
    }

    /// The tree; its locations are offsets into the whole text.
    pub(crate) fn raw(&self) -> &'b nodes::RawStmt {
        self.raw
    }

    /// The cursor that has to be open for it: of FETCH, MOVE and CLOSE.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other statement needs an open cursor")]
    pub fn cursor(&self) -> Option<&'b str> {
        match self.raw.stmt() {
            Node::FetchStmt(fetch) => fetch.portalname(),
            Node::ClosePortalStmt(close) => close.portalname(),
            _ => None,
        }
    }

    /// The query, of a SELECT or of a statement around one.
    pub(crate) fn select(&self) -> Option<&'b nodes::SelectStmt> {
        query(self.raw)
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

/// The query of a SELECT, or of a statement around one.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other statement has a query that is read")]
pub(crate) fn query(raw: &nodes::RawStmt) -> Option<&nodes::SelectStmt> {
    let query = match raw.stmt() {
        query @ Node::SelectStmt(_) => query,
        Node::ExplainStmt(explain) => explain.query(),
        Node::CopyStmt(copy) => copy.query(),
        Node::DeclareCursorStmt(declare) => declare.query(),
        Node::PrepareStmt(prepare) => prepare.query(),
        _ => return None,
    };
    <&nodes::SelectStmt>::try_from(query).ok()
}

/// What is known of a statement besides its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) kind: Kind,
    pub(crate) effect: Effect,
    pub(crate) sent: Sent,
}

/// How a caller is told what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// A row for each field of each relation.
    Rows,
    /// One row with one text.
    Text,
}

/// What goes upstream for a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// What the rewriter makes of it.
    Rewritten,
    /// Its own tree, printed.
    Itself,
    /// A setting with its checked value.
    Set { name: String, value: String, local: bool },
    /// The same by a query that answers with the value.
    SetConfig { name: String, value: String, local: bool },
    /// A setting's way back.
    Reset { name: String, tag: &'static str },
    /// A note of a new path.
    Path { path: Option<Vec<Arc<str>>>, tag: &'static str },
    /// A note of something else that the gateway alone does.
    Note { tag: &'static str },
    /// The tracked path.
    ShowPath,
    /// An answer that the gateway knows.
    Answer { name: String, answer: &'static str },
    /// What the caller may do.
    Rights(Rights),
}

/// What kind this is.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is refused")]
pub(crate) fn classify(raw: &nodes::RawStmt, source: &str) -> Result<Class, Refusal> {
    match raw.stmt() {
        Node::SelectStmt(select) => {
            if let Some(set) = set_config::classify(select) {
                return set.map_err(|refusal| refusal.at(raw.stmt_location));
            }
            check_reads_only(select)?;
            Ok(Class { kind: Kind::Select, effect: Effect::None, sent: Sent::Rewritten })
        }
        Node::ExplainStmt(explain) => classify_explain(explain),
        Node::TransactionStmt(transaction) => classify_transaction(transaction),
        Node::VariableSetStmt(set) => settings::set(set),
        Node::VariableShowStmt(show) => settings::show(show),
        Node::DeallocateStmt(deallocate) => {
            let name = deallocate.name().map(str::to_owned);
            let tag = if name.is_some() { "DEALLOCATE" } else { "DEALLOCATE ALL" };
            Ok(note(Effect::Deallocate(name), tag))
        }
        Node::DiscardStmt(discard) => Ok(classify_discard(discard)),
        Node::CopyStmt(copy) => copy::classify(copy),
        Node::DeclareCursorStmt(declare) => cursor::declare(declare),
        Node::FetchStmt(_) => Ok(cursor::fetch()),
        Node::ClosePortalStmt(close) => Ok(cursor::close(close)),
        Node::PrepareStmt(prepare) => prepared::classify_prepare(prepare),
        Node::ExecuteStmt(_) => Ok(prepared::classify_execute()),
        // A session listens to nothing: drivers say so before they hand a connection on.
        Node::UnlistenStmt(unlisten) if unlisten.conditionname().is_none() => {
            Ok(note(Effect::None, "UNLISTEN"))
        }
        other => Err(not_mediated(&statement_name(other, source))),
    }
    .map_err(|refusal| if refusal.position.is_some() { refusal } else { refusal.at(raw.stmt_location) })
}

fn classify_discard(discard: &nodes::DiscardStmt) -> Class {
    match discard.target {
        DiscardMode::DISCARD_PLANS => note(Effect::None, "DISCARD PLANS"),
        DiscardMode::DISCARD_SEQUENCES => note(Effect::None, "DISCARD SEQUENCES"),
        DiscardMode::DISCARD_TEMP => note(Effect::None, "DISCARD TEMP"),
        _ => note(Effect::DiscardAll, "DISCARD ALL"),
    }
}

fn note(effect: Effect, tag: &'static str) -> Class {
    Class { kind: Kind::Session, effect, sent: Sent::Note { tag } }
}

/// How a refusal calls a statement: by what it does, or by the keyword that it starts with.
#[expect(clippy::wildcard_enum_match_arm, reason = "the keyword names all others")]
fn statement_name(node: Node<'_>, source: &str) -> String {
    match node {
        // These may start with WITH.
        Node::InsertStmt(_) => "INSERT".to_owned(),
        Node::UpdateStmt(_) => "UPDATE".to_owned(),
        Node::DeleteStmt(_) => "DELETE".to_owned(),
        Node::MergeStmt(_) => "MERGE".to_owned(),
        _ => source.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase(),
    }
}

pub(crate) fn not_mediated(what: &str) -> Refusal {
    Refusal::new(RefusalKind::Unsupported, format!("{what} is not mediated by this version"))
        .hint("this gateway passes SELECT, EXPLAIN, transaction control, and SET and SHOW of listed settings")
}

/// A query may hold what writes or locks: CTEs that change data, INTO, FOR UPDATE.
pub(crate) fn check_reads_only(select: &nodes::SelectStmt) -> Result<(), Refusal> {
    let first = first_write(Node::SelectStmt(select));
    let found = first.or_else(|| {
        walk_manual(Node::SelectStmt(select), |node| match first_write(node) {
            Some(name) => ControlFlow::Break(name),
            None => Recurse::yes(),
        })
    });
    found.map_or(Ok(()), |name| Err(not_mediated(name)))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other node writes or locks; scope refuses nodes that it does not know"
)]
fn first_write(node: Node<'_>) -> Option<&'static str> {
    match node {
        Node::InsertStmt(_) => Some("INSERT in WITH"),
        Node::UpdateStmt(_) => Some("UPDATE in WITH"),
        Node::DeleteStmt(_) => Some("DELETE in WITH"),
        Node::MergeStmt(_) => Some("MERGE in WITH"),
        Node::SelectStmt(select) if select.into_clause().is_some() => Some("SELECT INTO"),
        Node::SelectStmt(select) => select.locking_clause().first().map(|lock| match lock.strength {
            LockClauseStrength::LCS_FORKEYSHARE => "FOR KEY SHARE",
            LockClauseStrength::LCS_FORSHARE => "FOR SHARE",
            LockClauseStrength::LCS_FORNOKEYUPDATE => "FOR NO KEY UPDATE",
            _ => "FOR UPDATE",
        }),
        _ => None,
    }
}

/// The options of EXPLAIN that show a plan and nothing else.
const EXPLAIN_OPTIONS: &[&str] = &["analyze", "verbose", "costs", "buffers", "timing", "summary", "format"];

fn classify_explain(explain: &nodes::ExplainStmt) -> Result<Class, Refusal> {
    for option in explain.options() {
        let name = option.defname().unwrap_or_default();
        let off = option.arg().as_str().is_some_and(|value| matches!(value, "off" | "false"));
        // SETTINGS would list settings that sessions cannot otherwise see; turned off it asks for nothing.
        let shows_a_plan = EXPLAIN_OPTIONS.contains(&name) || (name == "settings" && off);
        if !shows_a_plan {
            return Err(
                not_mediated(&format!("option {} of EXPLAIN", name.to_uppercase())).at(option.location)
            );
        }
    }
    let Node::SelectStmt(select) = explain.query() else {
        return Err(not_mediated("EXPLAIN of anything but a query"));
    };
    check_reads_only(select)?;
    Ok(Class { kind: Kind::Explain, effect: Effect::None, sent: Sent::Rewritten })
}

fn classify_transaction(transaction: &nodes::TransactionStmt) -> Result<Class, Refusal> {
    use TransactionStmtKind as K;
    let chain = transaction.chain;
    let savepoint = || transaction.savepoint_name().unwrap_or_default().to_owned();
    let effect = match transaction.kind {
        K::TRANS_STMT_BEGIN | K::TRANS_STMT_START => Effect::Begin,
        K::TRANS_STMT_COMMIT => Effect::Commit { chain },
        K::TRANS_STMT_ROLLBACK => Effect::Rollback { chain },
        K::TRANS_STMT_SAVEPOINT => Effect::Savepoint(savepoint()),
        K::TRANS_STMT_RELEASE => Effect::Release(savepoint()),
        K::TRANS_STMT_ROLLBACK_TO => Effect::RollbackTo(savepoint()),
        _ => return Err(not_mediated("two-phase commit")),
    };
    Ok(Class { kind: Kind::Transaction, effect, sent: Sent::Itself })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, parse};

    #[test]
    fn queries_pass() {
        for text in [
            "select 1",
            "values (1)",
            "table t",
            "with a as (select 1) select * from a",
            "(select 1) union select 2",
            "",
        ] {
            let batch = parse(text, &Limits::default()).expect(text);
            assert!(batch.statements().all(|statement| statement.kind() == Kind::Select), "{text}");
        }
        for text in [
            "explain select 1",
            "explain (analyze, format json, settings off) table t",
            "explain analyze verbose values (1)",
        ] {
            let batch = parse(text, &Limits::default()).expect(text);
            assert!(batch.statements().all(|s| s.kind() == Kind::Explain && s.select().is_some()), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (text, name) in [
            ("insert into t values (1)", "INSERT"),
            ("with a as (select 1) update t set a = 1", "UPDATE"),
            ("delete from t", "DELETE"),
            ("merge into t using s on true when matched then delete", "MERGE"),
            ("copy t from stdin", "COPY … FROM"),
            ("copy t to '/tmp/t'", "COPY to a file of the server"),
            ("copy (select 1) to program 'cat'", "COPY … TO PROGRAM"),
            ("copy (delete from t returning 1) to stdout", "COPY of a statement that writes"),
            ("copy (select 1 for update) to stdout", "FOR UPDATE"),
            ("copy t to stdout (freeze)", "option FREEZE of COPY … TO"),
            ("copy t to stdout (format csv, force_null (a))", "option FORCE_NULL of COPY … TO"),
            ("copy t to stdout (unheard_of 1)", "option UNHEARD_OF of COPY … TO"),
            ("declare c cursor with hold for select 1", "DECLARE … WITH HOLD"),
            ("declare c cursor for select 1 for update", "FOR UPDATE"),
            ("prepare p as insert into t values (1)", "PREPARE of anything but a query"),
            ("prepare p as select 1 into t", "SELECT INTO"),
            ("explain execute p", "EXPLAIN of anything but a query"),
            ("explain declare c cursor for select 1", "EXPLAIN of anything but a query"),
            ("create table t as execute p", "CREATE"),
            ("listen x", "LISTEN"),
            ("create table t (a int)", "CREATE"),
            ("create table t as select 1", "CREATE"),
            ("grant select on all tables in schema s to r", "GRANT"),
            ("call p()", "CALL"),
            ("do $$ $$", "DO"),
            ("lock t", "LOCK"),
            ("unlisten x", "UNLISTEN"),
            ("prepare transaction 'x'", "two-phase commit"),
            ("select 1 into t", "SELECT INTO"),
            ("select * from t for update", "FOR UPDATE"),
            ("select * from (select * from t for key share) t", "FOR KEY SHARE"),
            (
                "select 1 where exists (with a as (insert into t values (1) returning 1) select 1)",
                "INSERT in WITH",
            ),
            ("with a as (delete from t returning 1) select * from a", "DELETE in WITH"),
            ("explain insert into t values (1)", "EXPLAIN of anything but a query"),
            ("explain select * from t for share", "FOR SHARE"),
            ("explain (wal) select 1", "option WAL of EXPLAIN"),
            ("explain (settings) select 1", "option SETTINGS of EXPLAIN"),
        ] {
            let refused = parse(text, &Limits::default()).expect_err(text);
            assert_eq!(refused.message, format!("{name} is not mediated by this version"), "{text}");
            assert_eq!(refused.kind, RefusalKind::Unsupported);
        }
    }

    #[test]
    fn one_refusal_refuses_the_text() {
        let refused = parse("select 1; drop table t", &Limits::default()).expect_err("DROP");
        assert_eq!(refused.position, Some(10));
    }
}
