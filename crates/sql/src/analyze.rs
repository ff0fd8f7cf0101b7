//! A statement read with the server's own scoping: what every column stands for, which expressions may run over rows
//! that the caller may not see, and which places of the tree are to be changed.
//!
//! The tree is read, never changed; `rewrite.rs` makes the edits that are found here. A node that is not known here is
//! refused by name.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a node that is not named is refused, or changes nothing"
)]

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use access::{Catalog, Guards, Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes, raw};

use crate::barrier;
use crate::edits::{Edit, Edits};
use crate::figure::column_name;
use crate::grouping::Aliases;
use crate::lists::{self, Lists, oid};
use crate::names::Session;
use crate::range::{Facts, Hazard, Levels, Origin, Seen, Sight, Ty};
use crate::rows::{check_width, gives_rows, is_count, is_one};
use crate::views_closed::{Views, none_closed};

/// Where a query stands: what its select list is at risk of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The statement itself: nothing filters above its select list.
    Top,
    /// Inside another query: its select list may be moved into the outer WHERE.
    Inner,
}

/// What a query gives to its surroundings.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) columns: Vec<Seen>,
    /// Whether it may have more columns than those.
    pub(crate) open: bool,
    /// Any part of it that can fail or tell, wherever it stands.
    pub(crate) hazard: Option<Rc<Hazard>>,
    /// A filtered relation that it reads, anywhere.
    pub(crate) filtered: Option<usize>,
    /// Whether it gives at most one row, whatever the data.
    pub(crate) single_row: bool,
}

impl Body {
    /// Seen from outside, a constant without a type is text, and a number has its own type.
    pub(crate) fn settled(mut self) -> Self {
        for column in &mut self.columns {
            column.facts.ty = match column.facts.ty {
                Ty::Literal => Ty::Known(oid::TEXT),
                Ty::Number(oid) => Ty::Known(oid),
                ty => ty,
            };
        }
        self
    }
}

/// One name of WITH that is in sight.
#[derive(Debug)]
pub(crate) struct Cte {
    pub(crate) name: Arc<str>,
    pub(crate) columns: Rc<Vec<Seen>>,
    pub(crate) open: bool,
    /// Any part of it that can fail or tell: it runs where the name is read.
    pub(crate) hazard: Option<Rc<Hazard>>,
    /// A filtered relation that it reads.
    pub(crate) filtered: Option<usize>,
}

/// What is gathered over one query, its subqueries included.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) hazard: Option<Rc<Hazard>>,
    pub(crate) filtered: Option<usize>,
}

/// One mention of a relation in FROM.
#[derive(Debug)]
pub(crate) struct Mention {
    /// Its place among the guards.
    pub(crate) guard: usize,
    /// The relation that is named.
    pub(crate) relation: Arc<access::Relation>,
    /// The columns that the statement uses: the others are not sent.
    pub(crate) used: HashSet<Arc<str>>,
    /// Whether it stands in an opened view: then all of its columns are there.
    pub(crate) in_view: bool,
}

pub(crate) struct Analyzer<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) session: Session<'a>,
    pub(crate) guards: &'a Guards,
    /// What the server's version has.
    pub(crate) lists: &'static Lists,
    pub(crate) levels: Levels,
    pub(crate) ctes: Vec<Vec<Cte>>,
    pub(crate) parts: Vec<Part>,
    pub(crate) mentions: Vec<Mention>,
    /// Columns used in each level that groups, outside of its GROUP BY: for the rule of the primary key.
    pub(crate) used: Vec<Option<Vec<Use>>>,
    /// Schemas of unaliased relations by name: two of one name get distinct aliases.
    pub(crate) unaliased: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Parameters that stand at several places.
    pub(crate) repeated: HashSet<i32>,
    /// Parameters that are patterns of LIKE.
    pub(crate) patterns: Vec<u16>,
    pub(crate) views: Views,
    pub(crate) edits: Edits,
}

/// A column of a relation where it is used, and how it is written there.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) origin: Origin,
    pub(crate) path: Vec<Arc<str>>,
}

impl<'a> Analyzer<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        session: Session<'a>,
        guards: &'a Guards,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            catalog,
            session,
            guards,
            lists: lists::of_server(catalog)?,
            levels: Levels::default(),
            ctes: Vec::new(),
            parts: Vec::new(),
            mentions: Vec::new(),
            used: Vec::new(),
            unaliased: HashMap::new(),
            repeated: HashSet::new(),
            patterns: Vec::new(),
            views: Views::default(),
            edits: Edits::default(),
        })
    }

    /// Reads one query.
    pub(crate) fn select(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<Body, Refusal> {
        self.enclosed(select, |this| this.query(select, place))
    }

    /// Runs with the query's own WITH in sight, and gathers what is found in all of it.
    fn enclosed(
        &mut self,
        select: &nodes::SelectStmt,
        read: impl FnOnce(&mut Self) -> Result<Body, Refusal>,
    ) -> Result<Body, Refusal> {
        self.parts.push(Part::default());
        self.ctes.push(Vec::new());
        let body = self.with(select).and_then(|()| read(self));
        self.ctes.pop();
        let part = self.parts.pop().unwrap_or_default();
        if let Some(outer) = self.parts.last_mut() {
            outer.filtered = outer.filtered.or(part.filtered);
            if outer.hazard.is_none() {
                outer.hazard.clone_from(&part.hazard);
            }
        }
        body.map(|body| Body { hazard: part.hazard, filtered: part.filtered, ..body })
    }

    fn with(&mut self, select: &nodes::SelectStmt) -> Result<(), Refusal> {
        let Some(with) = select.with_clause() else { return Ok(()) };
        for cte in with.ctes() {
            let Node::SelectStmt(query) = cte.ctequery() else {
                return Err(unsupported("a statement in WITH that writes", cte.location));
            };
            let name: Arc<str> = cte.ctename().unwrap_or_default().into();
            let recursive = with.recursive && query.op != raw::SetOperation::SETOP_NONE;
            let body = if recursive {
                self.recursive(cte, &name, query)?
            } else {
                self.select(query, Place::Inner)?.settled()
            };
            let mut columns = renamed(body.columns.clone(), cte.aliascolnames());
            self.search_and_cycle(cte, &mut columns)?;
            let Body { open, hazard, filtered, .. } = body;
            self.bring(Cte { name, columns: Rc::new(columns), open, hazard, filtered });
        }
        Ok(())
    }

    fn bring(&mut self, cte: Cte) {
        if let Some(frame) = self.ctes.last_mut() {
            frame.push(cte);
        }
    }

    /// A query that may name itself: its columns are those of its first arm, and may hold any filtered row.
    fn recursive(
        &mut self,
        cte: &nodes::CommonTableExpr,
        name: &Arc<str>,
        query: &nodes::SelectStmt,
    ) -> Result<Body, Refusal> {
        let (Some(first), Some(second)) = (query.larg(), query.rarg()) else {
            return Err(unsupported("this form of WITH RECURSIVE", cte.location));
        };
        if !query.sort_clause().is_empty()
            || !matches!((query.limit_count(), query.limit_offset()), (Node::None, Node::None))
        {
            return Err(unsupported("ORDER BY or LIMIT of a recursive query", cte.location));
        }
        self.enclosed(query, |this| {
            let seed = this.select(first, Place::Inner)?.settled();
            let filtered = if names_only(second, name) {
                None
            } else {
                this.guards.relations.iter().position(|guard| guard.rows.is_some())
            };
            let mut columns = seed.columns;
            for column in &mut columns {
                column.facts.filtered = column.facts.filtered.or(filtered);
                column.facts.origin = None;
            }
            let mut named = renamed(columns.clone(), cte.aliascolnames());
            this.search_and_cycle(cte, &mut named)?;
            let (columns_seen, open, hazard) = (Rc::new(named), seed.open, seed.hazard.clone());
            this.bring(Cte { name: name.clone(), columns: columns_seen, open, hazard, filtered });
            let step = this.select(second, Place::Inner)?;
            for (column, other) in columns.iter_mut().zip(&step.columns) {
                column.facts =
                    this.unify(&[&column.facts, &other.facts], "a recursive query over different types");
                column.facts.filtered = column.facts.filtered.or(filtered);
            }
            none_closed(&columns)?;
            Ok(Body { columns, open: seed.open, hazard: None, filtered: None, single_row: false })
        })
    }

    /// The columns that SEARCH and CYCLE add.
    fn search_and_cycle(
        &mut self,
        cte: &nodes::CommonTableExpr,
        columns: &mut Vec<Seen>,
    ) -> Result<(), Refusal> {
        if let Some(search) = cte.search_clause() {
            columns.push(Seen { name: text(search.search_seq_column()), facts: Facts::of(Ty::Any) });
        }
        if let Some(cycle) = cte.cycle_clause() {
            self.expression(cycle.cycle_mark_value())?;
            self.expression(cycle.cycle_mark_default())?;
            for name in [cycle.cycle_mark_column(), cycle.cycle_path_column()] {
                columns.push(Seen { name: text(name), facts: Facts::of(Ty::Any) });
            }
        }
        Ok(())
    }

    fn query(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<Body, Refusal> {
        if !select.locking_clause().is_empty() || select.into_clause().is_some() {
            return Err(unsupported("INTO or a locking clause", -1));
        }
        let before = self.views.watch();
        let mut body = if select.op != raw::SetOperation::SETOP_NONE {
            self.set_operation(select, place)?
        } else if !select.values_lists().is_empty() {
            self.values(select)?
        } else {
            self.plain(select, place)?
        };
        for node in [select.limit_offset(), select.limit_count()] {
            self.expression(node)?;
            if !is_count(node) {
                self.unsafe_part("LIMIT or OFFSET by an expression", -1);
            }
        }
        body.single_row |= is_one(select);
        self.nothing_closed(select, &body, before)?;
        Ok(body)
    }

    fn set_operation(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<Body, Refusal> {
        let (Some(left), Some(right)) = (select.larg(), select.rarg()) else {
            return Err(unsupported("this set operation", -1));
        };
        let left = self.select(left, place)?;
        let right = self.select(right, place)?;
        let mut columns = left.columns;
        for (column, other) in columns.iter_mut().zip(&right.columns) {
            let unified = self.unify(&[&column.facts, &other.facts], "a set operation over different types");
            let facts = Facts { ty: unified.ty, ..unified };
            column.facts = Facts { aggregated: false, origin: None, ..facts };
        }
        // ORDER BY of a set operation names its columns, or counts them.
        for sort in select.sort_clause() {
            if !matches!(sort.node(), Node::ColumnRef(_) | Node::A_Const(_)) {
                return Err(unsupported("ORDER BY an expression over a set operation", sort.location));
            }
            barrier::sort_operator(sort)?;
        }
        Ok(Body { columns, open: left.open || right.open, hazard: None, filtered: None, single_row: false })
    }

    fn values(&mut self, select: &nodes::SelectStmt) -> Result<Body, Refusal> {
        let mut columns: Vec<Seen> = Vec::new();
        for row in select.values_lists() {
            let Node::NodeList(row) = row else { return Err(unsupported("this form of VALUES", -1)) };
            for (at, node) in row.iter().enumerate() {
                let facts = self.expression(node)?;
                // VALUES beside a relation can read its columns, and runs before the filter of that relation.
                barrier::check(self, &facts)?;
                match columns.get_mut(at) {
                    Some(column) => {
                        column.facts = self.unify(&[&column.facts, &facts], "VALUES of different types")
                    }
                    None => columns.push(Seen { name: format!("column{}", at + 1).into(), facts }),
                }
            }
        }
        for column in &mut columns {
            column.facts.origin = None;
        }
        for sort in select.sort_clause() {
            if !matches!(sort.node(), Node::ColumnRef(_) | Node::A_Const(_)) {
                return Err(unsupported("ORDER BY an expression over VALUES", sort.location));
            }
            barrier::sort_operator(sort)?;
        }
        let single_row = select.values_lists().len() == 1;
        Ok(Body { columns, open: false, hazard: None, filtered: None, single_row })
    }

    fn plain(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<Body, Refusal> {
        let sight = self.sights(select.from_clause())?;
        let open = sight.open;
        self.levels.0.push(sight);
        self.used.push((!select.group_clause().is_empty()).then(Vec::new));
        let body = self.clauses(select, place, open);
        self.used.pop();
        self.levels.0.pop();
        body
    }

    fn clauses(&mut self, select: &nodes::SelectStmt, place: Place, open: bool) -> Result<Body, Refusal> {
        barrier::conditions(self, select.where_clause())?;
        let (columns, starred) = self.targets(select, place)?;
        barrier::conditions(self, select.having_clause())?;
        let aliases = Aliases(&columns);
        for sort in select.sort_clause() {
            barrier::sort_operator(sort)?;
            self.by_output(sort.node(), &aliases)?;
        }
        for node in select.distinct_clause() {
            self.by_output(node, &aliases)?;
        }
        for window in select.window_clause() {
            let Node::WindowDef(window) = window else { return Err(unsupported("this window", -1)) };
            self.window(window)?;
        }
        let keys = self.grouping(select, &aliases)?;
        let aggregated = !select.group_clause().is_empty() || !matches!(select.having_clause(), Node::None);
        if !select.group_clause().is_empty() {
            self.group_by_key(select, &keys)?;
        }
        let plain_aggregate = select.group_clause().is_empty()
            && (aggregated || columns.iter().any(|column| column.facts.aggregated));
        let single_row =
            (plain_aggregate || select.from_clause().is_empty()) && !gives_rows(select, self.lists);
        let columns = columns
            .into_iter()
            .map(|column| Seen { facts: Facts { aggregated: false, ..column.facts }, ..column })
            .collect();
        Ok(Body { columns, open: open && starred, hazard: None, filtered: None, single_row })
    }

    /// The select list; whether a star is in it.
    fn targets(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<(Vec<Seen>, bool), Refusal> {
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
            if place == Place::Inner {
                barrier::check(self, &facts)?;
            }
            self.keep_name(target);
            let name = target.name().map_or_else(|| column_name(target.val()), str::to_owned);
            columns.push(Seen { name: name.into(), facts });
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
            Node::FuncCall(call) => matches!(self.edits.of(call), Some(Edit::Value { .. })),
            Node::ColumnRef(column) => {
                matches!(self.edits.of(column), Some(Edit::Column(path)) if path.len() == 1)
            }
            _ => false,
        };
        if renames {
            self.edits.add(target, Edit::Name(column_name(target.val()).into()));
        }
    }

    /// `*`, `c.*`, `s.c.*`.
    fn star(&mut self, node: Node<'_>, qualifier: &[&str], columns: &mut Vec<Seen>) -> Result<(), Refusal> {
        let location = if let Node::ColumnRef(column) = node { column.location } else { -1 };
        if qualifier.is_empty() {
            let Some(level) = self.levels.0.last().cloned() else { return Ok(()) };
            for column in &level.columns {
                self.note_use(&column.facts, vec![column.name.clone()]);
                columns.push(column.clone());
            }
            return Ok(());
        }
        let item = self.qualifier(qualifier, location)?;
        let alias = item.sent_alias.clone().unwrap_or_else(|| item.alias.clone());
        if let Node::ColumnRef(column) = node
            && (qualifier.len() > 1 || item.sent_alias.is_some())
        {
            let starred = column.fields().len() > qualifier.len();
            let edit = if starred { Edit::Star(alias.clone()) } else { Edit::Column(vec![alias.clone()]) };
            self.edits.add(column, edit);
        }
        for column in &item.columns {
            self.note_use(&column.facts, vec![alias.clone(), column.name.clone()]);
            columns.push(column.clone());
        }
        Ok(())
    }

    /// The frame of a window: its expressions.
    pub(crate) fn window(&mut self, window: &nodes::WindowDef) -> Result<(), Refusal> {
        for node in window.partition_clause() {
            self.expression(node)?;
        }
        for sort in window.order_clause() {
            barrier::sort_operator(sort)?;
            self.expression(sort.node())?;
        }
        for node in [window.start_offset(), window.end_offset()] {
            if !matches!(node, Node::None) {
                self.expression(node)?;
                self.unsafe_part("the offset of a window frame", window.location);
            }
        }
        Ok(())
    }

    /// Remembers a part that can fail or tell.
    pub(crate) fn unsafe_part(&mut self, what: impl Into<String>, location: i32) -> Option<Rc<Hazard>> {
        let hazard = Rc::new(Hazard { what: what.into(), location });
        if let Some(part) = self.parts.last_mut()
            && part.hazard.is_none()
        {
            part.hazard = Some(hazard.clone());
        }
        Some(hazard)
    }

    /// Remembers that something is read that can fail or tell.
    pub(crate) fn note_hazard(&mut self, hazard: Option<&Rc<Hazard>>) {
        if let (Some(part), Some(hazard)) = (self.parts.last_mut(), hazard)
            && part.hazard.is_none()
        {
            part.hazard = Some(hazard.clone());
        }
    }

    /// Remembers that a filtered relation is read.
    pub(crate) fn note_filtered(&mut self, filtered: Option<usize>) {
        if let Some(part) = self.parts.last_mut() {
            part.filtered = part.filtered.or(filtered);
        }
    }

    /// Remembers the use of a relation's plain column.
    pub(crate) fn note_use(&mut self, facts: &Facts, path: Vec<Arc<str>>) {
        self.views.note(facts);
        let Some(origin) = &facts.origin else { return };
        if let Some(mention) = self.mentions.get_mut(origin.mention) {
            mention.used.insert(origin.column.clone());
        }
        // A subquery may use a column of a query around it.
        for used in self.used.iter_mut().flatten() {
            used.push(Use { origin: origin.clone(), path: path.clone() });
        }
    }
}

/// The reference of a star and its qualifier, if this is one: `*`, `c.*` or `(c).*`.
fn star(node: Node<'_>) -> (Node<'_>, Option<Vec<&str>>) {
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

/// Whether a query names no relation but this one.
fn names_only(query: &nodes::SelectStmt, name: &str) -> bool {
    let mut only = true;
    pg_raw_parse::walk::walk(Node::SelectStmt(query), |node| {
        if let Node::RangeVar(range) = node {
            only &= range.schemaname().is_none() && range.relname() == Some(name);
        }
    });
    only
}

/// The first columns under other names.
pub(crate) fn renamed(mut columns: Vec<Seen>, names: &pg_raw_parse::list::NodeList) -> Vec<Seen> {
    for (column, name) in columns.iter_mut().zip(names) {
        if let Some(name) = name.as_str() {
            column.name = name.into();
        }
    }
    columns
}

fn text(name: Option<&str>) -> Arc<str> {
    name.unwrap_or_default().into()
}

/// A form that is not mediated.
pub(crate) fn unsupported(what: &str, location: i32) -> Refusal {
    Refusal::new(RefusalKind::Unsupported, format!("{what} is not mediated by this version")).at(location)
}

/// The level that a FROM clause brings, shared with what may look back at it.
pub(crate) fn one(sights: Vec<Rc<Sight>>) -> Rc<Sight> {
    let mut sights = sights.into_iter();
    match (sights.next(), sights.next()) {
        (None, _) => Rc::new(Sight::default()),
        (Some(only), None) => only,
        (Some(first), Some(second)) => {
            let both = (*first).clone().beside((*second).clone());
            Rc::new(sights.fold(both, |all, next| all.beside((*next).clone())))
        }
    }
}
