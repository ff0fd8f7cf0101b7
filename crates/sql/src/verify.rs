//! The last look before a statement is sent: its text, read again, names no relation outside a guard.
//!
//! This walks the tree that was read back, by code that shares nothing with scope and rewrite but the one function that
//! makes a guard. It knows nothing of columns or of the barrier; it holds what a mistake there could not undo: rows and
//! columns come out of guards, and nothing else is read, called or written.

use std::ops::ControlFlow;

use access::{Catalog, Guard, Guards, Refusal, RefusalKind, Relation, RelationName, TypeKind};
use pg_raw_parse::make::try_owned;
use pg_raw_parse::raw::SQLValueFunctionOp;
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{ConstValue, Node, list::NodeList, nodes};

use crate::catalogue;
use crate::gates::ADMIT_PREFIX;
use crate::hidden::Hidden;
use crate::lists::{self, Lists};
use crate::lower::Mentioned;
use crate::print::Printed;
use crate::sample::sampled;
use crate::{copy, cursor, ffi, lower, on_stack, unnest, views_closed};

/// Checks what will be sent.
///
/// # Errors
/// Anything that stands outside a guard and should not: the gateway's own mistake, which ends in a refusal.
pub fn verify(printed: &Printed, guards: &Guards, catalog: &Catalog) -> Result<(), Refusal> {
    let select = match printed.statement().map(nodes::RawStmt::stmt) {
        Some(Node::SelectStmt(select)) => select,
        Some(Node::ExplainStmt(explain)) => {
            <&nodes::SelectStmt>::try_from(explain.query()).map_err(|_| unproven("an EXPLAIN of no query"))?
        }
        Some(Node::CopyStmt(copy)) if copy::writes_rows_only(copy) => {
            <&nodes::SelectStmt>::try_from(copy.query()).map_err(|_| unproven("a COPY of no query"))?
        }
        Some(Node::DeclareCursorStmt(declare)) if cursor::ends_with_its_transaction(declare) => {
            <&nodes::SelectStmt>::try_from(declare.query()).map_err(|_| unproven("a cursor of no query"))?
        }
        _ => return Err(unproven("a statement that is no query")),
    };
    let lists = lists::of_server(catalog)?;
    let names = Names { here: Vec::new(), outer: None };
    let verifier = Verifier { guards, catalog, lists, hidden: &printed.hidden };
    on_stack(printed.text().len(), || verifier.select(select, &names))
}

/// The names of WITH that a place can see.
struct Names<'n> {
    here: Vec<&'n str>,
    outer: Option<&'n Names<'n>>,
}

impl Names<'_> {
    fn hold(&self, name: &str) -> bool {
        self.here.contains(&name) || self.outer.is_some_and(|outer| outer.hold(name))
    }
}

struct Verifier<'v> {
    guards: &'v Guards,
    catalog: &'v Catalog,
    lists: &'static Lists,
    hidden: &'v Hidden,
}

impl Verifier<'_> {
    fn select(&self, select: &nodes::SelectStmt, outer: &Names<'_>) -> Result<(), Refusal> {
        let mut names = Names { here: Vec::new(), outer: Some(outer) };
        if let Some(with) = select.with_clause() {
            let all: Vec<_> = with.ctes().iter().filter_map(nodes::CommonTableExpr::ctename).collect();
            // With RECURSIVE each sees all of them, itself too; otherwise those before it.
            if with.recursive {
                names.here.clone_from(&all);
            }
            for (cte, name) in with.ctes().iter().zip(all) {
                self.node(cte.ctequery(), &names)?;
                names.here.push(name);
            }
        }
        self.children(Node::SelectStmt(select), &names)
    }

    fn children(&self, node: Node<'_>, names: &Names<'_>) -> Result<(), Refusal> {
        if matches!(node, Node::None) {
            // The C walker reads what it is given.
            return Ok(());
        }
        let stopped = walk_manual(node, |child| match self.node(child, names) {
            Ok(recurse) => ControlFlow::Continue(recurse),
            Err(refusal) => ControlFlow::Break(refusal),
        });
        stopped.map_or(Ok(()), Err)
    }

    /// One node: whether what is below it is still to be looked at.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is refused")]
    fn node(&self, node: Node<'_>, names: &Names<'_>) -> Result<Recurse, Refusal> {
        match node {
            Node::SelectStmt(select) => self.select(select, names).map(|()| Recurse::No),
            // Seen to together with the SELECT that it belongs to.
            Node::WithClause(_) => Ok(Recurse::No),
            Node::RangeSubselect(subselect) => match stands_for(subselect) {
                Some((relation, sample, guard)) => {
                    if let Some(sample) = sample {
                        self.each(sample.args().iter().chain([sample.repeatable()]), names)?;
                    }
                    self.guard(relation, sample, guard).map(|()| Recurse::No)
                }
                None => Ok(Recurse::Yes),
            },
            Node::RangeVar(range) => common_table(range, names).map(|()| Recurse::No),
            Node::RangeFunction(function) => self.function(function, names),
            Node::TypeCast(cast) if catalogue::object_type_of(cast).is_some() => {
                check_object_cast(cast)?;
                match self.node(cast.arg(), names)? {
                    Recurse::Yes => self.children(cast.arg(), names).map(|()| Recurse::No),
                    Recurse::No => Ok(Recurse::No),
                }
            }
            Node::FuncCall(call) => check_call(call, self.lists).map(|()| Recurse::Yes),
            Node::SQLValueFunction(function) => check_value_function(function).map(|()| Recurse::Yes),
            Node::TypeName(name) => self.check_type(name).map(|()| Recurse::Yes),
            // The walk leaves out the types of these columns.
            Node::RangeTableFuncCol(column) => match column.type_name() {
                Some(name) => self.check_type(name).map(|()| Recurse::Yes),
                None => Ok(Recurse::Yes),
            },
            Node::A_Indirection(indirection) => {
                check_fields(indirection.indirection(), self.lists).map(|()| Recurse::Yes)
            }
            Node::A_Expr(expression) => check_operator(expression.name()).map(|()| Recurse::Yes),
            Node::SubLink(link) => check_operator(link.oper_name()).map(|()| Recurse::Yes),
            Node::ParamRef(parameter) if self.hidden.holds(parameter.number) => {
                Err(unproven("a key outside its guard"))
            }
            Node::SortBy(sort) => check_operator(sort.use_op()).map(|()| Recurse::Yes),
            node if reads_nothing_itself(node) => Ok(Recurse::Yes),
            _ => Err(unproven("a form that is not known")),
        }
    }

    /// A function in FROM. `unnest` of several arrays stands without its schema, and is the server's own all the same.
    fn function(&self, function: &nodes::RangeFunction, names: &Names<'_>) -> Result<Recurse, Refusal> {
        let Some(call) = unnest::of_several(function) else { return Ok(Recurse::Yes) };
        self.each(call.args().iter(), names)?;
        Ok(Recurse::No)
    }

    fn each<'n>(&self, nodes: impl Iterator<Item = Node<'n>>, names: &Names<'_>) -> Result<(), Refusal> {
        for node in nodes {
            if matches!(self.node(node, names)?, Recurse::Yes) {
                self.children(node, names)?;
            }
        }
        Ok(())
    }

    /// A subquery over a relation of the store: it is exactly the guard of that relation.
    fn guard(
        &self,
        range: &nodes::RangeVar,
        sample: Option<&nodes::RangeTableSample>,
        select: &nodes::SelectStmt,
    ) -> Result<(), Refusal> {
        let (Some(schema), Some(name), None) = (range.schemaname(), range.relname(), range.catalogname())
        else {
            return Err(unproven("a relation without its schema"));
        };
        let relation = self.catalog.relation(&RelationName::new(schema, name));
        let relation = relation.ok_or_else(|| unproven("an unknown relation"))?;
        let guard = self.guard_of(relation).ok_or_else(|| unproven("a relation without a guard"))?;
        if sample.is_some() && guard.rows.is_some() {
            return Err(unproven("a sample of rows that are filtered"));
        }
        let mut shown = shown(select).ok_or_else(|| unproven("a guard without names"))?;
        // One more column may say whether a row is admitted: a gate's.
        let admit = shown.pop_if(|last| guard.rows.is_some() && last.starts_with(ADMIT_PREFIX));
        // In an opened view columns that are hidden stand as NULL; a name of one tells nothing of its values.
        let all = views_closed::widened(guard, relation);
        let hides = |name: &&str| guard.columns.iter().all(|column| &*column.name != *name);
        let guard = if shown.iter().any(hides) { &all } else { guard };
        let used = |name: &str| shown.contains(&name);
        let mention = Mentioned { relation, only: !range.inh, sample, admit };
        let expected =
            try_owned(|mem| lower::guard_select(mem, guard, &mention, self.catalog, self.hidden, used))?;
        let equal = ffi::same_node(Node::SelectStmt(select), Node::SelectStmt(&expected));
        if equal && has_shape_of(select, &shown, guard, relation) {
            Ok(())
        } else {
            Err(unproven("a relation outside its guard"))
        }
    }

    /// The guard of the topmost parent. A loop of parents, or several parents, have none.
    fn guard_of(&self, relation: &Relation) -> Option<&Guard> {
        let mut top = relation;
        for _ in 0..=self.catalog.relations.len() {
            match &top.parents[..] {
                [] => return self.guards.of(&top.name),
                [parent] => top = self.catalog.relation(parent)?,
                _ => return None,
            }
        }
        None
    }

    /// Types are built in, enums, or domains without a CHECK: no row types, and nothing that looks a name up.
    fn check_type(&self, name: &nodes::TypeName) -> Result<(), Refusal> {
        let parts: Vec<_> = name.names().iter().filter_map(nodes::String::sval).collect();
        let known = match parts[..] {
            ["pg_catalog", name] => {
                self.lists.builtin_type(name).is_some_and(|oid| !self.lists.names_an_object(oid))
            }
            [schema, name] => self.catalog.type_named(schema, name).is_some_and(|ty| match ty.kind {
                TypeKind::Enum => true,
                TypeKind::Domain { constrained, .. } => !constrained,
                TypeKind::Base
                | TypeKind::Array { .. }
                | TypeKind::Composite
                | TypeKind::Range
                | TypeKind::Pseudo => false,
            }),
            _ => false,
        };
        if known && !name.pct_type && !name.setof {
            Ok(())
        } else {
            Err(unproven("a type that is not listed"))
        }
    }
}

/// The names of a guard's columns.
fn shown(select: &nodes::SelectStmt) -> Option<Vec<&str>> {
    fn name(target: &nodes::ResTarget) -> Option<&str> {
        match (target.name(), target.val()) {
            (Some(name), _) => Some(name),
            (None, Node::ColumnRef(column)) if column.fields().len() == 1 => {
                column.fields().first()?.as_str()
            }
            (None, _) => None,
        }
    }
    select.target_list().iter().map(name).collect()
}

/// What a guard must be, said once more without the code that makes it: visible columns by name, each once and in order,
/// and a condition exactly where rows are filtered.
fn has_shape_of(select: &nodes::SelectStmt, shown: &[&str], guard: &Guard, relation: &Relation) -> bool {
    let visible = guard.columns.iter().map(|column| &*column.name);
    let visible = visible.filter(|name| relation.column(name).is_some() && shown.contains(name));
    let filtered = !matches!(select.where_clause(), Node::None);
    shown.iter().copied().eq(visible) && filtered == guard.rows.is_some()
}

/// A relation, what takes a sample of it, and the subquery that reads it.
type StandsFor<'s> = (&'s nodes::RangeVar, Option<&'s nodes::RangeTableSample>, &'s nodes::SelectStmt);

/// These, where a subquery in FROM reads one relation by its full name and nothing else.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is a relation")]
fn stands_for(subselect: &nodes::RangeSubselect) -> Option<StandsFor<'_>> {
    let select = <&nodes::SelectStmt>::try_from(subselect.subquery()).ok()?;
    let mut from = select.from_clause().iter();
    let (range, sample) = match from.next()? {
        Node::RangeVar(range) => (range, None),
        Node::RangeTableSample(sample) => (sampled(sample)?, Some(sample)),
        _ => return None,
    };
    let alone = from.next().is_none() && range.schemaname().is_some() && !subselect.lateral;
    alone.then_some((range, sample, select))
}

/// A relation outside guards is a name of WITH.
fn common_table(range: &nodes::RangeVar, names: &Names<'_>) -> Result<(), Refusal> {
    let bare = range.schemaname().is_none() && range.catalogname().is_none();
    if bare && range.relname().is_some_and(|name| names.hold(name)) {
        return Ok(());
    }
    Err(unproven("a relation outside its guard"))
}

/// Calls that are not on the list and yet tell nothing of others.
const ABOUT_THE_SESSION: &[&str] =
    &["current_database", "version", "pg_backend_pid", "pg_is_in_recovery", "current_setting"];

/// A call names `pg_catalog`, and every function of that name there is on the list.
fn check_call(call: &nodes::FuncCall, lists: &Lists) -> Result<(), Refusal> {
    if catalogue::is_expandarray(call) {
        return Ok(());
    }
    let parts: Vec<_> = call.funcname().iter().filter_map(Node::as_str).collect();
    let ["pg_catalog", name] = parts[..] else { return Err(unproven("a call without its schema")) };
    // Which overload is meant is for the rewriter to say; some names have one that is listed and one that is not.
    if lists.functions(name).iter().any(|overload| overload.listed)
        || ABOUT_THE_SESSION.contains(&name)
        || catalogue::is_sent(name)
    {
        return Ok(());
    }
    // `tsquery('a')` is a cast where there is no function of that name.
    let is_cast = lists.functions(name).is_empty() && call.args().len() == 1;
    let ty = lists.builtin_type(name).filter(|ty| lists.is_value_type(*ty));
    if is_cast && ty.is_some_and(|ty| !lists.names_an_object(ty)) {
        return Ok(());
    }
    Err(unproven("a call that is not on the list"))
}

/// A cast to `regclass` and its kin: of a number, of one of the server's own functions, or of what is computed.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is computed has been checked by the rewriter")]
fn check_object_cast(cast: &nodes::TypeCast) -> Result<(), Refusal> {
    let written = match cast.arg() {
        Node::ParamRef(_) => None,
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::String(text)) => Some(text),
            _ if constant.isnull => Some("0"),
            _ => None,
        },
        _ => Some("0"),
    };
    let own = |text: &str| {
        let name = text.strip_prefix("pg_catalog.").unwrap_or_default();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if written.is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()) || own(text)) {
        return Ok(());
    }
    Err(unproven("a name that is looked up"))
}

/// The upstream login is nobody's business.
fn check_value_function(function: &nodes::SQLValueFunction) -> Result<(), Refusal> {
    use SQLValueFunctionOp as Op;
    match function.op {
        Op::SVFOP_CURRENT_ROLE
        | Op::SVFOP_CURRENT_USER
        | Op::SVFOP_USER
        | Op::SVFOP_SESSION_USER
        | Op::SVFOP_CURRENT_SCHEMA => Err(unproven("the name of the upstream login")),
        _ => Ok(()),
    }
}

/// `(x).f` is also a call of `f` with one argument. (`t.f` is one too, but only of what takes a row.)
fn check_fields(indirection: &NodeList, lists: &Lists) -> Result<(), Refusal> {
    let called = indirection.iter().filter_map(Node::as_str);
    let mut overloads = called.flat_map(|name| lists.functions(name));
    if overloads.any(|overload| !overload.listed && overload.args.len() == 1) {
        return Err(unproven("a call that is not on the list"));
    }
    Ok(())
}

/// An operator has no schema, or `pg_catalog`.
fn check_operator(name: &NodeList) -> Result<(), Refusal> {
    let parts: Vec<_> = name.iter().filter_map(Node::as_str).collect();
    match parts[..] {
        [] | [_] | ["pg_catalog", _] => Ok(()),
        _ => Err(unproven("an operator of another schema")),
    }
}

/// Nodes that only hold others.
fn reads_nothing_itself(node: Node<'_>) -> bool {
    matches!(
        node,
        Node::None
            | Node::NodeList(_)
            | Node::Alias(_)
            | Node::String(_)
            | Node::Integer(_)
            | Node::Float(_)
            | Node::Boolean(_)
            | Node::BitString(_)
            | Node::ColumnRef(_)
            | Node::A_Star(_)
            | Node::A_Const(_)
            | Node::ParamRef(_)
            | Node::A_Indices(_)
            | Node::A_ArrayExpr(_)
            | Node::ResTarget(_)
            | Node::TypeCast(_)
            | Node::CollateClause(_)
            | Node::BoolExpr(_)
            | Node::NullTest(_)
            | Node::BooleanTest(_)
            | Node::CaseExpr(_)
            | Node::CaseWhen(_)
            | Node::CoalesceExpr(_)
            | Node::MinMaxExpr(_)
            | Node::RowExpr(_)
            | Node::NamedArgExpr(_)
            | Node::GroupingFunc(_)
            | Node::GroupingSet(_)
            | Node::WindowDef(_)
            | Node::JoinExpr(_)
            | Node::ColumnDef(_)
            | Node::CommonTableExpr(_)
            | Node::CTESearchClause(_)
            | Node::CTECycleClause(_)
            | Node::XmlExpr(_)
            | Node::XmlSerialize(_)
            | Node::RangeTableFunc(_)
            | Node::JsonTable(_)
            | Node::JsonTableColumn(_)
            | Node::JsonTablePathSpec(_)
            | Node::JsonFuncExpr(_)
            | Node::JsonBehavior(_)
            | Node::JsonArgument(_)
            | Node::JsonFormat(_)
            | Node::JsonReturning(_)
            | Node::JsonOutput(_)
            | Node::JsonValueExpr(_)
            | Node::JsonKeyValue(_)
            | Node::JsonObjectConstructor(_)
            | Node::JsonArrayConstructor(_)
            | Node::JsonArrayQueryConstructor(_)
            | Node::JsonAggConstructor(_)
            | Node::JsonObjectAgg(_)
            | Node::JsonArrayAgg(_)
            | Node::JsonParseExpr(_)
            | Node::JsonScalarExpr(_)
            | Node::JsonSerializeExpr(_)
            | Node::JsonIsPredicate(_)
    )
}

/// The gateway's own mistake: what stands there is for its log, the client learns only that nothing was sent.
fn unproven(what: &'static str) -> Refusal {
    Refusal::new(
        RefusalKind::Unprintable,
        format!("this statement was not sent: its rewritten form holds {what}"),
    )
    .hint("please report the statement's shape; nothing was read")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use access::{
        Cell, Column, Comparison, Field, FieldType, GuardedColumn, Mask, Operand, Predicate, RelationKind,
        SqlType, Value,
    };
    use pg_raw_parse::make::owned;

    use super::*;
    use crate::print::print_tree;

    const INT4: u32 = 23;
    const TEXT: u32 = 25;

    fn relation(name: &str, parents: &[&str]) -> Arc<Relation> {
        let column = |name: &str, oid| Column {
            name: name.into(),
            type_oid: oid,
            base_oid: oid,
            typmod: -1,
            not_null: false,
            collation: 0,
        };
        Arc::new(Relation {
            name: RelationName::new("public", name),
            oid: 20000,
            row_type: 20001,
            kind: RelationKind::Table,
            columns: vec![column("id", INT4), column("name", TEXT), column("secret", TEXT)],
            primary_key: vec![],
            parents: parents.iter().map(|parent| RelationName::new("public", *parent)).collect(),
            is_partition: false,
            has_rules: false,
            row_security: false,
            definition: None,
            security_barrier: false,
        })
    }

    fn catalog() -> Catalog {
        let relations = [relation("t", &[]), relation("part", &["t"]), relation("u", &[])];
        let ty =
            |oid: u32, name: &str, kind| SqlType { oid, schema: "public".into(), name: name.into(), kind };
        let types = [ty(30000, "mood", TypeKind::Enum), ty(20001, "t", TypeKind::Composite)];
        let text =
            SqlType { oid: TEXT, schema: "pg_catalog".into(), name: "text".into(), kind: TypeKind::Base };
        Catalog {
            server_version: 150_018,
            relations: relations.into_iter().map(|relation| (relation.name.clone(), relation)).collect(),
            types: types.into_iter().chain([text]).map(|ty| (ty.oid, ty)).collect::<HashMap<_, _>>(),
            ..Catalog::default()
        }
    }

    fn guards() -> Guards {
        let id = Field { name: "id".into(), ty: FieldType::Int };
        let rows = Predicate::Compare(Comparison::Less, Operand::Field(id), Operand::Value(Value::Int(9)));
        let columns = [("id", Mask::Clear), ("name", Mask::Nullify)];
        let columns =
            columns.map(|(name, mask)| GuardedColumn { name: name.into(), cell: Cell::always(mask) });
        let guard =
            Guard { relation: RelationName::new("public", "t"), rows: Some(rows), columns: columns.into() };
        Guards { relations: vec![guard], ..Guards::default() }
    }

    /// The guard of a relation, as text.
    fn guard(relation: &str) -> String {
        let (catalog, guards) = (catalog(), guards());
        let relation = catalog.relation(&RelationName::new("public", relation)).unwrap();
        let tree = owned(|mem| {
            let mention = Mentioned { relation, only: false, sample: None, admit: None };
            let hidden = Hidden::default();
            let select =
                lower::guard_select(mem, &guards.relations[0], &mention, &catalog, &hidden, |_| true)
                    .unwrap();
            mem.make_raw_stmt(select.uncast())
        });
        print_tree(&tree).unwrap().text().to_owned()
    }

    fn verified(text: &str) -> Result<(), Refusal> {
        verify(&Printed::read(text), &guards(), &catalog())
    }

    #[test]
    fn what_reads_through_guards_passes() {
        let (t, part) = (guard("t"), guard("part"));
        for text in [
            format!("SELECT * FROM ({t}) t"),
            format!("SELECT * FROM ({part}) p JOIN ({t}) t ON p.id = t.id"),
            format!("SELECT (SELECT pg_catalog.count(*) FROM ({t}) t) WHERE EXISTS (SELECT 1 FROM ({t}) AS x(a, b))"),
            format!("EXPLAIN WITH a AS (SELECT * FROM ({t}) t), b AS (SELECT * FROM a) SELECT * FROM b UNION SELECT * FROM a"),
            "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT * FROM a".to_owned(),
            "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a".to_owned(),
            "WITH a AS (SELECT 1) SELECT * FROM (SELECT * FROM a) x ORDER BY (SELECT 1 FROM a)".to_owned(),
            "SELECT pg_catalog.lower('x'::pg_catalog.text), 'sad'::public.mood, a OPERATOR(pg_catalog.+) 1, (x).name".to_owned(),
            "SELECT * FROM ROWS FROM (pg_catalog.generate_series(1, 2)) WITH ORDINALITY".to_owned(),
            "SELECT pg_catalog.tsquery('a')".to_owned(),
            "SELECT * FROM unnest(ARRAY[1], ARRAY[pg_catalog.lower('x')]) AS a(x, y)".to_owned(),
            "VALUES (current_date, CASE WHEN true THEN ARRAY[1] END)".to_owned(),
            "SELECT * FROM XMLTABLE('x' PASSING 'y' COLUMNS a pg_catalog.text PATH 'b' DEFAULT 'c', o FOR ORDINALITY) x".to_owned(),
            "SELECT * FROM JSON_TABLE('[]', '$' PASSING 1 AS x COLUMNS (a pg_catalog.text, NESTED PATH '$.b' COLUMNS (c pg_catalog.int4))) j".to_owned(),
            "SELECT JSON_VALUE('{}', '$' RETURNING pg_catalog.int4 DEFAULT 1 ON EMPTY), '{}' IS JSON, JSON_ARRAY(SELECT 1)".to_owned(),
        ] {
            assert_eq!(verified(&text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_key_stays_in_its_guard() {
        let (catalog, mut guards) = (catalog(), guards());
        let key = access::HashKey { root: "pii".into(), purpose: None };
        let hash = Cell::always(Mask::Hash(key.clone()));
        guards.relations[0].columns[1] = GuardedColumn { name: "name".into(), cell: hash };
        let asked = crate::parse::read("SELECT $1").unwrap();
        let hidden = Hidden::of(&guards, asked.first().unwrap(), 0).unwrap();
        let relation = catalog.relation(&RelationName::new("public", "t")).unwrap();
        let tree = owned(|mem| {
            let select = {
                let mention = Mentioned { relation, only: false, sample: None, admit: None };
                lower::guard_select(mem, &guards.relations[0], &mention, &catalog, &hidden, |_| true)
            };
            mem.make_raw_stmt(select.unwrap().uncast())
        });
        let guard = print_tree(&tree).unwrap().text().to_owned();
        let verified =
            |text: &str, hidden: &Hidden| verify(&Printed::read_with(text, hidden), &guards, &catalog);
        let right = format!("SELECT *, $1 FROM ({guard}) t");
        assert_eq!(verified(&right, &hidden), Ok(()), "{right}");
        for wrong in [
            format!("SELECT $2 FROM ({guard}) t"),
            format!("SELECT * FROM ({guard}) t WHERE $3 IS NOT NULL"),
            format!("SELECT * FROM ({guard}) t LIMIT $4"),
            right.replace("$2", "$1"),
            right.replace("$3", "$2"),
            right.replace("$2", "''"),
        ] {
            assert!(verified(&wrong, &hidden).is_err(), "{wrong}");
        }
        let other = access::HashKey { root: "billing".into(), purpose: None };
        guards.relations[0].columns[1].cell = Cell::always(Mask::Hash(other));
        let printed = Printed::read_with(&right, &hidden);
        assert!(verify(&printed, &guards, &catalog).is_err(), "a guard with another key");
    }

    #[test]
    fn a_relation_outside_its_guard_does_not() {
        let t = guard("t");
        for text in [
            "SELECT * FROM public.t".to_owned(),
            "SELECT * FROM t".to_owned(),
            "TABLE public.t".to_owned(),
            "SELECT * FROM (SELECT id, name FROM public.t) t".to_owned(),
            "SELECT * FROM (SELECT * FROM public.u) u".to_owned(),
            format!("SELECT * FROM ({t} OR true) t"),
            format!("SELECT * FROM ({t} LIMIT 1) t"),
            format!("SELECT * FROM ({}) t", t.replace("SELECT id", "SELECT secret AS id")),
            format!("SELECT * FROM ({}) t", t.replace("public.t", "public.u")),
            format!("SELECT * FROM ({}) t", t.replace("'9'", "'10'")),
            format!(
                "SELECT * FROM ({}) t",
                t.replace("public.t", "ONLY public.t WHERE id < 10 UNION SELECT id, name FROM public.t")
            ),
            format!("SELECT * FROM ({t}) t, public.t AS other"),
            format!("SELECT * FROM ({t}) t WHERE id IN (SELECT id FROM public.t)"),
            // A guard elsewhere than in FROM is not what the rewriter makes.
            t.clone(),
            format!("WITH a AS ({t}) SELECT * FROM a"),
            "SELECT * FROM public.t TABLESAMPLE system (1)".to_owned(),
        ] {
            assert!(verified(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_of_with_counts_where_the_server_sees_it() {
        for text in [
            "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
            "WITH a AS (SELECT * FROM a) SELECT * FROM a",
            "SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a",
            "(WITH a AS (SELECT 1) SELECT * FROM a) UNION SELECT * FROM a",
            "WITH a AS (SELECT 1) SELECT * FROM public.a",
            "SELECT * FROM t WHERE EXISTS (WITH t AS (SELECT 1) SELECT * FROM t)",
        ] {
            assert!(verified(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_called_named_or_written() {
        for text in [
            "SELECT lower('x')",
            "SELECT pg_catalog.pg_sleep(1)",
            "SELECT pg_catalog.regclass('t')",
            "SELECT * FROM unnest(ARRAY[1])",
            "SELECT * FROM ROWS FROM (unnest(ARRAY[1], ARRAY[2]))",
            "SELECT * FROM unnest(ARRAY[1], ARRAY[pg_catalog.pg_sleep(1)])",
            "SELECT unnest(ARRAY[1], ARRAY[2])",
            "SELECT pg_catalog.tsquery('a', 'b')",
            "SELECT pg_catalog.record('(1)')",
            "SELECT public.f()",
            "SELECT ('x'::pg_catalog.text).pg_read_file",
            "SELECT 't'::pg_catalog.regclass",
            "SELECT NULL::public.t",
            "SELECT NULL::mood",
            "SELECT 1 OPERATOR(public.+) 1",
            "SELECT 1 ORDER BY 1 USING OPERATOR(public.<)",
            "SELECT 1 OPERATOR(public.=) ANY (SELECT 1)",
            "SELECT current_user",
            "SELECT 1 INTO x",
            "SELECT 1 FOR UPDATE",
            "WITH a AS (INSERT INTO public.t VALUES (1) RETURNING 1) SELECT * FROM a",
            "SELECT * FROM XMLTABLE('x' PASSING 'y' COLUMNS a public.t) x",
            "SELECT * FROM XMLTABLE(lower('x') PASSING 'y' COLUMNS a pg_catalog.text) x",
            "SELECT * FROM JSON_TABLE('[]', '$' PASSING lower('x') AS x COLUMNS (a pg_catalog.text)) j",
            "SELECT JSON_VALUE('{}', '$' RETURNING public.t)",
            "DELETE FROM public.t",
            "COPY public.t TO STDOUT",
            "EXPLAIN DELETE FROM public.t",
        ] {
            assert!(verified(text).is_err(), "{text}");
        }
    }
}
