//! Three-valued logic over predicates: constants fold, nesting flattens.

use std::sync::Arc;

use access::{Lookup, Predicate};

/// All of them.
pub(crate) fn and(parts: impl IntoIterator<Item = Predicate>) -> Predicate {
    gather(parts, true)
}

/// Any of them.
pub(crate) fn or(parts: impl IntoIterator<Item = Predicate>) -> Predicate {
    gather(parts, false)
}

/// The opposite; unknown stays unknown.
pub(crate) fn not(part: Predicate) -> Predicate {
    match part {
        Predicate::Known(truth) => Predicate::Known(truth.map(|truth| !truth)),
        Predicate::Not(inner) => *inner,
        Predicate::Field(_)
        | Predicate::Compare(..)
        | Predicate::In(..)
        | Predicate::IsNull(_)
        | Predicate::StartsWith(..)
        | Predicate::HasAny(..)
        | Predicate::InLookup(..)
        | Predicate::InCatalog(_)
        | Predicate::And(_)
        | Predicate::Or(_) => Predicate::Not(Box::new(part)),
    }
}

/// And (`neutral` true) or Or (`neutral` false): the neutral constant drops out, the other one decides, unknown stays.
fn gather(parts: impl IntoIterator<Item = Predicate>, neutral: bool) -> Predicate {
    let mut kept: Vec<Predicate> = Vec::new();
    for part in parts {
        match part {
            Predicate::Known(Some(truth)) if truth == neutral => {}
            Predicate::Known(Some(decided)) => return Predicate::Known(Some(decided)),
            Predicate::And(inner) if neutral => inner.into_iter().for_each(|part| keep(&mut kept, part)),
            Predicate::Or(inner) if !neutral => inner.into_iter().for_each(|part| keep(&mut kept, part)),
            Predicate::Known(None)
            | Predicate::Field(_)
            | Predicate::Compare(..)
            | Predicate::In(..)
            | Predicate::IsNull(_)
            | Predicate::StartsWith(..)
            | Predicate::HasAny(..)
            | Predicate::InLookup(..)
            | Predicate::InCatalog(_)
            | Predicate::Not(_)
            | Predicate::And(_)
            | Predicate::Or(_) => keep(&mut kept, part),
        }
    }
    match kept.pop() {
        None => Predicate::Known(Some(neutral)),
        Some(only) if kept.is_empty() => only,
        Some(last) => {
            kept.push(last);
            if neutral { Predicate::And(kept) } else { Predicate::Or(kept) }
        }
    }
}

fn keep(kept: &mut Vec<Predicate>, part: Predicate) {
    if !kept.contains(&part) {
        kept.push(part);
    }
}

/// The same condition where only *true* admits: unknown is taken for false, so that no constant is left inside.
pub(crate) fn admits(predicate: Predicate) -> Predicate {
    settle(predicate, false)
}

/// Unknown becomes `unknown`: false where true admits, true below a negation.
fn settle(predicate: Predicate, unknown: bool) -> Predicate {
    match predicate {
        Predicate::Known(None) => Predicate::Known(Some(unknown)),
        Predicate::And(parts) => and(parts.into_iter().map(|part| settle(part, unknown))),
        Predicate::Or(parts) => or(parts.into_iter().map(|part| settle(part, unknown))),
        Predicate::Not(inner) => not(settle(*inner, !unknown)),
        Predicate::InLookup(field, lookup) => in_lookup(field, &lookup, unknown),
        Predicate::Known(Some(_))
        | Predicate::Field(_)
        | Predicate::Compare(..)
        | Predicate::In(..)
        | Predicate::IsNull(_)
        | Predicate::StartsWith(..)
        | Predicate::HasAny(..)
        | Predicate::InCatalog(_) => predicate,
    }
}

/// A row of the lookup of which it is unknown whether it is meant, for an attribute is absent, counts against the caller
/// too: it is not there where being there admits, and there where it does not. In nothing there is nothing, NULL neither.
fn in_lookup(field: access::Field, lookup: &Lookup, unknown: bool) -> Predicate {
    let rows = lookup.rows.clone().map(|rows| settle(rows, unknown));
    match rows {
        Some(Predicate::Known(Some(false))) => Predicate::Known(Some(false)),
        rows => {
            let rows = rows.filter(|rows| *rows != Predicate::Known(Some(true)));
            Predicate::InLookup(field, Arc::new(Lookup { rows, ..lookup.clone() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE: Predicate = Predicate::Known(Some(true));
    const FALSE: Predicate = Predicate::Known(Some(false));
    const UNKNOWN: Predicate = Predicate::Known(None);

    #[test]
    fn the_table_of_three_valued_logic() {
        for (left, right, both, either) in [
            (TRUE, TRUE, TRUE, TRUE),
            (TRUE, FALSE, FALSE, TRUE),
            (TRUE, UNKNOWN, UNKNOWN, TRUE),
            (FALSE, TRUE, FALSE, TRUE),
            (FALSE, FALSE, FALSE, FALSE),
            (FALSE, UNKNOWN, FALSE, UNKNOWN),
            (UNKNOWN, TRUE, UNKNOWN, TRUE),
            (UNKNOWN, FALSE, FALSE, UNKNOWN),
            (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
        ] {
            assert_eq!(and([left.clone(), right.clone()]), both, "{left:?} and {right:?}");
            assert_eq!(or([left.clone(), right.clone()]), either, "{left:?} or {right:?}");
        }
        for (part, negated) in [(TRUE, FALSE), (FALSE, TRUE), (UNKNOWN, UNKNOWN)] {
            assert_eq!(not(part), negated);
        }
    }

    #[test]
    fn unknown_counts_against_the_row_on_both_sides_of_a_negation() {
        let field = Predicate::Field(access::Field { name: "a".into(), ty: access::FieldType::Bool });
        assert_eq!(admits(UNKNOWN), FALSE);
        assert_eq!(admits(not(UNKNOWN)), FALSE);
        assert_eq!(admits(or([field.clone(), UNKNOWN])), field);
        assert_eq!(admits(and([field.clone(), UNKNOWN])), FALSE);
        // not (a or unknown): false where a is true, else unknown.
        assert_eq!(admits(Predicate::Not(Box::new(Predicate::Or(vec![field.clone(), UNKNOWN])))), FALSE);
        // not (a and unknown): true where a is false.
        let negated = Predicate::Not(Box::new(Predicate::And(vec![field.clone(), UNKNOWN])));
        assert_eq!(admits(negated), Predicate::Not(Box::new(field)));
    }
}
