//! Views to their definitions: in a copy of the statement, before it is read, each mention of a view that has no guard
//! of its own becomes a subquery.
//!
//! What is put in is remembered by its place: `views_closed.rs` reads it with none of the caller's names in sight.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use access::{Guards, Refusal, RefusalKind, Relation, RelationKind};
use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::transform::{Assignable, Transform, transform_node};
use pg_raw_parse::{Node, NodeMut, nodes};

use crate::build::Build;
use crate::edits::place;
use crate::names;
use crate::relations::each_relation;
use crate::scope::Scope;
use crate::views::{VIEWS_DEEP_MAX, in_definition, not_opened, too_deep};

/// The most views that one statement opens, and the most text of theirs.
const OPENED_MAX: usize = 500;
const DEFINITION_BYTES_MAX: usize = 1024 * 1024;

/// The views that were opened in one tree, by the place of the subquery. They hold for that very tree.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    by_place: HashMap<usize, Arc<Opening>>,
    /// How much text was put in.
    pub(crate) bytes: usize,
}

/// One mention of a view.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) view: Arc<Relation>,
    /// Whether the mention has an alias of its own.
    pub(crate) has_alias: bool,
    /// Where it stands in the client's text.
    pub(crate) position: Option<usize>,
    /// What is answered where something below it is not there.
    pub(crate) missing: Refusal,
}

impl Opening {
    /// What the client learns of a refusal inside.
    pub(crate) fn refusal(&self, why: Refusal) -> Refusal {
        if why.kind == RefusalKind::UnknownRelation {
            return self.missing.clone();
        }
        not_opened(&self.view.name, why, self.position)
    }
}

impl Openings {
    pub(crate) fn of(&self, subselect: &nodes::RangeSubselect) -> Option<Arc<Opening>> {
        self.by_place.get(&place(subselect)).cloned()
    }
}

/// Opens every view of a query that has no guard. The query stands in the statement.
pub(crate) fn open<'m>(
    mem: MemoryToken<'m>,
    scope: &Scope<'_>,
    guards: &Guards,
    statement: &mut Unique<'m, &'m nodes::RawStmt>,
    query: impl FnOnce(&nodes::RawStmt) -> Option<&nodes::SelectStmt>,
) -> Result<Openings, Refusal> {
    let mut opener = Opener { mem, scope, guards, openings: Openings::default() };
    let Some(select) = query(statement.as_ref()) else { return Ok(opener.openings) };
    let found = opener.find(select, true)?;
    if !found.is_empty() {
        let mut replace = Replace { opener: &mut opener, found, depth: 0, failed: None };
        replace.transform_raw_stmt(statement.as_mut());
        if let Some(refusal) = replace.failed {
            return Err(refusal);
        }
    }
    Ok(opener.openings)
}

struct Opener<'m, 'a> {
    mem: MemoryToken<'m>,
    scope: &'a Scope<'a>,
    guards: &'a Guards,
    openings: Openings,
}

/// What is to be changed in one query, by place.
#[derive(Default)]
struct Found {
    views: HashMap<usize, Arc<Relation>>,
    /// Names of a definition that have no schema: they are of `pg_catalog`.
    of_the_catalogue: HashSet<usize>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.views.is_empty() && self.of_the_catalogue.is_empty()
    }
}

impl<'m> Opener<'m, '_> {
    fn find(&self, select: &nodes::SelectStmt, of_the_client: bool) -> Result<Found, Refusal> {
        let (catalog, session) = (self.scope.catalog, &self.scope.session);
        let mut found = Found::default();
        each_relation(select, &mut |range| {
            let relation = if of_the_client {
                names::relation(range, catalog, session)?
            } else {
                in_definition(range, catalog, session)?
            };
            if !of_the_client && range.schemaname().is_none() {
                found.of_the_catalogue.insert(place(range));
            }
            let opened = relation.kind == RelationKind::View && self.guards.of(&relation.name).is_none();
            if opened {
                found.views.insert(place(range), relation.clone());
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The subquery that stands for one mention of a view.
    fn opened(
        &mut self,
        view: &Arc<Relation>,
        range: &nodes::RangeVar,
        depth: usize,
    ) -> Result<Unique<'m, Node<'m>>, Refusal> {
        if depth > VIEWS_DEEP_MAX {
            return Err(too_deep());
        }
        let missing = names::missing(range);
        let Some(query) = self.scope.views.query(&view.name) else { return Err(missing) };
        self.openings.bytes += view.definition.as_ref().map_or(0, |text| text.len());
        if self.openings.bytes > DEFINITION_BYTES_MAX || self.openings.by_place.len() >= OPENED_MAX {
            let message = format!(
                "it opens to more than {OPENED_MAX} views, or {DEFINITION_BYTES_MAX} bytes of definitions"
            );
            return Err(Refusal::new(RefusalKind::TooComplex, message));
        }
        let mut copy = self.mem.make_unique(query);
        let found = self.find(copy.as_ref(), false)?;
        if !found.is_empty() {
            let mut replace = Replace { opener: self, found, depth: depth + 1, failed: None };
            replace.transform_select_stmt(copy.as_mut());
            if let Some(refusal) = replace.failed {
                return Err(refusal);
            }
        }
        let alias = match range.alias() {
            Some(own) => self.mem.make_unique(own),
            None => self.mem.make_alias(Some(&view.name.name), self.mem.empty()),
        };
        let mut subselect = self.mem.make_node::<nodes::RangeSubselect>();
        let mut edit = subselect.as_mut();
        edit.set_subquery(copy.uncast());
        edit.set_alias(alias.as_option());
        let opening = Opening {
            view: view.clone(),
            has_alias: range.alias().is_some(),
            position: missing.position,
            missing,
        };
        self.openings.by_place.insert(place::<nodes::RangeSubselect>(&subselect), Arc::new(opening));
        Ok(subselect.uncast())
    }
}

struct Replace<'m, 'o, 'a> {
    opener: &'o mut Opener<'m, 'a>,
    found: Found,
    /// How many views stand around this query.
    depth: usize,
    /// The first view that could not be opened.
    failed: Option<Refusal>,
}

impl<'m> Transform<'m> for Replace<'m, '_, '_> {
    fn transform_node<'r>(&mut self, node: Assignable<'m, 'r>) {
        if let NodeMut::RangeVar(range) = &*node
            && let Some(view) = self.found.views.get(&place::<nodes::RangeVar>(range)).cloned()
        {
            match self.opener.opened(&view, range, self.depth) {
                Ok(subselect) => node.replace(subselect),
                Err(refusal) => {
                    let position = names::missing(range).position;
                    let named = self.depth == 0 && refusal.kind != RefusalKind::UnknownRelation;
                    let refusal = if named { not_opened(&view.name, refusal, position) } else { refusal };
                    let refusal = if self.depth == 0 && !named { names::missing(range) } else { refusal };
                    self.failed.get_or_insert(refusal);
                }
            }
            return;
        }
        let mut node = node.into_inner();
        if let NodeMut::RangeVar(range) = &mut node
            && self.found.of_the_catalogue.contains(&place::<nodes::RangeVar>(range))
        {
            range.set_schemaname(Some(self.opener.mem.copy_string("pg_catalog")));
        }
        transform_node(node, self);
    }
}

/// Puts a query of the shown columns alone around each view that has hidden ones. It stands after all other changes: the
/// subquery is copied.
pub(crate) struct Narrow<'m, 's> {
    pub(crate) mem: MemoryToken<'m>,
    /// The columns that are shown, by the place of the subquery.
    pub(crate) shown: &'s HashMap<usize, Vec<Arc<str>>>,
}

impl<'m> Transform<'m> for Narrow<'m, '_> {
    fn transform_node<'r>(&mut self, node: Assignable<'m, 'r>) {
        if let NodeMut::RangeSubselect(subselect) = &*node
            && let Some(shown) = self.shown.get(&place::<nodes::RangeSubselect>(subselect))
        {
            let narrowed = self.narrowed(subselect, shown);
            node.replace(narrowed);
            return;
        }
        transform_node(node.into_inner(), self);
    }
}

impl<'m> Narrow<'m, '_> {
    fn narrowed(&self, subselect: &nodes::RangeSubselect, shown: &[Arc<str>]) -> Unique<'m, Node<'m>> {
        const ALL: &str = "opened";
        let (mem, build) = (self.mem, Build(self.mem));
        let targets: Vec<_> = shown
            .iter()
            .map(|name| mem.make_res_target(None, mem.empty(), build.column(&[ALL, name])))
            .collect();
        let mut inner = mem.make_node::<nodes::RangeSubselect>();
        let mut edit = inner.as_mut();
        edit.set_subquery(mem.make_unique(subselect.subquery()));
        edit.set_alias(mem.make_alias(Some(ALL), mem.empty()).as_option());
        let mut select = mem.make_node::<nodes::SelectStmt>();
        let mut edit = select.as_mut();
        edit.set_target_list(mem.make_list(&targets));
        edit.set_from_clause(mem.make_list(&[inner.uncast()]));
        edit.set_limit_option(pg_raw_parse::raw::LimitOption::LIMIT_OPTION_DEFAULT);
        let mut outer = mem.make_node::<nodes::RangeSubselect>();
        let mut edit = outer.as_mut();
        edit.set_subquery(select.uncast());
        if let Some(alias) = subselect.alias() {
            edit.set_alias(mem.make_unique(alias).as_option());
        }
        outer.uncast()
    }
}
