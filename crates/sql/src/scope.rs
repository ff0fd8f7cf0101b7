//! Statement to touches: every relation that the statement reads, nested ones and those below views too.
//!
//! Names are read here with the server's own scoping of WITH alone; columns come later, when it is decided what this
//! caller may see (`rewrite.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use access::{Action, Catalog, Entry, Refusal, RefusalKind, Relation, RelationName, Touch};
use pg_raw_parse::Node;

use crate::catalogue;
use crate::copy;
use crate::names::{self, Session};
use crate::relations::each_relation;
use crate::statement::{Kind, Statement};
use crate::views::{Definitions, Openable, not_opened};

/// A statement and what it names: ready to be decided.
#[derive(Debug)]
pub struct Scope<'a> {
    pub(crate) statement: &'a Statement<'a>,
    pub(crate) catalog: &'a Catalog,
    pub(crate) session: Session<'a>,
    pub(crate) views: Definitions,
    mentions: Vec<Mention>,
}

/// One mention of a relation, in the order of the walk.
#[derive(Debug)]
struct Mention {
    /// The relation whose policy decides; none where there is no such relation.
    governing: Option<Arc<Relation>>,
    /// What is answered where it is not there for this caller.
    missing: Refusal,
}

impl Scope<'_> {
    /// What the statement touches, each once, in the order of names. `entry` is what the policy says of a relation: a view
    /// without an entry stands for what is below it.
    #[must_use]
    pub fn touches(&self, entry: impl Fn(&RelationName) -> Entry) -> Vec<Touch> {
        let mut touches = BTreeSet::new();
        for relation in self.mentions.iter().filter_map(|mention| mention.governing.as_ref()) {
            self.views.touches(relation, &entry, &mut touches);
        }
        if self.statement.kind() == Kind::Explain {
            let explained: Vec<_> =
                touches.iter().map(|touch| Touch { action: Action::Explain, ..touch.clone() }).collect();
            touches.extend(explained);
        }
        touches.into_iter().collect()
    }

    /// The refusal of the first relation that does not exist, or has no `entry` in the policy: the two answer alike, in
    /// the same order, so that nobody learns which of them it was. A view without one is there where everything below it
    /// is.
    #[must_use]
    pub fn missing(&self, entry: impl Fn(&RelationName) -> Entry) -> Option<Refusal> {
        self.mentions.iter().find_map(|mention| {
            let Some(relation) = &mention.governing else { return Some(mention.missing.clone()) };
            match self.views.readable(relation, &entry, 0) {
                Openable::Yes => None,
                Openable::Missing => Some(mention.missing.clone()),
                Openable::No(why) => Some(not_opened(&relation.name, why, mention.missing.position)),
            }
        })
    }

    /// How much text stands behind the statement, its views included: what the stack has to fit.
    pub(crate) fn text_len(&self) -> usize {
        self.statement.source().len().saturating_add(self.views.text_len(self.catalog))
    }
}

impl Scope<'_> {
    /// What the server says to a COPY of a relation that is no table. To be asked once it is known that the relation is
    /// there for this caller.
    ///
    /// # Errors
    /// A view, a partitioned table, and whatever else is no table.
    pub fn check_copied(&self) -> Result<(), Refusal> {
        copy::check_relation(self.statement, self.catalog, &self.session)
    }
}

/// Finds what a statement names.
///
/// # Errors
/// What reads or writes in a way that is not mediated. A relation that does not exist is none: see [`Scope::missing`].
pub fn scope<'a>(
    statement: &'a Statement<'a>,
    catalog: &'a Catalog,
    session: Session<'a>,
) -> Result<Scope<'a>, Refusal> {
    let mut mentions = Vec::new();
    let mut views = Definitions::default();
    if let Some(select) = statement.select() {
        each_relation(select, &mut |range| {
            let missing = names::missing(range);
            let relation = match names::relation(range, catalog, &session) {
                Ok(relation) => names::governing(relation, catalog),
                Err(refusal) if refusal == missing => None,
                Err(refusal) => return Err(refusal),
            };
            if let Some(relation) = relation {
                views.add(relation, catalog, &session);
            }
            mentions.push(Mention { governing: relation.cloned(), missing });
            Ok(())
        })?;
        // What asks the catalogue by other means than a relation touches `pg_class`.
        let mut asks = false;
        pg_raw_parse::walk::walk(Node::SelectStmt(select), |node| asks |= catalogue::asks(node));
        if let Some(classes) = catalog.relation(&RelationName::new("pg_catalog", "pg_class")).filter(|_| asks)
        {
            let missing = Refusal::new(RefusalKind::Unsupported, "the catalogue is not readable here");
            mentions.push(Mention { governing: Some(classes.clone()), missing });
        }
    }
    Ok(Scope { statement, catalog, session, views, mentions })
}
