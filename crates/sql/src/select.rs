//! One SELECT: its conditions, its select list, ORDER BY, DISTINCT and windows, and what it gives to its surroundings.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a node that is not named is refused, or changes nothing"
)]

use std::rc::Rc;
use std::sync::Arc;

use access::Refusal;
use pg_raw_parse::{Node, nodes};

use crate::analyze::{Analyzer, Body, Place, unsupported};
use crate::barrier;
use crate::edits::{self, Edit};
use crate::figure::column_name;
use crate::gates::{BodyId, Passing};
use crate::grouping::Aliases;
use crate::range::{AdmitId, Facts, Gates, Hazard, Seen, Site};
use crate::rows::{check_width, gives_rows};

impl Analyzer<'_> {
    pub(crate) fn clauses(
        &mut self,
        select: &nodes::SelectStmt,
        place: Place,
        open: bool,
    ) -> Result<Body, Refusal> {
        barrier::conditions(self, select.where_clause(), Some(edits::place(select)))?;
        let groups = !select.group_clause().is_empty() || !matches!(select.having_clause(), Node::None);
        if let Some(level) = self.levels.0.last_mut() {
            // What follows runs over rows that were filtered: of the outermost query, and of what groups.
            level.settled = groups || place == Place::Top;
        }
        let (columns, starred) = self.targets(select)?;
        barrier::having(self, select.having_clause())?;
        let mut others = Vec::new();
        let aliases = Aliases(&columns);
        for sort in select.sort_clause() {
            barrier::sort_operator(sort)?;
            others.extend(self.by_output(sort.node(), &aliases)?);
        }
        for node in select.distinct_clause() {
            others.extend(self.by_output(node, &aliases)?);
        }
        for window in select.window_clause() {
            let Node::WindowDef(window) = window else { return Err(unsupported("this window", -1)) };
            self.window(window)?;
        }
        let keys = self.grouping(select, &aliases)?;
        if !select.group_clause().is_empty() {
            self.group_by_key(select, &keys)?;
        }
        let grouped =
            groups || columns.iter().map(|column| &column.facts).chain(&others).any(|facts| facts.grouped);
        let plain_aggregate = grouped && select.group_clause().is_empty();
        let single_row =
            (plain_aggregate || select.from_clause().is_empty()) && !gives_rows(select, self.lists);
        let admits = self.levels.0.last().map(|level| level.sight.admits.clone()).unwrap_or_default();
        let passing = match () {
            () if is_limited(select) || is_distinct(select) => Passing::Fence,
            () if grouped => Passing::Count,
            () => Passing::Column,
        };
        let filtered = !admits.is_empty();
        let inside = self.new_inside(passing, admits);
        let listed = Listed { place, grouped, filtered, inside };
        for facts in columns.iter().map(|column| &column.facts).chain(&others) {
            self.listed(facts, listed)?;
        }
        let columns = columns.into_iter().map(|column| self.given(column, grouped, filtered)).collect();
        Ok(Body { open: open && starred, filtered, single_row, ..Body::new(columns, inside) })
    }

    /// An expression of the select list, ORDER BY or DISTINCT ON. That of an inner query may be moved into the outer
    /// WHERE; all of them get the same gate, since some must be equal to others.
    fn listed(&mut self, facts: &Facts, query: Listed) -> Result<(), Refusal> {
        if facts.hazards.is_empty() {
            return Ok(());
        }
        if query.place == Place::Inner && !facts.gives_rows {
            if query.grouped {
                if query.filtered && !facts.aggregated {
                    self.fence(query.inside);
                }
            } else if !facts.aggregated {
                let mut gates = facts.gates.clone();
                if !facts.reads {
                    gates.add_all(&self.in_sight());
                }
                self.at_risk(facts, &gates, None)?;
            }
        }
        if query.grouped || facts.gives_rows {
            self.note_nowhere(&facts.hazards)
        } else {
            self.note(&facts.hazards)
        }
        Ok(())
    }

    /// A column of the select list, as it is seen from outside.
    fn given(&self, column: Seen, grouped: bool, filtered: bool) -> Seen {
        let mut facts = column.facts;
        if grouped || facts.gives_rows || facts.aggregated {
            // It is computed before anything outside of the query is.
            facts.hazards.clear();
        }
        if grouped && filtered && facts.reads {
            facts.gates.add(Gates::OWN);
        }
        if let Some(hazard) = facts.hazards.first() {
            let mut covered = facts.gates.clone();
            if !facts.reads {
                covered.add_all(&self.in_sight());
                facts.gates.add_all(&self.in_sight());
            }
            facts.hazards = vec![Hazard { covered, site: Site::Nowhere, free: false, ..hazard.clone() }];
        }
        Seen::new(column.name, Facts { aggregated: false, grouped: false, gives_rows: false, ..facts })
    }

    /// The select list; whether a star is in it.
    fn targets(&mut self, select: &nodes::SelectStmt) -> Result<(Vec<Seen>, bool), Refusal> {
        let mut columns = Vec::with_capacity(select.target_list().len());
        let mut starred = false;
        for target in select.target_list() {
            let (node, qualifier) = star(target.val());
            if let Some(qualifier) = qualifier {
                starred = true;
                let before = self.views.watch();
                self.star(node, &qualifier, &mut columns)?;
                self.views.seen(before);
                check_width(&columns)?;
                continue;
            }
            let before = self.views.watch();
            let facts = self.expression(target.val())?;
            let facts = Facts { closed: self.views.seen(before), ..facts };
            self.keep_name(target);
            let name = target.name().map_or_else(|| column_name(target.val()), str::to_owned);
            columns.push(Seen::new(name.into(), facts));
        }
        check_width(&columns)?;
        Ok((columns, starred))
    }

    /// An output column that is renamed by an edit of its expression keeps the name that it had.
    fn keep_name(&mut self, target: &nodes::ResTarget) {
        if target.name().is_some() {
            return;
        }
        let renames = match target.val() {
            Node::SQLValueFunction(function) => self.edits.has(function),
            Node::FuncCall(call) => {
                matches!(self.edits.of(call), Some(Edit::Value { .. })) || self.edits.is_wrapped(call)
            }
            Node::ColumnRef(column) => match self.edits.of(column) {
                Some(Edit::Column(path)) => path.len() == 1,
                Some(Edit::Value { .. }) => true,
                _ => false,
            },
            _ => false,
        };
        if renames {
            self.edits.add(target, Edit::Name(column_name(target.val()).into()));
        }
    }

    /// The parts of `ROW(…)` or of one row of VALUES: a star among them is all of its columns.
    pub(crate) fn row_parts<'n>(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'n>>,
    ) -> Result<Vec<Facts>, Refusal> {
        let mut parts = Vec::new();
        for node in nodes {
            let (starred, qualifier) = star(node);
            let Some(qualifier) = qualifier else {
                parts.push(self.expression(node)?);
                continue;
            };
            let mut columns = Vec::new();
            self.star(starred, &qualifier, &mut columns)?;
            parts.extend(columns.into_iter().map(|column| column.facts));
        }
        Ok(parts)
    }

    /// `*`, `c.*`, `s.c.*`.
    fn star(&mut self, node: Node<'_>, qualifier: &[&str], columns: &mut Vec<Seen>) -> Result<(), Refusal> {
        let location = if let Node::ColumnRef(column) = node { column.location } else { -1 };
        if qualifier.is_empty() {
            let Some(level) = self.levels.0.last() else { return Ok(()) };
            let sight = level.sight.clone();
            self.expand(
                node,
                &sight.columns.iter().map(|seen| seen.path.clone()).collect::<Vec<_>>(),
                &sight.admits,
                sight.open,
            );
            let depth = self.levels.0.len() - 1;
            for column in &sight.columns {
                self.note_use(&column.facts, vec![column.name.clone()]);
                columns.push(Seen { facts: self.read_column(&column.facts, depth), ..column.clone() });
            }
            return Ok(());
        }
        let (item, depth) = self.qualifier(qualifier, location)?;
        let alias = item.sent_alias.clone().unwrap_or_else(|| item.alias.clone());
        if let Node::ColumnRef(column) = node
            && (qualifier.len() > 1 || item.sent_alias.is_some())
        {
            let starred = column.fields().len() > qualifier.len();
            let edit = if starred { Edit::Star(alias.clone()) } else { Edit::Column(vec![alias.clone()]) };
            self.edits.add(column, edit);
        }
        let paths: Vec<_> =
            item.columns.iter().map(|seen| Rc::from([alias.clone(), seen.name.clone()])).collect();
        self.expand(node, &paths, &item.admits, item.open);
        for column in &item.columns {
            self.note_use(&column.facts, vec![alias.clone(), column.name.clone()]);
            columns.push(Seen { facts: self.read_column(&column.facts, depth), ..column.clone() });
        }
        Ok(())
    }

    /// A star becomes the columns that it stands for where one more is among them.
    fn expand(&mut self, node: Node<'_>, paths: &[Rc<[Arc<str>]>], admits: &[AdmitId], open: bool) {
        if admits.is_empty() {
            return;
        }
        if open || paths.is_empty() {
            self.block(
                admits,
                unsupported("`*` over a function's rows beside a condition that can fail", -1),
            );
        }
        if let Node::ColumnRef(column) = node {
            self.edits.add_star(column, paths.to_vec(), admits.to_vec());
        }
    }

    /// The frame of a window: its expressions.
    pub(crate) fn window(&mut self, window: &nodes::WindowDef) -> Result<(), Refusal> {
        let mut parts = self.each(window.partition_clause().iter())?;
        for sort in window.order_clause() {
            barrier::sort_operator(sort)?;
            parts.push(self.expression(sort.node())?);
        }
        for node in [window.start_offset(), window.end_offset()] {
            if !matches!(node, Node::None) {
                let mut facts = self.expression(node)?;
                self.make_unsafe(&mut facts, "the offset of a window frame", window.location);
                self.note_nowhere(&facts.hazards);
            }
        }
        for facts in parts {
            self.note(&facts.hazards);
        }
        Ok(())
    }
}

/// Where an expression of a query's lists stands.
#[derive(Clone, Copy)]
struct Listed {
    place: Place,
    grouped: bool,
    filtered: bool,
    inside: BodyId,
}

/// Whether LIMIT or OFFSET stands: then no condition moves in.
pub(crate) fn is_limited(select: &nodes::SelectStmt) -> bool {
    !matches!((select.limit_count(), select.limit_offset()), (Node::None, Node::None))
}

/// Whether this is SELECT DISTINCT, without ON.
fn is_distinct(select: &nodes::SelectStmt) -> bool {
    matches!(select.distinct_clause().first(), Some(Node::None))
}

/// The reference of a star and its qualifier, if this is one: `*`, `c.*` or `(c).*`.
pub(crate) fn star(node: Node<'_>) -> (Node<'_>, Option<Vec<&str>>) {
    match node {
        Node::ColumnRef(column) => {
            let fields = column.fields();
            let names: Vec<&str> = fields.iter().filter_map(Node::as_str).collect();
            let starred = fields.iter().any(|field| matches!(field, Node::A_Star(_)));
            (node, starred.then_some(names))
        }
        Node::A_Indirection(indirection) => match (indirection.arg(), indirection.indirection().first()) {
            (Node::ColumnRef(row), Some(Node::A_Star(_))) => {
                let names: Vec<&str> = row.fields().iter().filter_map(Node::as_str).collect();
                (indirection.arg(), (names.len() == row.fields().len()).then_some(names))
            }
            _ => (node, None),
        },
        _ => (node, None),
    }
}
