//! Inside an opened view: none of the caller's names are in sight, and the columns that are hidden from the caller are
//! there as NULL, *closed*. An output column that hangs on one is hidden in the view; a view that filters, joins, groups
//! or orders by one is refused: with NULL in its place it would answer something else than it says.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a node that is not named is an expression, read elsewhere"
)]

use std::collections::HashMap;
use std::sync::Arc;

use access::{Cell, FieldType, Guard, GuardedColumn, Mask, Refusal, RefusalKind, Relation};
use pg_raw_parse::{Node, nodes, raw};

use crate::analyze::{Analyzer, Body, Place, renamed, unsupported};
use crate::edits::{Edit, place};
use crate::gates::Source;
use crate::lists::{CallKind, Lists};
use crate::range::{AdmitId, Facts, Item, Seen, Sight, Ty};
use crate::views_open::{Opening, Openings};

/// What the analyzer knows of opened views.
#[derive(Debug, Default)]
pub(crate) struct Views {
    pub(crate) openings: Openings,
    /// How many of them stand around the place that is read.
    depth: usize,
    /// Whether a closed column was used since this was last looked at.
    used: bool,
    /// The columns that each view shows where it hides others, by the place of its subquery.
    pub(crate) shown: HashMap<usize, Shown>,
}

/// The columns that a view shows, and what admits its rows.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) columns: Vec<Arc<str>>,
    pub(crate) admit: Option<AdmitId>,
}

impl Views {
    pub(crate) fn inside(&self) -> bool {
        self.depth > 0
    }

    /// Starts to watch for closed columns; what was seen so far is handed back, for [`Views::seen`].
    pub(crate) fn watch(&mut self) -> bool {
        std::mem::take(&mut self.used)
    }

    /// Whether a closed column was used since `watch` said this.
    pub(crate) fn seen(&mut self, before: bool) -> bool {
        std::mem::replace(&mut self.used, before)
    }

    /// A use of a column.
    pub(crate) fn note(&mut self, facts: &Facts) {
        self.used |= facts.closed;
    }
}

/// The guard of a relation that an opened view names: all of its columns in the relation's order, hidden ones as NULL. A
/// definition counts them by place.
pub(crate) fn widened(guard: &Guard, relation: &Relation) -> Guard {
    let column = |name: &Arc<str>| {
        let shown = guard.columns.iter().find(|column| column.name == *name).cloned();
        shown.unwrap_or_else(|| GuardedColumn { name: name.clone(), cell: Cell::always(Mask::Nullify) })
    };
    let columns = relation.columns.iter().map(|live| column(&live.name)).collect();
    Guard { columns, ..guard.clone() }
}

impl Analyzer<'_> {
    /// A view that stands for its definition.
    pub(crate) fn opened(
        &mut self,
        opening: &Arc<Opening>,
        subselect: &nodes::RangeSubselect,
        query: &nodes::SelectStmt,
    ) -> Result<Sight, Refusal> {
        let levels = std::mem::take(&mut self.levels);
        let ctes = std::mem::take(&mut self.ctes);
        let used = std::mem::take(&mut self.used);
        let unaliased = std::mem::take(&mut self.unaliased);
        let before = self.views.watch();
        self.views.depth += 1;
        let body = self.select(query, Place::Inner).and_then(|body| fitting(body.settled(), &opening.view));
        self.views.depth -= 1;
        self.views.seen(before);
        (self.levels, self.ctes, self.used, self.unaliased) = (levels, ctes, used, unaliased);
        let outermost = !self.views.inside();
        let body = body.map_err(|why| if outermost { opening.refusal(why) } else { why })?;
        self.sight_of_view(opening, subselect, body, outermost)
    }

    fn sight_of_view(
        &mut self,
        opening: &Arc<Opening>,
        subselect: &nodes::RangeSubselect,
        body: Body,
        outermost: bool,
    ) -> Result<Sight, Refusal> {
        let view = &opening.view;
        let admit = body.filtered.then(|| self.new_admit(Source::Body(body.inside)));
        let mut columns = Vec::with_capacity(body.columns.len());
        for (seen, live) in body.columns.into_iter().zip(&view.columns) {
            let mut facts = seen.facts;
            facts.enter(admit);
            let plain = !matches!(self.catalog.field_type(live.base_oid), FieldType::Other(_));
            if facts.ty == Ty::Any && plain {
                // What the server itself found for the same query.
                facts.ty = Ty::Known(live.base_oid);
            }
            columns.push(Seen::new(seen.name, facts));
        }
        if outermost && columns.iter().any(|column| column.facts.closed) {
            columns.retain(|column| !column.facts.closed);
            let shown = columns.iter().map(|column| column.name.clone()).collect();
            self.views.shown.insert(place(subselect), Shown { columns: shown, admit });
        }
        let Some(alias) = subselect.alias() else { return Err(unsupported("a view without a name", -1)) };
        let is_renamed = !alias.colnames().is_empty();
        let columns = renamed(columns, alias.colnames());
        let name: Arc<str> = alias.aliasname().unwrap_or_default().into();
        let (mut schema, mut sent_alias) = (None, None);
        if !opening.has_alias {
            schema = Some(view.name.schema.clone());
            sent_alias = self.distinct_alias(&name, &view.name.schema);
            if let Some(sent) = &sent_alias {
                self.edits.add(subselect, Edit::Alias(sent.clone()));
            }
        }
        let admits = admit.into_iter().collect();
        Ok(Sight::of(Item {
            alias: name,
            schema,
            sent_alias,
            columns,
            open: false,
            renamed: is_renamed,
            admits,
        }))
    }

    /// A query of an opened view, once it has been read: nothing but its select list hangs on closed columns.
    pub(crate) fn nothing_closed(
        &mut self,
        select: &nodes::SelectStmt,
        body: &Body,
        before: bool,
    ) -> Result<(), Refusal> {
        let used = self.views.seen(before);
        if !self.views.inside() {
            return Ok(());
        }
        let closed = |node| names_closed(node, &body.columns);
        let any = body.columns.iter().any(|column| column.facts.closed);
        // DISTINCT, and set operations that compare rows.
        let distinct = select.distinct_clause().iter().any(|node| matches!(node, Node::None));
        let compares = select.op != raw::SetOperation::SETOP_NONE
            && !(select.op == raw::SetOperation::SETOP_UNION && select.all);
        let by_output = select.sort_clause().iter().any(|sort| closed(sort.node()))
            || select.group_clause().iter().chain(select.distinct_clause()).any(closed);
        if used || by_output || (any && (distinct || compares || gives_sets(select, self.lists))) {
            return Err(hangs_on_closed());
        }
        Ok(())
    }

    /// A column of a function's result, or of a query around it: closed where any in sight is.
    pub(crate) fn note_unknown(&mut self) {
        let mut in_sight = self.levels.0.iter().flat_map(|level| {
            level.sight.columns.iter().chain(level.sight.items.iter().flat_map(|item| &item.columns))
        });
        let closed = in_sight.any(|column| column.facts.closed);
        self.views.used |= closed;
    }

    /// The value of a subquery: its first column, or all of them.
    pub(crate) fn note_value(&mut self, columns: &[Seen]) {
        for column in columns {
            self.views.note(&column.facts);
        }
    }
}

/// A recursive query gives its own columns to itself: none of them may be closed.
pub(crate) fn none_closed(columns: &[Seen]) -> Result<(), Refusal> {
    if columns.iter().any(|column| column.facts.closed) { Err(hangs_on_closed()) } else { Ok(()) }
}

/// Which column it is stays unsaid.
fn hangs_on_closed() -> Refusal {
    let message = "it filters, joins, groups or orders by a column that is hidden from you";
    Refusal::new(RefusalKind::UnknownColumn, message)
}

/// The columns that the catalogue has for a view are those that its definition gives.
fn fitting(body: Body, view: &Relation) -> Result<Body, Refusal> {
    let given = body.columns.iter().map(|column| &column.name);
    if !body.open && given.eq(view.columns.iter().map(|column| &column.name)) {
        return Ok(body);
    }
    Err(Refusal::new(RefusalKind::Unsupported, "its definition does not give the columns that it has"))
}

/// Whether an expression of ORDER BY, GROUP BY or DISTINCT ON is an output column that is closed, by place or name.
fn names_closed(node: Node<'_>, columns: &[Seen]) -> bool {
    match node {
        Node::A_Const(constant) => {
            let nth = constant.val().and_then(|value| usize::try_from(value.numeric_value::<i64>()?).ok());
            let column = nth.and_then(|nth| columns.get(nth.checked_sub(1)?));
            column.is_some_and(|column| column.facts.closed)
        }
        Node::ColumnRef(column) => {
            let mut fields = column.fields().iter();
            let (Some(name), None) = (fields.next().and_then(Node::as_str), fields.next()) else {
                return false;
            };
            columns.iter().any(|column| column.facts.closed && &*column.name == name)
        }
        Node::GroupingSet(set) => set.content().iter().any(|node| names_closed(node, columns)),
        Node::NodeList(list) => list.iter().any(|node| names_closed(node, columns)),
        _ => false,
    }
}

/// Whether the select list may give more or fewer rows than it is given.
fn gives_sets(select: &nodes::SelectStmt, lists: &'static Lists) -> bool {
    let mut found = false;
    for target in select.target_list().iter().filter(|target| !matches!(target.val(), Node::None)) {
        pg_raw_parse::walk::walk(target.val(), |node| {
            if let Node::FuncCall(call) = node {
                let name = call.funcname().iter().filter_map(Node::as_str).next_back().unwrap_or_default();
                let overloads = lists.functions(name);
                found |= overloads.iter().any(|overload| overload.kind == CallKind::SetReturning);
            }
        });
    }
    found
}
