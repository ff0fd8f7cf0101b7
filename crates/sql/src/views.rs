//! Views that stand for their definitions: what each of them reads.
//!
//! The catalogue holds a view's own query, every name in it with its schema. A view that the policy does not name is
//! opened: `views_open.rs` puts the query in its place, before anything is decided about the statement, and
//! `views_closed.rs` follows what hangs on columns that are hidden from the caller.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use access::{
    Action, Catalog, Entry, Refusal, RefusalKind, Relation, RelationKind, RelationName, Touch, Via,
};
use pg_raw_parse::nodes;

use crate::names::{self, Session};
use crate::on_stack;
use crate::parse::{Batch, Limits, parse};
use crate::relations::each_relation;

/// The deepest chain of views over views.
pub(crate) const VIEWS_DEEP_MAX: usize = 32;

/// The definitions of all views that a statement comes to.
#[derive(Debug, Default)]
pub(crate) struct Definitions(HashMap<RelationName, Result<Definition, Refusal>>);

/// One view's query.
struct Definition {
    batch: Batch,
    reads: Vec<Read>,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("reads", &self.reads).finish_non_exhaustive()
    }
}

/// One relation that a definition names.
#[derive(Debug)]
enum Read {
    /// This one, or the parent whose policy decides for it.
    Governed(Arc<Relation>),
    /// One that is not in the catalogue.
    Missing,
    /// One that nobody may name.
    Refused(Refusal),
}

/// Whether a view can be opened for a caller, and what stands in the way.
pub(crate) enum Openable {
    Yes,
    /// Something below it is not there: then neither is the view.
    Missing,
    No(Refusal),
}

impl Definitions {
    /// Reads the definition of a view, and of all views below it.
    pub(crate) fn add(&mut self, relation: &Relation, catalog: &Catalog, session: &Session<'_>) {
        let mut left = vec![relation.name.clone()];
        while let Some(name) = left.pop() {
            let Some(relation) = catalog.relation(&name) else { continue };
            let Some(text) = relation.definition.as_ref().filter(|_| !self.0.contains_key(&name)) else {
                continue;
            };
            let definition = on_stack(text.len(), || Definition::read(text, catalog, session));
            for read in definition.iter().flat_map(|definition| &definition.reads) {
                if let Read::Governed(below) = read {
                    left.push(below.name.clone());
                }
            }
            self.0.insert(name, definition);
        }
    }

    /// The query of a view.
    pub(crate) fn query(&self, view: &RelationName) -> Option<&nodes::SelectStmt> {
        let definition = self.0.get(view)?.as_ref().ok()?;
        definition.batch.first_query()
    }

    /// The length of all definitions together.
    pub(crate) fn text_len(&self, catalog: &Catalog) -> usize {
        let definitions = self.0.keys().filter_map(|name| catalog.relation(name)?.definition.as_ref());
        definitions.map(|text| text.len()).sum()
    }

    /// Whether a relation can be read, by its own entry or as a view that is opened.
    pub(crate) fn readable(
        &self,
        relation: &Relation,
        entry: &dyn Fn(&RelationName) -> Entry,
        depth: usize,
    ) -> Openable {
        match (entry(&relation.name), relation.kind) {
            (Entry::Governed, _) => self.covered(&relation.name),
            (Entry::None, RelationKind::View) => self.openable(&relation.name, entry, depth),
            (Entry::None | Entry::Closed, _) => Openable::Missing,
        }
    }

    fn openable(
        &self,
        view: &RelationName,
        entry: &dyn Fn(&RelationName) -> Entry,
        depth: usize,
    ) -> Openable {
        if depth > VIEWS_DEEP_MAX {
            return Openable::No(too_deep());
        }
        let definition = match self.0.get(view) {
            None => return Openable::Missing,
            Some(Err(refusal)) => return Openable::No(refusal.clone()),
            Some(Ok(definition)) => definition,
        };
        if definition.reads.is_empty() {
            // What it gives stands in its own text: nothing of the policy would cover it.
            return Openable::Missing;
        }
        for read in &definition.reads {
            let below = match read {
                Read::Missing => Openable::Missing,
                Read::Refused(refusal) => Openable::No(refusal.clone()),
                Read::Governed(relation) => self.readable(relation, entry, depth + 1),
            };
            match below {
                Openable::Yes => {}
                Openable::Missing | Openable::No(_) => return below,
            }
        }
        Openable::Yes
    }

    /// Whether it is known what stands below a relation that has rules of its own: a deny there counts.
    fn covered(&self, relation: &RelationName) -> Openable {
        match self.0.get(relation) {
            Some(Err(refusal)) => Openable::No(refusal.clone()),
            None | Some(Ok(_)) => Openable::Yes,
        }
    }

    /// What a mention of this relation touches.
    pub(crate) fn touches(
        &self,
        relation: &Arc<Relation>,
        entry: &dyn Fn(&RelationName) -> Entry,
        touches: &mut BTreeSet<Touch>,
    ) {
        Toucher { definitions: self, entry, touches, seen: HashSet::new() }.touch(relation, &Via::Named);
    }
}

impl Definition {
    fn read(text: &str, catalog: &Catalog, session: &Session<'_>) -> Result<Self, Refusal> {
        let batch = parse(text, &Limits::default())?;
        let mut reads = Vec::new();
        let Some(query) = batch.first_query() else {
            return Err(Refusal::new(RefusalKind::Unsupported, "its definition is no query"));
        };
        each_relation(query, &mut |range| {
            reads.push(match in_definition(range, catalog, session) {
                Ok(relation) => match names::governing(relation, catalog) {
                    Some(governing) => Read::Governed(governing.clone()),
                    None => Read::Missing,
                },
                Err(refusal) if refusal.kind == RefusalKind::UnknownRelation => Read::Missing,
                Err(refusal) => Read::Refused(refusal),
            });
            Ok(())
        })?;
        Ok(Self { batch, reads })
    }
}

/// A relation that a definition names: with its schema, or of `pg_catalog`. The caller's path does not count.
pub(crate) fn in_definition<'c>(
    range: &nodes::RangeVar,
    catalog: &'c Catalog,
    session: &Session<'_>,
) -> Result<&'c Arc<Relation>, Refusal> {
    names::relation(range, catalog, &Session { search_path: &[], ..*session })
}

struct Toucher<'a> {
    definitions: &'a Definitions,
    entry: &'a dyn Fn(&RelationName) -> Entry,
    touches: &'a mut BTreeSet<Touch>,
    seen: HashSet<(RelationName, bool)>,
}

impl Toucher<'_> {
    fn touch(&mut self, relation: &Arc<Relation>, via: &Via) {
        let below = matches!(via, Via::Below(_));
        let name = &relation.name;
        if !self.seen.insert((name.clone(), below)) {
            return;
        }
        let opened = relation.kind == RelationKind::View && (self.entry)(name) == Entry::None;
        if !opened {
            self.touches.insert(Touch { relation: name.clone(), action: Action::Read, via: via.clone() });
        }
        let further = match via {
            Via::Named if opened => Via::Opened(name.clone()),
            Via::Opened(_) if opened => via.clone(),
            Via::Named => Via::Below(name.clone()),
            Via::Opened(view) | Via::Below(view) => Via::Below(view.clone()),
        };
        let Some(Ok(definition)) = self.definitions.0.get(name) else { return };
        for read in &definition.reads {
            if let Read::Governed(relation) = read {
                self.touch(relation, &further);
            }
        }
    }
}

/// What the caller learns of a view that is not opened: which one, and why. The place is that of its mention: a place in
/// the definition means nothing to the client.
pub(crate) fn not_opened(view: &RelationName, why: Refusal, position: Option<usize>) -> Refusal {
    let message = format!("view `{view}` is not opened: {}", why.message);
    Refusal { message, position, hint: None, ..why }
        .hint("ask for another view, or for an entry of the policy that names this one")
}

pub(crate) fn too_deep() -> Refusal {
    let message = format!("views stand over views more than {VIEWS_DEEP_MAX} deep");
    Refusal::new(RefusalKind::TooComplex, message)
}
