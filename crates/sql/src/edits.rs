//! The places of a tree that change, and the change: found by `analyze.rs`, made here.

#![expect(clippy::wildcard_enum_match_arm, reason = "a node that is not named is not changed here")]

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use access::{Catalog, Guards, Refusal};
use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::transform::{
    Assignable, Transform, transform_common_table_expr, transform_join_expr, transform_node,
    transform_range_subselect, transform_res_target, transform_select_stmt,
};
use pg_raw_parse::{ConstValue, Node, NodeMut, nodes, raw};

use crate::analyze::Mention;
use crate::build::Build;
use crate::catalogue::Wrap;
use crate::figure::column_name;
use crate::gated::{gateable, gated, gated_argument};
use crate::gates::{Admit, BodyId, Inside, Passing, Placed, any_present};
use crate::hidden::Hidden;
use crate::lower::Mentioned;
use crate::range::{AdmitId, Length};
use crate::sample::sampled;
use crate::views_closed::widened;
use crate::{ffi, lower};

/// One change of one node.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// A relation in FROM becomes its guard. Without an alias of its own it gets the one that queries know it by.
    Guard {
        /// Which mention of a relation it is.
        mention: usize,
        /// The alias to write; none where the client wrote one.
        alias: Option<Arc<str>>,
    },
    /// The subquery that stands for a view gets this alias.
    Alias(Arc<str>),
    /// A column is named by this path: references by schema become references by alias.
    Column(Vec<Arc<str>>),
    /// The same for `s.c.*`.
    Star(Arc<str>),
    /// A function is written with its schema, `pg_catalog`.
    Function(Arc<str>),
    /// A type is written with its schema.
    Type {
        /// The schema.
        schema: Arc<str>,
        /// The name in it.
        name: Arc<str>,
    },
    /// A collation is written with its schema.
    Collation {
        /// The schema.
        schema: Arc<str>,
        /// The name in it.
        name: Arc<str>,
    },
    /// A question about the session becomes its answer, of this type of `pg_catalog`; NULL where there is none.
    Value {
        /// The answer.
        text: Option<Arc<str>>,
        /// Its type.
        ty: &'static str,
    },
    /// An output column keeps the name that it would have had.
    Name(Arc<str>),
    /// A name of WITH gets names for all of its columns, the last of which says whether a row is admitted.
    Rename {
        /// The name that the query knows it by.
        alias: Arc<str>,
        /// Its other columns.
        names: Vec<Arc<str>>,
        /// What admits its rows.
        admit: AdmitId,
    },
    /// NATURAL becomes USING where one more column is on a side.
    Using {
        /// The columns that both sides have.
        names: Vec<Arc<str>>,
        /// What admits the rows of both.
        admits: Vec<AdmitId>,
    },
    /// A query of WITH is computed by itself, whatever stands around it.
    Materialized,
    /// A query has this number, by which something may be wanted of it.
    Inside(BodyId),
}

/// The columns that a star or a whole row stands for, where one more is among them.
#[derive(Debug, Clone)]
pub(crate) struct WrittenOut {
    pub(crate) paths: Vec<Rc<[Arc<str>]>>,
    pub(crate) admits: Vec<AdmitId>,
}

/// All changes of one tree, by the place of the node. They hold for that very tree, while it stands.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    edits: HashMap<usize, Edit>,
    /// Columns that the primary key determines join GROUP BY: a subquery has no key.
    group_by: HashMap<usize, Vec<Vec<Arc<str>>>>,
    pub(crate) stars: HashMap<usize, WrittenOut>,
    /// Calls that stand inside a condition.
    wraps: HashMap<usize, Wrap>,
    rows: HashMap<usize, WrittenOut>,
    /// The lengths of values that a gate may stand around.
    lengths: HashMap<usize, Rc<Length>>,
}

impl Edits {
    pub(crate) fn add<T>(&mut self, node: &T, edit: Edit) {
        self.edits.insert(place(node), edit);
    }

    pub(crate) fn add_length(&mut self, place: usize, length: &Rc<Length>) {
        self.lengths.insert(place, length.clone());
    }

    pub(crate) fn wrap<T>(&mut self, node: &T, wrap: Wrap) {
        self.wraps.insert(place(node), wrap);
    }

    pub(crate) fn is_wrapped(&self, call: &nodes::FuncCall) -> bool {
        self.wraps.contains_key(&place(call))
    }

    pub(crate) fn add_group_by(&mut self, select: &nodes::SelectStmt, paths: Vec<Vec<Arc<str>>>) {
        self.group_by.insert(place(select), paths);
    }

    pub(crate) fn add_star(
        &mut self,
        star: &nodes::ColumnRef,
        paths: Vec<Rc<[Arc<str>]>>,
        admits: Vec<AdmitId>,
    ) {
        self.stars.insert(place(star), WrittenOut { paths, admits });
    }

    pub(crate) fn add_row(&mut self, row: &nodes::ColumnRef, paths: Vec<Rc<[Arc<str>]>>, admit: AdmitId) {
        self.rows.insert(place(row), WrittenOut { paths, admits: vec![admit] });
    }

    /// What was to be done to one node is done to another.
    pub(crate) fn move_to<A, B>(&mut self, from: &A, to: &B) {
        if let Some(edit) = self.edits.remove(&place(from)) {
            self.edits.insert(place(to), edit);
        }
    }

    /// The node stays as it is.
    pub(crate) fn forget<T>(&mut self, node: &T) {
        self.edits.remove(&place(node));
    }

    pub(crate) fn of<T>(&self, node: &T) -> Option<&Edit> {
        self.edits.get(&place(node))
    }

    pub(crate) fn has<T>(&self, node: &T) -> bool {
        self.of(node).is_some()
    }
}

/// Nodes of one tree never share a place, and a node that is not replaced keeps its own.
pub(crate) fn place<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}

/// Makes the changes.
pub(crate) struct Apply<'m, 'a> {
    pub(crate) mem: MemoryToken<'m>,
    pub(crate) edits: &'a Edits,
    pub(crate) guards: &'a Guards,
    pub(crate) mentions: &'a [Mention],
    pub(crate) catalog: &'a Catalog,
    pub(crate) hidden: &'a Hidden,
    pub(crate) admits: &'a [Admit],
    pub(crate) insides: &'a [Inside],
    /// The gates that do not stand yet.
    pub(crate) gates: Placed,
    /// Conditions to be evaluated ahead, by the clause beside which they stand.
    pub(crate) ahead: HashMap<usize, Vec<Made<'m>>>,
    /// The names of output columns that a gate would rename.
    pub(crate) names: HashMap<usize, String>,
    /// Queries that have been changed: conditions that are seen to early are met again later.
    pub(crate) changed: HashSet<usize>,
    /// The first change that could not be made: then the statement is refused.
    pub(crate) failed: Option<Refusal>,
}

pub(crate) type Made<'m> = Unique<'m, Node<'m>>;

impl<'m> Apply<'m, '_> {
    fn guard(
        &mut self,
        range: &nodes::RangeVar,
        sample: Option<&nodes::RangeTableSample>,
        edit: &Edit,
    ) -> Option<Made<'m>> {
        let Edit::Guard { mention, alias } = edit else { return None };
        let Mention { guard, relation, used, in_view, admit } = self.mentions.get(*mention)?;
        let guard = self.guards.relations.get(*guard)?;
        let all = in_view.then(|| widened(guard, relation));
        let guard = all.as_ref().unwrap_or(guard);
        let used = |name: &str| used.contains(name);
        let mention = Mentioned { relation, only: !range.inh, sample, admit: admit.as_deref() };
        let query = lower::guard_select(self.mem, guard, &mention, self.catalog, self.hidden, used);
        let query = match query {
            Ok(query) => query,
            Err(refusal) => {
                self.failed.get_or_insert(refusal);
                return None;
            }
        };
        let mut subselect = self.mem.make_node::<nodes::RangeSubselect>();
        let mut edit = subselect.as_mut();
        edit.set_subquery(query.uncast());
        let alias = match (range.alias(), alias) {
            (Some(own), _) => self.mem.make_unique(own),
            (None, Some(alias)) => self.mem.make_alias(Some(alias), self.mem.empty()),
            (None, None) => return None,
        };
        edit.set_alias(alias.as_option());
        Some(subselect.uncast())
    }

    fn replacement(&mut self, node: &NodeMut<'m, '_>) -> Option<Made<'m>> {
        let build = Build(self.mem);
        let edits = self.edits;
        match node {
            NodeMut::RangeVar(range) => self.guard(range, None, edits.of::<nodes::RangeVar>(range)?),
            NodeMut::RangeTableSample(sample) => {
                let edit = edits.of::<nodes::RangeTableSample>(sample)?;
                self.guard(sampled(sample)?, Some(sample), edit)
            }
            NodeMut::ColumnRef(column) => {
                let column: &nodes::ColumnRef = column;
                if let Some(row) = self.wanted(edits.rows.get(&place(column))) {
                    return Some(self.row(row));
                }
                match edits.of(column)? {
                    Edit::Column(path) => {
                        let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                        Some(build.column(&path))
                    }
                    Edit::Star(alias) => Some(build.star(alias)),
                    edit @ Edit::Value { .. } => self.value(edit),
                    _ => None,
                }
            }
            NodeMut::FuncCall(call) => self.value(edits.of::<nodes::FuncCall>(call)?),
            NodeMut::TypeCast(cast) => self.value(edits.of::<nodes::TypeCast>(cast)?),
            NodeMut::SQLValueFunction(function) => self.value(edits.of::<nodes::SQLValueFunction>(function)?),
            _ => None,
        }
    }

    fn value(&self, edit: &Edit) -> Option<Made<'m>> {
        let Edit::Value { text, ty } = edit else { return None };
        let build = Build(self.mem);
        let value = text.as_ref().map_or_else(|| build.null(), |text| build.string(text));
        Some(build.cast(value, ty))
    }

    /// The changes of one node that may be replaced, and of what is below it.
    fn change(&mut self, node: Assignable<'m, '_>) {
        if let NodeMut::RangeTableSample(sample) = &*node {
            // What its numbers hold is changed before the whole is copied.
            let mut held = ffi::hold(self.mem, Node::RangeTableSample(sample));
            transform_node(held.as_mut(), self);
        }
        if let Some(replacement) = self.replacement(&node) {
            node.replace(replacement);
            return;
        }
        let mut node = node.into_inner();
        let build = Build(self.mem);
        match &mut node {
            NodeMut::FuncCall(call) => {
                let place = place::<nodes::FuncCall>(call);
                if let Some(Edit::Function(name)) = self.edits.edits.get(&place) {
                    call.set_funcname(build.names(&["pg_catalog", name]));
                }
                if let Some(gate) = self.gates.arguments.remove(&place) {
                    let args: Vec<_> =
                        call.args().iter().map(|arg| gated_argument(self.mem, arg, &gate)).collect();
                    call.set_args(self.mem.make_list(&args));
                }
            }
            NodeMut::RowExpr(row) => {
                if let Some(args) = self.list_written_out(row.args()) {
                    row.set_args(args);
                }
            }
            NodeMut::CollateClause(collate) => {
                if let Some(Edit::Collation { schema, name }) = self.edits.of::<nodes::CollateClause>(collate)
                {
                    collate.set_collname(build.names(&[schema, name]));
                }
            }
            NodeMut::RangeVar(range) => {
                if let Some(Edit::Rename { alias, names, admit }) = self.edits.of::<nodes::RangeVar>(range)
                    && any_present(self.admits, self.insides, &[*admit])
                    && let Some(admit) = usize::try_from(*admit).ok().and_then(|at| self.admits.get(at))
                {
                    let names: Vec<&str> =
                        names.iter().chain(std::iter::once(&admit.name)).map(|name| &**name).collect();
                    range.set_alias(self.mem.make_alias(Some(alias), build.names(&names)).as_option());
                }
            }
            _ => {}
        }
        transform_node(node, self);
    }

    /// The conditions of a clause, changed, and beside them what is evaluated ahead.
    fn conditions(&mut self, owner: usize, mut conditions: Made<'m>) -> Made<'m> {
        self.transform_node(Assignable::new(&mut conditions));
        let ahead = self.ahead.remove(&owner).unwrap_or_default();
        // Conditions are read back as one list.
        if let NodeMut::BoolExpr(mut all) = conditions.as_mut()
            && all.boolop == raw::BoolExprType::AND_EXPR
        {
            for condition in ahead {
                all.args_mut().push(self.mem, condition);
            }
            return conditions;
        }
        Build(self.mem).and(std::iter::once(conditions).chain(ahead).collect())
    }

    /// A gate would rename an output column that has no name of its own: it gets the one that it had.
    fn keep_names(&mut self, select: &nodes::SelectStmt) {
        for target in select.target_list() {
            let renamed = matches!(
                target.val(),
                Node::A_Expr(_)
                    | Node::TypeCast(_)
                    | Node::FuncCall(_)
                    | Node::SubLink(_)
                    | Node::CaseExpr(_)
                    | Node::CoalesceExpr(_)
                    | Node::MinMaxExpr(_)
                    | Node::A_ArrayExpr(_)
                    | Node::RowExpr(_)
                    | Node::BoolExpr(_)
                    | Node::CollateClause(_)
                    | Node::XmlExpr(_)
                    | Node::XmlSerialize(_)
                    | Node::JsonParseExpr(_)
                    | Node::JsonScalarExpr(_)
                    | Node::JsonSerializeExpr(_)
                    | Node::JsonObjectConstructor(_)
                    | Node::JsonArrayConstructor(_)
                    | Node::JsonArrayQueryConstructor(_)
                    | Node::JsonFuncExpr(_)
            );
            let subscripted = match target.val() {
                Node::A_Indirection(steps) => {
                    !steps.indirection().iter().any(|step| matches!(step, Node::A_Star(_)))
                }
                _ => false,
            };
            if (renamed || subscripted) && target.name().is_none() && !self.edits.has(target) {
                self.names.insert(place(target), column_name(target.val()));
            }
        }
    }

    /// What is wanted of a query: one more column, a fence.
    fn inside(&self, node: &mut nodes::SelectStmtMut<'m, '_>, inside: &Inside) {
        let (mem, build) = (self.mem, Build(self.mem));
        if let Some(name) = &inside.admit {
            let value = match inside.passing {
                Passing::Column => {
                    let names = inside.admits.iter().filter_map(|admit| usize::try_from(*admit).ok());
                    let admits: Vec<_> = names
                        .filter_map(|at| self.admits.get(at))
                        .filter(|admit| admit.wanted)
                        .map(|admit| build.is_not_false(build.column(&[&admit.name])))
                        .collect();
                    Some(if admits.is_empty() { build.boolean(true) } else { build.and(admits) })
                }
                Passing::Count => Some(build.operator(">=", build.count(), build.integer(0))),
                Passing::Arms(..) | Passing::Fence => None,
            };
            if let Some(value) = value {
                node.target_list_mut().push(mem, mem.make_res_target(Some(name), mem.empty(), value));
            }
        }
        if inside.fenced && matches!((node.limit_count(), node.limit_offset()), (Node::None, Node::None)) {
            node.set_limit_offset(mem.make_a_const(ConstValue::Integer(0)).uncast());
            node.set_limit_option(raw::LimitOption::LIMIT_OPTION_COUNT);
        }
    }
}

impl<'m> Transform<'m> for Apply<'m, '_> {
    fn transform_node<'r>(&mut self, node: Assignable<'m, 'r>) {
        let Some(seen) = gateable(&node) else { return self.change(node) };
        let place = ffi::place(seen);
        let (gate, owner) = (self.gates.nodes.remove(&place), self.gates.once.remove(&place));
        let wrap = self.edits.wraps.get(&place);
        if gate.is_none() && owner.is_none() && wrap.is_none() {
            return self.change(node);
        }
        let mut held = ffi::hold(self.mem, seen);
        self.change(Assignable::new(&mut held));
        if let Some(wrap) = wrap {
            held = wrap.around(self.mem, held);
        }
        let made = match gate {
            Some(gate) => {
                gated(self.mem, held, &gate, self.edits.lengths.get(&place).map(|length| &**length))
            }
            None => held,
        };
        if let Some(owner) = owner {
            let build = Build(self.mem);
            let value = build.copy(&made);
            let ahead = build.null_test(build.null_test(value, true), false);
            self.ahead.entry(owner).or_default().push(ahead);
        }
        node.replace(made);
    }

    fn transform_type_name<'r>(&mut self, mut node: nodes::TypeNameMut<'m, 'r>) {
        if let Some(Edit::Type { schema, name }) = self.edits.of::<nodes::TypeName>(&node) {
            let names = [self.mem.make_string(Some(schema)), self.mem.make_string(Some(name))];
            node.set_names(self.mem.make_list(&names));
        }
    }

    fn transform_common_table_expr<'r>(&mut self, mut node: nodes::CommonTableExprMut<'m, 'r>) {
        if let Some(Edit::Materialized) = self.edits.of::<nodes::CommonTableExpr>(&node) {
            node.set_ctematerialized(raw::CTEMaterialize::CTEMaterializeAlways);
        }
        transform_common_table_expr(node, self);
    }

    fn transform_range_subselect<'r>(&mut self, mut node: nodes::RangeSubselectMut<'m, 'r>) {
        if let Some(Edit::Alias(alias)) = self.edits.of::<nodes::RangeSubselect>(&node) {
            node.set_alias(self.mem.make_alias(Some(alias), self.mem.empty()).as_option());
        }
        transform_range_subselect(node, self);
    }

    fn transform_res_target<'r>(&mut self, mut node: nodes::ResTargetMut<'m, 'r>) {
        if let Some(Edit::Name(name)) = self.edits.of::<nodes::ResTarget>(&node) {
            node.set_name(Some(self.mem.copy_string(name)));
        } else if let Some(name) = self.names.remove(&place::<nodes::ResTarget>(&node)) {
            node.set_name(Some(self.mem.copy_string(&name)));
        }
        transform_res_target(node, self);
    }

    fn transform_join_expr<'r>(&mut self, mut node: nodes::JoinExprMut<'m, 'r>) {
        let place = place::<nodes::JoinExpr>(&node);
        if let Some(Edit::Using { names, admits }) = self.edits.edits.get(&place)
            && any_present(self.admits, self.insides, admits)
        {
            node.set_is_natural(false);
            if names.is_empty() {
                node.set_quals(Build(self.mem).boolean(true));
            } else {
                let names: Vec<_> = names.iter().map(|name| self.mem.make_string(Some(name))).collect();
                node.set_using_clause(self.mem.make_list(&names));
            }
        }
        if self.gates.has_once(place) {
            let mem = self.mem;
            ffi::rehang(
                mem,
                &mut node,
                |join| join.quals(),
                |join, quals| join.set_quals(quals),
                |quals| self.conditions(place, quals),
            );
        }
        transform_join_expr(node, self);
    }

    fn transform_select_stmt<'r>(&mut self, mut node: nodes::SelectStmtMut<'m, 'r>) {
        let place = place::<nodes::SelectStmt>(&node);
        if !self.changed.insert(place) {
            return transform_select_stmt(node, self);
        }
        if let Some(paths) = self.edits.group_by.get(&place) {
            let build = Build(self.mem);
            for path in paths {
                let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                node.group_clause_mut().push(self.mem, build.column(&path));
            }
        }
        if self.gates.has_once(place) {
            let mem = self.mem;
            ffi::rehang(
                mem,
                &mut node,
                |select| select.where_clause(),
                |select, conditions| select.set_where_clause(conditions),
                |conditions| self.conditions(place, conditions),
            );
        }
        if self.gates.any() {
            self.keep_names(&node);
        }
        self.write_out(&mut node);
        self.write_out_values(&mut node);
        if let Some(Edit::Inside(inside)) = self.edits.edits.get(&place)
            && let Some(inside) = self.insides.get(*inside)
        {
            self.inside(&mut node, inside);
        }
        transform_select_stmt(node, self);
    }
}
