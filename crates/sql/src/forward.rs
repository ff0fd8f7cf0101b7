//! What is sent for a statement that reads no relation: its own tree, or a stand-in for what only the gateway knows.
//! Each client statement becomes exactly one upstream statement, so that completions match one to one.

use std::sync::Arc;

use access::{Refusal, RefusalKind};
use pg_raw_parse::make::{MemoryToken, Unique, owned};
use pg_raw_parse::raw::VariableSetKind;
use pg_raw_parse::{ConstValue, Owned, nodes};

use crate::print::print_tree;
use crate::set_config;
use crate::statement::{Sent, Statement};

/// A placeholder setting of the session that takes the place of a change of the path. It means nothing upstream.
const PATH_NOTE: &str = "veilgate.search_path";

/// The same for everything else that only the gateway keeps.
const SESSION_NOTE: &str = "veilgate.session";

/// What is sent for a statement that reads no relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The one upstream statement.
    pub text: String,
    /// The command tag that the client gets instead of the server's, where they differ.
    pub tag: Option<&'static str>,
}

/// What is sent for this statement, which is of any kind but SELECT and EXPLAIN. `search_path` is the session's path as
/// SHOW would print it; see [`show_path`].
///
/// # Errors
/// A statement that has to be rewritten, or one that cannot be printed.
pub fn forward(statement: &Statement<'_>, search_path: &[Arc<str>]) -> Result<Forwarded, Refusal> {
    let (tree, tag) = match statement.sent() {
        Sent::Rewritten => {
            return Err(Refusal::new(RefusalKind::Unsupported, "this statement reads relations"));
        }
        Sent::Itself => (itself(statement.raw()), None),
        Sent::Set { name, value, local } => (set(name, value, *local), None),
        Sent::SetConfig { name, value, local } => {
            (set_config::statement(&["pg_catalog", "set_config"], name, value, *local), None)
        }
        Sent::Reset { name, tag } => (reset(name), Some(*tag)),
        Sent::Path { path, tag } => {
            (set(PATH_NOTE, &show_path(path.as_deref().unwrap_or_default()), false), Some(*tag))
        }
        Sent::Note { tag } => (set(SESSION_NOTE, "", false), Some(*tag)),
        Sent::ShowPath => (answered("search_path", &show_path(search_path)), Some("SHOW")),
        Sent::Answer { name, answer: text } => (answered(name, text), Some("SHOW")),
        Sent::Rights(_) => {
            return Err(Refusal::new(RefusalKind::Unsupported, "the rights of a caller are not told here"));
        }
    };
    Ok(Forwarded { text: print_tree(&tree)?.text().to_owned(), tag })
}

/// The statement that gives an upstream session this setting.
///
/// # Errors
/// A name or a value that cannot be printed.
pub fn set_statement(name: &str, value: &str) -> Result<String, Refusal> {
    Ok(print_tree(&set(name, value, false))?.text().to_owned())
}

/// A path as SHOW prints it.
#[must_use]
pub fn show_path(path: &[Arc<str>]) -> String {
    path.iter().map(|name| access::quote(name)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn itself(raw: &nodes::RawStmt) -> Owned<nodes::RawStmt> {
    owned(|mem| mem.make_unique(raw))
}

/// `SET name TO 'value'`
fn set(name: &str, value: &str, local: bool) -> Owned<nodes::RawStmt> {
    owned(|mem| {
        let mut set = variable(mem, name, VariableSetKind::VAR_SET_VALUE);
        let value = mem.make_a_const(ConstValue::String(value)).uncast();
        set.as_mut().set_args(mem.make_list(&[value]));
        set.as_mut().set_is_local(local);
        mem.make_raw_stmt(set.uncast())
    })
}

/// `RESET name`
fn reset(name: &str) -> Owned<nodes::RawStmt> {
    owned(|mem| mem.make_raw_stmt(variable(mem, name, VariableSetKind::VAR_RESET).uncast()))
}

fn variable<'m>(mem: MemoryToken<'m>, name: &str, kind: u32) -> Unique<'m, &'m nodes::VariableSetStmt> {
    let mut set = mem.make_node::<nodes::VariableSetStmt>();
    set.as_mut().set_kind(kind);
    set.as_mut().set_name(Some(mem.copy_string(name)));
    set
}

/// The statement that answers with one text, under this name.
///
/// # Errors
/// A text that cannot be printed.
pub fn answer(name: &str, text: &str) -> Result<String, Refusal> {
    Ok(print_tree(&answered(name, text))?.text().to_owned())
}

/// `SELECT 'text'::pg_catalog.text AS name`
fn answered(name: &str, text: &str) -> Owned<nodes::RawStmt> {
    owned(|mem| {
        let constant = mem.make_a_const(ConstValue::String(text)).uncast();
        let names = mem.make_list(&[mem.make_string(Some("pg_catalog")), mem.make_string(Some("text"))]);
        let mut cast = mem.make_type_cast(constant, names);
        if let Some(mut type_name) = cast.as_mut().type_name_mut() {
            type_name.set_typemod(-1);
        }
        let mut select = mem.make_node::<nodes::SelectStmt>();
        let target = mem.make_res_target(Some(name), mem.empty(), cast.uncast());
        select.as_mut().set_target_list(mem.make_list(&[target]));
        mem.make_raw_stmt(select.uncast())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, Kind, Limits, parse};

    fn sent(text: &str) -> (Kind, Effect, Forwarded) {
        let batch = parse(text, &Limits::default()).expect(text);
        let statement = batch.get(0).expect("one statement");
        let path: Vec<Arc<str>> = vec!["$user".into(), "public".into()];
        (statement.kind(), statement.effect().clone(), forward(&statement, &path).expect(text))
    }

    #[test]
    fn one_upstream_statement_for_each() {
        for (asked, text, tag) in [
            (
                "begin isolation level serializable, read only, deferrable",
                "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
                None,
            ),
            ("start transaction", "START TRANSACTION", None),
            ("end", "COMMIT", None),
            ("abort and chain", "ROLLBACK AND CHAIN", None),
            ("savepoint \"A b\"", "SAVEPOINT \"A b\"", None),
            ("rollback to savepoint a", "ROLLBACK TO SAVEPOINT a", None),
            ("release a", "RELEASE a", None),
            ("SET extra_float_digits = 3", "SET extra_float_digits TO \"3\"", None),
            (
                "SET application_name = 'PostgreSQL JDBC Driver'",
                "SET application_name TO \"PostgreSQL JDBC Driver\"",
                None,
            ),
            ("set datestyle to ISO, MDY", "SET datestyle TO \"iso, mdy\"", None),
            ("set \"DateStyle\" to 'it''s\\'", "SET datestyle TO \"it's\\\"", None),
            ("set local statement_timeout = '5s'", "SET LOCAL statement_timeout TO \"5s\"", None),
            ("set time zone -7.5", "SET timezone TO \"-7.5\"", None),
            ("set time zone local", "RESET timezone", Some("SET")),
            ("set names 'utf-8'", "SET client_encoding TO \"UTF8\"", None),
            ("set standard_conforming_strings = on", "SET standard_conforming_strings TO ON", None),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                "SET default_transaction_read_only TO ON",
                None,
            ),
            (
                "set transaction isolation level repeatable read",
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                None,
            ),
            ("reset datestyle", "RESET datestyle", Some("RESET")),
            ("reset all", "SET \"veilgate.session\" TO ''", Some("RESET")),
            (
                "set search_path to a, \"B'\"",
                "SET \"veilgate.search_path\" TO \"a, \"\"B'\"\"\"",
                Some("SET"),
            ),
            ("reset search_path", "SET \"veilgate.search_path\" TO ''", Some("RESET")),
            ("show search_path", "SELECT '\"$user\", public'::pg_catalog.text AS search_path", Some("SHOW")),
            ("SHOW TRANSACTION ISOLATION LEVEL", "SHOW TRANSACTION ISOLATION LEVEL", None),
            ("show time zone", "SHOW TIME ZONE", None),
            ("show server_version", "SHOW server_version", None),
            ("show is_superuser", "SELECT 'off'::pg_catalog.text AS is_superuser", Some("SHOW")),
            ("deallocate x", "SET \"veilgate.session\" TO ''", Some("DEALLOCATE")),
            ("deallocate all", "SET \"veilgate.session\" TO ''", Some("DEALLOCATE ALL")),
            ("discard all", "SET \"veilgate.session\" TO ''", Some("DISCARD ALL")),
            ("discard temp", "SET \"veilgate.session\" TO ''", Some("DISCARD TEMP")),
            ("close all", "CLOSE ALL", None),
            ("close \"A b\"", "CLOSE \"A b\"", None),
            ("fetch c", "FETCH c", None),
            ("fetch all from c", "FETCH ALL c", None),
            ("fetch forward 10 in c", "FETCH FORWARD 10 c", None),
            ("fetch backward all from c", "FETCH BACKWARD ALL c", None),
            ("fetch first from c", "FETCH FIRST c", None),
            ("fetch last from c", "FETCH LAST c", None),
            ("fetch absolute -3 c", "FETCH ABSOLUTE -3 c", None),
            ("fetch relative 0 c", "FETCH RELATIVE 0 c", None),
            ("move prior in c", "MOVE PRIOR c", None),
            ("prepare p as select 1", "SET \"veilgate.session\" TO ''", Some("PREPARE")),
            ("unlisten *", "SET \"veilgate.session\" TO ''", Some("UNLISTEN")),
            ("set session authorization default", "SET \"veilgate.session\" TO ''", Some("SET")),
            ("set role none", "SET \"veilgate.session\" TO ''", Some("SET")),
            ("reset role", "SET \"veilgate.session\" TO ''", Some("RESET")),
        ] {
            let (_, _, forwarded) = sent(asked);
            assert_eq!((forwarded.text.as_str(), forwarded.tag), (text, tag), "{asked}");
        }
    }

    #[test]
    fn effects_are_those_of_the_session() {
        let text = str::to_owned;
        for (asked, kind, effect) in [
            ("begin", Kind::Transaction, Effect::Begin),
            ("commit and chain", Kind::Transaction, Effect::Commit { chain: true }),
            ("rollback to a", Kind::Transaction, Effect::RollbackTo(text("a"))),
            (
                "set session characteristics as transaction isolation level serializable",
                Kind::Set,
                Effect::Set {
                    name: text("default_transaction_isolation"),
                    value: text("serializable"),
                    local: false,
                },
            ),
            ("set transaction read only", Kind::Set, Effect::None),
            ("set time zone default", Kind::Set, Effect::Reset(text("timezone"))),
            ("set search_path = ''", Kind::Set, Effect::SetSearchPath(Some(vec!["".into()]))),
            (
                "set search_path = a, 'B, c'",
                Kind::Set,
                Effect::SetSearchPath(Some(vec!["a".into(), "B, c".into()])),
            ),
            ("set search_path to default", Kind::Set, Effect::SetSearchPath(None)),
            ("deallocate prepare x", Kind::Session, Effect::Deallocate(Some(text("x")))),
            ("discard all", Kind::Session, Effect::DiscardAll),
        ] {
            let (was, did, _) = sent(asked);
            assert_eq!((was, did), (kind, effect), "{asked}");
        }
    }
}
