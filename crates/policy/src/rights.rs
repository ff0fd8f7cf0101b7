//! What a caller may do, told to the caller itself: what it can find out by asking, and nothing beyond.
//!
//! Not told are rules and their names, relations and fields that are not there for it, and conditions over anything that
//! it does not see in clear.

use std::sync::Arc;

use access::{
    Action, Caller, Cell, Guard, Mask, Operand, Predicate, RelationName, Request, Touch, is_catalogue,
};

use crate::bind::Bound;
use crate::{expr, mask};

/// What stands for a condition that is not told.
const NOT_TOLD: &str = "a condition that is not shown";

/// One relation that a caller may read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The relation.
    pub relation: RelationName,
    /// What may be done to it.
    pub actions: Vec<Action>,
    /// Which rows, as text.
    pub rows: String,
    /// Its fields, each with what it shows.
    pub fields: Vec<(Arc<str>, String)>,
}

impl Bound {
    /// The rights of a caller in one store, by relation. Each is found by the decision that a statement would get.
    #[must_use]
    pub fn rights(&self, store: &str, caller: &Caller, request: &Request) -> Vec<Right> {
        let governed = self.stores.get(store).into_iter().flat_map(|relations| relations.keys());
        let right = |relation: &RelationName| {
            let touch = |action| Touch::new(relation.clone(), action);
            let guards = self.guards(store, caller, request, &[touch(Action::Read)]).ok()?;
            let mut actions = vec![Action::Read];
            if self.guards(store, caller, request, &[touch(Action::Read), touch(Action::Explain)]).is_ok() {
                actions.push(Action::Explain);
            }
            Some(told(guards.of(relation)?, actions))
        };
        let mut rights: Vec<Right> =
            governed.filter(|relation| !is_catalogue(&relation.schema)).filter_map(right).collect();
        rights.sort();
        rights
    }
}

fn told(guard: &Guard, actions: Vec<Action>) -> Right {
    let rows = guard.rows.as_ref().map_or_else(|| "all".to_owned(), |rows| condition(rows, guard));
    let field = |column: &access::GuardedColumn| (Arc::clone(&column.name), cell(&column.cell, guard));
    Right {
        relation: guard.relation.clone(),
        actions,
        rows,
        fields: guard.columns.iter().map(field).collect(),
    }
}

fn cell(cell: &Cell, guard: &Guard) -> String {
    let mut text = String::new();
    for branch in &cell.branches {
        text += &format!("{} where {}, else ", shown(&branch.mask), condition(&branch.when, guard));
    }
    text + &shown(&cell.otherwise)
}

/// A mask, but not the paths of a document: some of them may be hidden.
fn shown(mask: &Mask) -> String {
    match mask {
        Mask::Json(_) => "the document, masked in part".to_owned(),
        Mask::Array(element) => format!("each element: {}", shown(element)),
        Mask::Clear
        | Mask::DateTrunc(_)
        | Mask::Bucket { .. }
        | Mask::Shape
        | Mask::Partial { .. }
        | Mask::Email { .. }
        | Mask::Hash(_)
        | Mask::Constant(_)
        | Mask::Nullify => mask::show(mask),
    }
}

/// The condition, as far as it is over what the caller sees in clear.
fn condition(predicate: &Predicate, guard: &Guard) -> String {
    if *predicate == Predicate::Known(Some(true)) {
        return "all".to_owned();
    }
    let parts = if let Predicate::And(parts) = predicate { parts } else { std::slice::from_ref(predicate) };
    let (told, kept): (Vec<&Predicate>, Vec<&Predicate>) =
        parts.iter().partition(|part| is_over_clear_fields(part, guard));
    let mut texts: Vec<String> = match told.as_slice() {
        [] => Vec::new(),
        [only] => vec![expr::show(only)],
        several => vec![expr::show(&Predicate::And(several.iter().map(|part| (*part).clone()).collect()))],
    };
    if !kept.is_empty() {
        texts.push(NOT_TOLD.to_owned());
    }
    texts.join(" and ")
}

fn is_over_clear_fields(predicate: &Predicate, guard: &Guard) -> bool {
    let is_clear =
        |name: &Arc<str>| guard.columns.iter().any(|column| column.name == *name && column.cell.is_clear());
    let operand = |operand: &Operand| match operand {
        Operand::Field(field) => is_clear(&field.name),
        Operand::Value(_) => true,
    };
    match predicate {
        Predicate::Known(_) => true,
        Predicate::Field(field)
        | Predicate::In(field, _)
        | Predicate::IsNull(field)
        | Predicate::StartsWith(field, _)
        | Predicate::HasAny(field, _) => is_clear(&field.name),
        Predicate::Compare(_, left, right) => operand(left) && operand(right),
        Predicate::Not(inner) => is_over_clear_fields(inner, guard),
        Predicate::And(parts) | Predicate::Or(parts) => {
            parts.iter().all(|part| is_over_clear_fields(part, guard))
        }
        // A lookup is the policy's own, and so is what it reads.
        Predicate::InLookup(..) | Predicate::InCatalog(_) => false,
    }
}
