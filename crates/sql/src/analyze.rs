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
use crate::gates::{Admit, BodyId, Inside, Passing, Placed};
use crate::lists::{self, Lists, oid};
use crate::names::Session;
use crate::range::{AdmitId, Facts, Gates, Hazard, Level, Levels, Origin, Seen, Sight, Site, Ty, take_in};
use crate::rows::{is_count, is_one};
use crate::select::is_limited;
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
    /// The parts of it that can fail or tell, wherever they stand.
    pub(crate) hazards: Vec<Hazard>,
    /// What admits rows of the queries around it, as far as it reads them.
    pub(crate) gates: Gates,
    /// Whether it reads a column of a query around it.
    pub(crate) correlated: bool,
    /// Whether rows of its own FROM are filtered.
    pub(crate) filtered: bool,
    /// Whether it gives at most one row, whatever the data.
    pub(crate) single_row: bool,
    /// Its number, where something may be wanted of it.
    pub(crate) inside: BodyId,
}

impl Body {
    pub(crate) fn new(columns: Vec<Seen>, inside: BodyId) -> Self {
        Self {
            columns,
            open: false,
            hazards: Vec::new(),
            gates: Gates::default(),
            correlated: false,
            filtered: false,
            single_row: false,
            inside,
        }
    }

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
    /// Whether its query has been read: another query of its WITH RECURSIVE may name it before.
    pub(crate) known: bool,
    /// A part of it that can fail or tell: it runs where the name is read.
    pub(crate) hazard: Option<Hazard>,
    /// The query that passes up what admits its rows, where some of its own are filtered.
    pub(crate) inside: Option<BodyId>,
}

impl Cte {
    /// A name that is in sight before its query has been read.
    fn announced(name: Arc<str>) -> Self {
        Self { name, columns: Rc::default(), open: false, known: false, hazard: None, inside: None }
    }
}

/// What is gathered over one query, its subqueries included.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) hazards: Vec<Hazard>,
    /// What admits the rows that are read in it.
    pub(crate) gates: Gates,
    /// The levels below this one are of queries around it.
    pub(crate) base: usize,
    /// Whether it reads a column of one of those.
    pub(crate) correlated: bool,
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
    /// The name of the column that says whether a row is admitted, where a gate needs it.
    pub(crate) admit: Option<Arc<str>>,
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
    /// Where a gate would stand around what is being read.
    pub(crate) site: Site,
    /// What admits the rows of each filtered item.
    pub(crate) admits: Vec<Admit>,
    /// Those of each query that is being read.
    pub(crate) owners: Vec<Vec<AdmitId>>,
    /// What is wanted of each query.
    pub(crate) insides: Vec<Inside>,
    /// Forms that cannot be written where something is wanted.
    pub(crate) blocked: Vec<(Vec<AdmitId>, Refusal)>,
    pub(crate) gates: Placed,
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
            site: Site::Nowhere,
            admits: Vec::new(),
            owners: Vec::new(),
            insides: Vec::new(),
            blocked: Vec::new(),
            gates: Placed::default(),
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
        let site = std::mem::replace(&mut self.site, Site::Nowhere);
        self.parts.push(Part { base: self.levels.0.len(), ..Part::default() });
        self.ctes.push(Vec::new());
        self.owners.push(Vec::new());
        let body = self.with(select).and_then(|()| read(self));
        self.site = site;
        self.ctes.pop();
        let own = self.owners.pop().unwrap_or_default();
        let mut part = self.parts.pop().unwrap_or_default();
        part.gates.take(&own);
        if let Some(outer) = self.parts.last_mut() {
            outer.gates.add_all(&part.gates);
            take_in(&mut outer.hazards, &part.hazards);
        }
        let mut body = body?;
        for column in &mut body.columns {
            column.facts.leave(&own);
        }
        self.edits.add(select, Edit::Inside(body.inside));
        Ok(Body { hazards: part.hazards, gates: part.gates, correlated: part.correlated, ..body })
    }

    fn with(&mut self, select: &nodes::SelectStmt) -> Result<(), Refusal> {
        let Some(with) = select.with_clause() else { return Ok(()) };
        if with.recursive {
            for cte in with.ctes() {
                self.bring(Cte::announced(text(cte.ctename())));
            }
        }
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
            let inside = body.filtered.then_some(body.inside);
            let hazard = body.hazards.into_iter().next();
            let columns = Rc::new(columns);
            self.bring(Cte { name, columns, open: body.open, known: true, hazard, inside });
        }
        Ok(())
    }

    fn bring(&mut self, cte: Cte) {
        let Some(frame) = self.ctes.last_mut() else { return };
        match frame.iter_mut().find(|known| known.name == cte.name && !known.known) {
            Some(announced) => *announced = cte,
            None => frame.push(cte),
        }
    }

    /// A query that may name itself: its columns are those of its first arm. Its rows have been computed when they are
    /// read, and so need no gate: it is sent as MATERIALIZED, since one that does not name itself after all could be
    /// moved into the query that reads it.
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
        self.edits.add(cte, Edit::Materialized);
        self.enclosed(query, |this| {
            let seed = this.select(first, Place::Inner)?.settled();
            let mut columns = seed.columns;
            columns.iter_mut().for_each(|column| column.facts.computed());
            let mut named = renamed(columns.clone(), cte.aliascolnames());
            this.search_and_cycle(cte, &mut named)?;
            let hazard = seed.hazards.first().cloned();
            let seen = Rc::new(named);
            let name = name.clone();
            this.bring(Cte { name, columns: seen, open: seed.open, known: true, hazard, inside: None });
            let step = this.select(second, Place::Inner)?;
            for (column, other) in columns.iter_mut().zip(&step.columns) {
                column.facts =
                    this.unify(&[&column.facts, &other.facts], "a recursive query over different types");
                this.note_nowhere(&column.facts.hazards);
                column.facts.computed();
            }
            none_closed(&columns)?;
            let inside = this.new_inside(Passing::Fence, Vec::new());
            Ok(Body { open: seed.open, ..Body::new(columns, inside) })
        })
    }

    /// The columns that SEARCH and CYCLE add.
    fn search_and_cycle(
        &mut self,
        cte: &nodes::CommonTableExpr,
        columns: &mut Vec<Seen>,
    ) -> Result<(), Refusal> {
        if let Some(search) = cte.search_clause() {
            columns.push(Seen::new(text(search.search_seq_column()), Facts::of(Ty::Any)));
        }
        if let Some(cycle) = cte.cycle_clause() {
            self.expression(cycle.cycle_mark_value())?;
            self.expression(cycle.cycle_mark_default())?;
            for name in [cycle.cycle_mark_column(), cycle.cycle_path_column()] {
                columns.push(Seen::new(text(name), Facts::of(Ty::Any)));
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
            let mut facts = self.expression(node)?;
            if !is_count(node) {
                self.make_unsafe(&mut facts, "LIMIT or OFFSET by an expression", -1);
            }
            self.note_nowhere(&facts.hazards);
        }
        body.single_row |= is_one(select);
        self.nothing_closed(select, &body, before)?;
        Ok(body)
    }

    fn set_operation(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<Body, Refusal> {
        let (Some(left), Some(right)) = (select.larg(), select.rarg()) else {
            return Err(unsupported("this set operation", -1));
        };
        let is_list = |arm: &nodes::SelectStmt| !arm.values_lists().is_empty();
        let has_list = is_list(left) || is_list(right);
        let left = self.select(left, place)?;
        let right = self.select(right, place)?;
        let mut columns = left.columns;
        for (column, other) in columns.iter_mut().zip(&right.columns) {
            let unified = self.unify(&[&column.facts, &other.facts], "a set operation over different types");
            let facts = Facts { ty: unified.ty, ..unified };
            column.facts = Facts { aggregated: false, grouped: false, origin: None, ..facts };
        }
        let passes =
            |arm: BodyId| self.insides.get(arm).is_some_and(|inside| inside.passing != Passing::Fence);
        let united = select.op == raw::SetOperation::SETOP_UNION && select.all && !is_limited(select);
        let passing = if united && !has_list && passes(left.inside) && passes(right.inside) {
            Passing::Arms(left.inside, right.inside)
        } else {
            // What it gives has been computed before it is compared with anything else.
            columns.iter_mut().for_each(|column| column.facts.hazards.clear());
            Passing::Fence
        };
        let inside = self.new_inside(passing, Vec::new());
        // ORDER BY of a set operation names its columns, or counts them.
        for sort in select.sort_clause() {
            if !matches!(sort.node(), Node::ColumnRef(_) | Node::A_Const(_)) {
                return Err(unsupported("ORDER BY an expression over a set operation", sort.location));
            }
            barrier::sort_operator(sort)?;
        }
        let (open, filtered) = (left.open || right.open, left.filtered || right.filtered);
        Ok(Body { open, filtered, ..Body::new(columns, inside) })
    }

    fn values(&mut self, select: &nodes::SelectStmt) -> Result<Body, Refusal> {
        let mut columns: Vec<Seen> = Vec::new();
        for row in select.values_lists() {
            let Node::NodeList(row) = row else { return Err(unsupported("this form of VALUES", -1)) };
            for (at, mut facts) in self.row_parts(row.iter())?.into_iter().enumerate() {
                // VALUES beside a relation can read its columns, and runs before the filter of that relation.
                barrier::check(self, &facts)?;
                facts.gated();
                match columns.get_mut(at) {
                    Some(column) => {
                        column.facts = self.unify(&[&column.facts, &facts], "VALUES of different types")
                    }
                    None => columns.push(Seen::new(format!("column{}", at + 1).into(), facts)),
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
        let inside = self.new_inside(Passing::Fence, Vec::new());
        Ok(Body { single_row, ..Body::new(columns, inside) })
    }

    fn plain(&mut self, select: &nodes::SelectStmt, place: Place) -> Result<Body, Refusal> {
        let sight = self.sights(select.from_clause())?;
        let open = sight.open;
        self.levels.0.push(Level { sight, settled: false });
        self.used.push((!select.group_clause().is_empty()).then(Vec::new));
        let body = self.clauses(select, place, open);
        self.used.pop();
        self.levels.0.pop();
        body
    }

    /// Says that what is being read can fail or tell, and stands for all that can inside it.
    pub(crate) fn make_unsafe(&self, facts: &mut Facts, what: impl Into<Rc<str>>, location: i32) {
        facts.hazards = vec![Hazard {
            what: what.into(),
            location,
            site: self.site,
            covered: Gates::default(),
            free: !facts.reads && facts.gates.is_empty() && !facts.volatile && !facts.aggregated,
            aggregated: facts.aggregated,
        }];
    }

    /// Remembers what admits the rows that are read, and that a query around reads them.
    pub(crate) fn note_gates(&mut self, gates: &Gates) {
        if let Some(part) = self.parts.last_mut() {
            part.gates.add_all(gates);
        }
    }

    /// A column of the level at this depth is read.
    pub(crate) fn read_column(&mut self, facts: &Facts, depth: usize) -> Facts {
        let (settled, admits) = self.level_at(depth);
        let mut facts = facts.clone();
        if settled {
            facts.settled = facts.gates.iter().filter(|admit| admits.contains(admit)).collect();
            facts.gates.take(&admits);
        }
        self.note_gates(&facts.gates);
        for part in self.parts.iter_mut().rev().take_while(|part| part.base > depth) {
            part.correlated = true;
        }
        for hazard in &mut facts.hazards {
            hazard.site = self.site;
        }
        facts
    }

    pub(crate) fn level_at(&self, depth: usize) -> (bool, Vec<AdmitId>) {
        self.levels
            .0
            .get(depth)
            .map_or((false, Vec::new()), |level| (level.settled, level.sight.admits.clone()))
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

/// The first columns under other names.
pub(crate) fn renamed(mut columns: Vec<Seen>, names: &pg_raw_parse::list::NodeList) -> Vec<Seen> {
    for (column, name) in columns.iter_mut().zip(names) {
        if let Some(name) = name.as_str() {
            column.name = name.into();
            column.path = Rc::from([column.name.clone()]);
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
