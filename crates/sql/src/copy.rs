//! COPY … TO STDOUT: what of it passes, and how a COPY of a relation becomes one of a query.

use access::{Catalog, Refusal, RefusalKind, RelationKind};
use pg_raw_parse::make::{MemoryToken, Unique, owned};
use pg_raw_parse::{Node, Owned, nodes};

use crate::names::{self, Session};
use crate::statement::{Class, Effect, Kind, Sent, Statement, check_reads_only, not_mediated};

/// The options that say how rows are written, and nothing else.
pub(crate) const OPTIONS: &[&str] =
    &["format", "delimiter", "null", "header", "quote", "escape", "force_quote", "encoding"];

pub(crate) fn classify(copy: &nodes::CopyStmt) -> Result<Class, Refusal> {
    if copy.is_from {
        return Err(not_mediated("COPY … FROM"));
    }
    if copy.is_program {
        return Err(not_mediated("COPY … TO PROGRAM").hint("write TO STDOUT; psql has \\copy for files"));
    }
    if copy.filename().is_some() {
        return Err(not_mediated("COPY to a file of the server")
            .hint("write TO STDOUT; psql has \\copy for files of its own"));
    }
    for option in copy.options() {
        check_option(option)?;
    }
    let kind = match (copy.relation(), copy.query()) {
        (Some(_), Node::None) => Kind::CopyRelation,
        (None, Node::SelectStmt(select)) => {
            check_reads_only(select)?;
            Kind::Copy
        }
        _ => return Err(not_mediated("COPY of a statement that writes")),
    };
    Ok(Class { kind, effect: Effect::None, sent: Sent::Rewritten })
}

fn check_option(option: &nodes::DefElem) -> Result<(), Refusal> {
    let name = option.defname().unwrap_or_default();
    if !OPTIONS.contains(&name) {
        return Err(not_mediated(&format!("option {} of COPY … TO", name.to_uppercase())).at(option.location));
    }
    let utf8 = |name: &str| matches!(&*name.to_ascii_lowercase(), "utf8" | "utf-8" | "unicode");
    if name == "encoding" && !option.arg().as_str().is_some_and(utf8) {
        let message = "COPY writes UTF8 only, as the session does";
        return Err(Refusal::new(RefusalKind::Setting, message).at(option.location));
    }
    Ok(())
}

/// `COPY t (a, b) TO STDOUT` as `COPY (SELECT a, b FROM ONLY t) TO STDOUT`; none for every other statement.
pub(crate) fn of_query(raw: &nodes::RawStmt) -> Option<Owned<nodes::RawStmt>> {
    let Node::CopyStmt(copy) = raw.stmt() else { return None };
    let relation = copy.relation().filter(|_| !copy.is_from)?;
    Some(owned(|mem| {
        let mut made = mem.make_node::<nodes::CopyStmt>();
        made.as_mut().set_query(select(mem, relation, copy));
        made.as_mut().set_options(mem.make_unique(copy.options()));
        let mut raw = mem.make_unique(raw);
        raw.as_mut().set_stmt(made.uncast());
        raw
    }))
}

fn select<'m>(
    mem: MemoryToken<'m>,
    relation: &nodes::RangeVar,
    copy: &nodes::CopyStmt,
) -> Unique<'m, Node<'m>> {
    let column =
        |part| mem.make_res_target(None, mem.empty(), mem.make_column_ref(mem.make_list(&[part])).uncast());
    let mut targets: Vec<_> = copy.attlist().iter().map(|name| column(mem.make_unique(name))).collect();
    if targets.is_empty() {
        targets.push(column(mem.make_node::<nodes::A_Star>().uncast()));
    }
    let mut range = mem.make_unique(relation);
    // A table is copied without its children.
    range.as_mut().set_inh(false);
    let mut select = mem.make_node::<nodes::SelectStmt>();
    select.as_mut().set_target_list(mem.make_list(&targets));
    select.as_mut().set_from_clause(mem.make_list(&[range.uncast()]));
    select.uncast()
}

/// What the server says to a COPY of a relation that is no table. The caller is known to see it.
pub(crate) fn check_relation(
    statement: &Statement<'_>,
    catalog: &Catalog,
    session: &Session<'_>,
) -> Result<(), Refusal> {
    let from = statement.select().filter(|_| statement.kind() == Kind::CopyRelation);
    let Some(Node::RangeVar(range)) = from.and_then(|select| select.from_clause().first()) else {
        return Ok(());
    };
    let relation = names::relation(range, catalog, session)?;
    let what = match relation.kind {
        RelationKind::Table => return Ok(()),
        RelationKind::Partitioned => "partitioned table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::ForeignTable => "foreign table",
        RelationKind::Sequence => "sequence",
        RelationKind::Composite | RelationKind::Other => "non-table relation",
    };
    let message = format!("cannot copy from {what} \"{}\"", relation.name.name);
    Err(Refusal::new(RefusalKind::WrongObject, message)
        .hint("Try the COPY (SELECT ...) TO variant.")
        .at(range.location))
}

/// Whether this COPY, as it will be sent, only writes the rows of a query to the client.
pub(crate) fn writes_rows_only(copy: &nodes::CopyStmt) -> bool {
    let known = |option: &nodes::DefElem| {
        option.defnamespace().is_none() && option.defname().is_some_and(|name| OPTIONS.contains(&name))
    };
    !copy.is_from
        && !copy.is_program
        && copy.filename().is_none()
        && copy.relation().is_none()
        && copy.attlist().is_empty()
        && matches!(copy.where_clause(), Node::None)
        && copy.options().iter().all(known)
}
