//! Lines of a policy for a partition or an inheritance child. Its rows are the topmost parent's, whose rules decide; what
//! names the child alone narrows them further, by the number of the table that each row lies in. What cannot be said that
//! way closes the parent: reading it would read the child's rows.

use std::sync::Arc;

use access::{Action, Catalog, Entry, Field, FieldType, Predicate, RelationName, Value};

use super::lookups::Lookups;
use super::{Applies, Binder, Bound, Restrict};
use crate::Diagnostic;
use crate::expr::logic;
use crate::guards::Asked;
use crate::policy::{Block, Policy, Rule, RuleKind};

/// What the policy says of the rows of one child beside what it says of its parent.
#[derive(Debug, Clone)]
pub(crate) struct ChildRows {
    /// The child and all tables below it.
    oids: Vec<u32>,
    pub(crate) restricts: Vec<Restrict>,
}

impl ChildRows {
    /// The restricts that narrow the child's rows for this action and caller.
    pub(crate) fn matching<'a>(
        &'a self,
        action: Action,
        asked: &Asked<'_>,
    ) -> impl Iterator<Item = &'a Restrict> {
        let matches = move |restrict: &&Restrict| {
            restrict.applies.covers(action) && asked.truth(&restrict.applies.to) != Some(false)
        };
        self.restricts.iter().filter(matches)
    }

    pub(super) fn reads_clock(&self) -> bool {
        self.restricts.iter().any(|restrict| {
            restrict.applies.to.reads_clock() || restrict.rows.as_ref().is_some_and(|rows| rows.reads_clock())
        })
    }

    /// The rows of the parent that are left: those that lie elsewhere, and those that every matching restrict admits.
    pub(crate) fn rows(&self, action: Action, asked: &Asked<'_>) -> Predicate {
        let every: Vec<_> =
            self.matching(action, asked).map(|restrict| asked.rows(restrict.rows.as_ref())).collect();
        let table = Field { name: "tableoid".into(), ty: FieldType::Int };
        let here = self.oids.iter().map(|oid| Value::Int(i64::from(*oid))).collect();
        let elsewhere = Predicate::Not(Box::new(Predicate::In(table, here)));
        logic::or([logic::and(every), elsewhere])
    }
}

/// Binds the blocks of children, each into its topmost parent.
pub(super) fn bind(
    policy: &Policy,
    children: &[(&Block, &Arc<Catalog>)],
    lookups: &Lookups,
    bound: &mut Bound,
    told: &mut Vec<Diagnostic>,
) {
    for (block, catalog) in children {
        let name = &block.data.relation;
        let parent = topmost(catalog, name);
        let entry = parent.and_then(|parent| policy.block(&block.data.store, &parent.name));
        let governed =
            entry.is_some_and(|entry| bound.entry(&catalog.store, &entry.data.relation) == Entry::Governed);
        let (Some(parent), Some(entry), true) = (parent, entry, governed) else {
            let message = format!("`{name}` is a child of what has no rules of its own: it is not there");
            told.push(block.place.error(message).help("write an entry for its topmost parent"));
            bound.close(&catalog.store, name);
            continue;
        };
        let mut binder =
            Binder { policy, block, catalog, lookups, columns: Vec::new(), untyped: false, told };
        let lines = binder.child(entry, parent, descendants(catalog, name));
        let relations = bound.stores.entry(catalog.store.clone()).or_default();
        match (lines, relations.get_mut(&parent.name)) {
            (Some((denies, rows)), Some(relation)) => {
                relation.denies.extend(denies);
                relation.children.push(rows);
            }
            _ => {
                let message = format!("`{}` is closed, because it holds the rows of `{name}`", parent.name);
                told.push(block.place.error(message));
                bound.close(&catalog.store, &parent.name);
            }
        }
    }
}

impl Binder<'_> {
    /// What names this child and not its parent; none where that cannot be said of the parent's rows.
    fn child(
        &mut self,
        parent: &Block,
        live: &access::Relation,
        oids: Vec<u32>,
    ) -> Option<(Vec<Applies>, ChildRows)> {
        let mut fits = self.classes_agree(parent);
        let (mut denies, mut restricts) = (Vec::new(), Vec::new());
        let (policy, block) = (self.policy, self.block);
        let own = |rule: &&Arc<Rule>| rule.covers(&block.data) && !rule.covers(&parent.data);
        for rule in policy.rules.iter().filter(own) {
            self.untyped = false;
            let to = self.typed(&rule.to, None);
            let rows = rule.rows.as_ref().map(|rows| self.typed(rows, Some(live)));
            if rule.kind == RuleKind::Allow {
                let message = format!("the allow `{}` names a child alone: it grants nothing", rule.name);
                self.told.push(rule.place.error(message).help("write it for the topmost parent"));
                continue;
            }
            if !rule.show.is_empty() {
                self.untyped = true;
                let message = format!(
                    "the restrict `{}` shows less in a child alone: columns are those of the parent",
                    rule.name
                );
                self.told
                    .push(rule.place.error(message).help("narrow its rows, or cap the parent's columns"));
            }
            let (Some(to), false) = (to, self.untyped) else {
                self.tell_the_consequence(rule);
                fits = false;
                continue;
            };
            let applies = Applies { rule: rule.clone(), to };
            match rule.kind {
                RuleKind::Deny => denies.push(applies),
                RuleKind::Restrict | RuleKind::Allow => {
                    restricts.push(Restrict { applies, rows: rows.flatten(), caps: Vec::new() });
                }
            }
        }
        fits.then_some((denies, ChildRows { oids, restricts }))
    }

    /// A field has one class, in the parent and in all of its children.
    fn classes_agree(&mut self, parent: &Block) -> bool {
        let mut agree = true;
        if let Some(line) = &self.block.more {
            agree = false;
            self.told.push(
                line.class.place.error("`\"*\"` in the entry of a child: its columns are the parent's"),
            );
        }
        for (name, line) in &self.block.fields {
            if parent.fields.get(name).is_some_and(|above| above.agrees(line)) {
                continue;
            }
            agree = false;
            let message = format!("`{name}` has another class than in `{}`", parent.data);
            let help = "a child's columns are its parent's: give both the same class; those that only the child has \
                        are hidden";
            self.told.push(line.class.place.error(message).help(help));
        }
        agree
    }
}

impl Policy {
    fn block(&self, store: &str, relation: &RelationName) -> Option<&Block> {
        let is_it = |block: &&Block| *block.data.store == *store && block.data.relation == *relation;
        self.blocks.iter().find(is_it)
    }
}

/// The one relation at the top; none where there are several.
fn topmost<'c>(catalog: &'c Catalog, child: &RelationName) -> Option<&'c access::Relation> {
    let mut current = catalog.relation(child)?;
    for _ in 0..=catalog.relations.len() {
        match &current.parents[..] {
            [] => return Some(current),
            [parent] => current = catalog.relation(parent)?,
            _ => return None,
        }
    }
    None
}

/// The numbers of a relation and of all below it.
fn descendants(catalog: &Catalog, top: &RelationName) -> Vec<u32> {
    let mut names = vec![top];
    let mut next = 0;
    while let Some(parent) = names.get(next).copied() {
        next += 1;
        for relation in catalog.relations.values() {
            if relation.parents.contains(parent) && !names.contains(&&relation.name) {
                names.push(&relation.name);
            }
        }
    }
    let mut oids: Vec<u32> = names.into_iter().filter_map(|name| Some(catalog.relation(name)?.oid)).collect();
    oids.sort_unstable();
    oids
}
