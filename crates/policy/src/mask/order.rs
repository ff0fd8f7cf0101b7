//! The one order of masks, and what is left of a mask under caps.

#![expect(clippy::wildcard_enum_match_arm, reason = "masks of different lines have one rule")]

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;
use std::sync::Arc;

use access::{Document, Inside, Mask};

use super::bucket::Bucket;
use super::document::document;
use super::show;

/// The line of the table of masks, from the most revealing on.
fn line(mask: &Mask) -> u8 {
    match mask {
        Mask::Clear => 0,
        Mask::Json(_) | Mask::Array(_) => 1,
        Mask::DateTrunc(_) => 2,
        Mask::Bucket { .. } => 3,
        Mask::Shape => 4,
        Mask::Partial { .. } => 5,
        Mask::Email { .. } => 6,
        Mask::Hash(_) => 7,
        Mask::Constant(_) => 8,
        Mask::Nullify => 9,
    }
}

/// The one order of masks: the less revealing one is the greater. It is total: two masks are equal only if they are
/// the same.
pub(crate) fn order(left: &Mask, right: &Mask) -> Ordering {
    match (left, right) {
        (Mask::Json(left), Mask::Json(right)) => order_documents(left, right),
        (Mask::Array(left), Mask::Array(right)) => order(left, right),
        (Mask::DateTrunc(left), Mask::DateTrunc(right)) => left.cmp(right),
        _ => line(left).cmp(&line(right)).then_with(|| order_in_line(left, right)),
    }
}

fn order_in_line(left: &Mask, right: &Mask) -> Ordering {
    let buckets = bucket(left).zip(bucket(right)).map(|(left, right)| left.order(&right));
    let texts = || show(left).cmp(&show(right));
    buckets.unwrap_or_else(|| Reverse(kept(left)).cmp(&Reverse(kept(right)))).then_with(texts)
}

fn bucket(mask: &Mask) -> Option<Bucket> {
    match mask {
        Mask::Bucket { width, low, high } => Some(Bucket::of(width, low, high)),
        _ => None,
    }
}

/// By the first key that two documents show differently, so that one which shows more of each key comes first.
fn order_documents(left: &Document, right: &Document) -> Ordering {
    let rank = |inside: Option<&Inside>| match inside {
        None => 0,
        Some(Inside::Document(_)) => 1,
        Some(Inside::Masked(_)) => 2,
        Some(Inside::Hide) => 3,
    };
    let keys: BTreeSet<&Arc<str>> = left.0.keys().chain(right.0.keys()).collect();
    let by_key = |key: &Arc<str>| {
        let (left, right) = (left.0.get(key), right.0.get(key));
        rank(left).cmp(&rank(right)).then_with(|| match (left, right) {
            (Some(Inside::Document(left)), Some(Inside::Document(right))) => order_documents(left, right),
            (Some(Inside::Masked(left)), Some(Inside::Masked(right))) => order(left, right),
            _ => Ordering::Equal,
        })
    };
    keys.into_iter().map(by_key).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// How many characters a mask shows, among masks of one line.
fn kept(mask: &Mask) -> u64 {
    match mask {
        Mask::Partial { first, last, .. } => u64::from(*first) + u64::from(*last),
        Mask::Email { domain_only } => u64::from(!domain_only),
        Mask::Constant(value) => u64::try_from(value.to_string().chars().count()).unwrap_or(u64::MAX),
        Mask::Clear
        | Mask::Json(_)
        | Mask::Array(_)
        | Mask::DateTrunc(_)
        | Mask::Bucket { .. }
        | Mask::Shape
        | Mask::Hash(_)
        | Mask::Nullify => 0,
    }
}

/// Whether one of the two shows a part of the other, so that the lower one can stand for both.
fn comparable(left: &Mask, right: &Mask) -> bool {
    match (left, right) {
        (Mask::Partial { first: f1, last: l1, .. }, Mask::Partial { first: f2, last: l2, .. }) => {
            (f1 <= f2 && l1 <= l2) || (f1 >= f2 && l1 >= l2)
        }
        (Mask::Constant(left), Mask::Constant(right)) => left == right,
        (Mask::Bucket { .. }, Mask::Bucket { .. }) => match (bucket(left), bucket(right)) {
            (Some(left), Some(right)) => left.determines(&right) || right.determines(&left),
            _ => false,
        },
        // Side by side inside documents only: one is for numbers, the others for texts.
        (Mask::Bucket { .. }, Mask::Shape | Mask::Partial { .. } | Mask::Email { .. })
        | (Mask::Shape | Mask::Partial { .. } | Mask::Email { .. }, Mask::Bucket { .. }) => false,
        _ => true,
    }
}

/// What is left of a mask under caps: the lowest of them all, or nothing where two of them show different parts. Every
/// pair counts, the caps among themselves too, so that one more cap never shows more and their order never matters.
/// Documents and arrays are capped path by path.
pub(crate) fn capped<'a>(mask: &'a Mask, caps: &[&'a Mask]) -> Mask {
    let all: Vec<&Mask> = std::iter::once(mask).chain(caps.iter().copied()).collect();
    let lowest = all.iter().fold(mask, |low, cap| if order(cap, low).is_gt() { cap } else { low });
    match lowest {
        Mask::Json(_) => {
            let documents = all.iter().filter_map(|mask| match mask {
                Mask::Json(document) => Some(document),
                _ => None,
            });
            document(merged(&documents.collect::<Vec<_>>()))
        }
        Mask::Array(_) => {
            let elements = all.iter().filter_map(|mask| match mask {
                Mask::Array(element) => Some(&**element),
                _ => None,
            });
            Mask::Array(Box::new(lowest_of(&elements.collect::<Vec<_>>())))
        }
        _ => {
            let clash = all.iter().any(|one| all.iter().any(|other| !comparable(one, other)));
            if clash { Mask::Nullify } else { lowest.clone() }
        }
    }
}

/// What is left of masks that all hold.
fn lowest_of(masks: &[&Mask]) -> Mask {
    match masks.split_first() {
        Some((first, rest)) => capped(first, rest),
        None => Mask::Nullify,
    }
}

/// All paths of several documents, each by the lowest of its masks.
pub(super) fn merged(documents: &[&Document]) -> Document {
    let keys: BTreeSet<&Arc<str>> = documents.iter().flat_map(|document| document.0.keys()).collect();
    let lowest = |key: &Arc<str>| {
        let here: Vec<&Inside> = documents.iter().filter_map(|document| document.0.get(key)).collect();
        (key.clone(), lowest_inside(&here))
    };
    Document(keys.into_iter().map(lowest).collect())
}

fn lowest_inside(all: &[&Inside]) -> Inside {
    if all.contains(&&Inside::Hide) {
        return Inside::Hide;
    }
    let masks: Vec<&Mask> = all
        .iter()
        .filter_map(|inside| match inside {
            Inside::Masked(mask) => Some(mask),
            Inside::Hide | Inside::Document(_) => None,
        })
        .collect();
    // Under a mask there is nothing left to be masked.
    if !masks.is_empty() {
        return Inside::Masked(lowest_of(&masks));
    }
    let documents = all.iter().filter_map(|inside| match inside {
        Inside::Document(document) => Some(document),
        Inside::Hide | Inside::Masked(_) => None,
    });
    Inside::Document(merged(&documents.collect::<Vec<_>>()))
}

/// What two allows show of a cell together: the more revealing of them, path by path.
pub(crate) fn joined(left: &Mask, right: &Mask) -> Mask {
    match (left, right) {
        (Mask::Json(left), Mask::Json(right)) => document(shared(left, right)),
        (Mask::Array(left), Mask::Array(right)) => match joined(left, right) {
            Mask::Clear => Mask::Clear,
            mask => Mask::Array(Box::new(mask)),
        },
        _ if order(left, right).is_le() => left.clone(),
        _ => right.clone(),
    }
}

/// The paths that both documents mask, each by the more revealing of its masks.
fn shared(left: &Document, right: &Document) -> Document {
    let both = |(key, left): (&Arc<str>, &Inside)| {
        let inside = match (left, right.0.get(key)?) {
            (Inside::Hide, other) | (other, Inside::Hide) => other.clone(),
            (Inside::Masked(left), Inside::Masked(right)) => Inside::Masked(joined(left, right)),
            (Inside::Masked(_), document @ Inside::Document(_))
            | (document @ Inside::Document(_), Inside::Masked(_)) => document.clone(),
            (Inside::Document(left), Inside::Document(right)) => {
                let shared = shared(left, right);
                return (!shared.0.is_empty()).then(|| (key.clone(), Inside::Document(shared)));
            }
        };
        Some((key.clone(), inside))
    };
    Document(left.0.iter().filter_map(both).collect())
}

#[cfg(test)]
mod tests {
    use access::{DateUnit, HashKey, Value};

    use super::*;
    use crate::mask::{Path, at};

    fn partial(first: u32, last: u32) -> Mask {
        Mask::Partial { first, last, fill: '*' }
    }

    fn text(text: &str) -> Mask {
        Mask::Constant(Value::Text(text.into()))
    }

    fn bucket(width: i64, low: i64, high: i64) -> Mask {
        Mask::Bucket { width: Value::Int(width), low: Value::Int(low), high: Value::Int(high) }
    }

    /// `a.b` and the like, each with what is shown there; none hides it.
    fn json(paths: &[(&str, Option<Mask>)]) -> Mask {
        let one = |(keys, mask): &(&str, Option<Mask>)| {
            let path = Path(keys.split('.').map(Into::into).collect());
            at(&path, mask.clone().map_or(Inside::Hide, Inside::Masked))
        };
        let documents: Vec<Document> = paths.iter().map(one).collect();
        document(merged(&documents.iter().collect::<Vec<_>>()))
    }

    fn array(mask: Mask) -> Mask {
        Mask::Array(Box::new(mask))
    }

    fn ordered() -> Vec<Mask> {
        vec![
            Mask::Clear,
            Mask::DateTrunc(DateUnit::Day),
            Mask::DateTrunc(DateUnit::Month),
            Mask::DateTrunc(DateUnit::Quarter),
            Mask::DateTrunc(DateUnit::Year),
            bucket(5, 0, 100),
            bucket(10, 0, 100),
            bucket(10, 5, 100),
            bucket(10, 10, 50),
            bucket(20, 0, 100),
            Mask::Shape,
            partial(4, 1),
            partial(1, 3),
            Mask::Partial { first: 0, last: 4, fill: '#' },
            partial(1, 2),
            partial(0, 0),
            Mask::Email { domain_only: false },
            Mask::Email { domain_only: true },
            Mask::Hash(HashKey { root: "pii".into(), purpose: None }),
            text("long"),
            text("a"),
            text("b"),
            Mask::Nullify,
        ]
    }

    /// Masks of one column of documents, and of one of arrays.
    fn documents() -> Vec<Mask> {
        vec![
            Mask::Clear,
            json(&[("a.b", Some(partial(2, 0)))]),
            json(&[("a.b", Some(partial(0, 4))), ("a.c", None)]),
            json(&[("a", Some(partial(2, 0)))]),
            json(&[("a", Some(bucket(10, 0, 50))), ("b", Some(Mask::Shape))]),
            json(&[("a", Some(bucket(20, 0, 40))), ("b.c", None)]),
            json(&[("a.b.c", Some(Mask::Nullify)), ("b", None)]),
            json(&[("a.b", None)]),
            json(&[("a", None), ("b", Some(Mask::Nullify))]),
            Mask::Nullify,
        ]
    }

    fn arrays() -> Vec<Mask> {
        let elements = ordered().into_iter().filter(|mask| *mask != Mask::Clear).map(array);
        std::iter::once(Mask::Clear).chain(elements).chain([Mask::Nullify]).collect()
    }

    #[test]
    fn the_order_is_total() {
        let at_line = |masks: &[Mask], mask: &Mask| masks.iter().position(|other| other == mask).unwrap();
        for wanted in [ordered(), documents(), arrays()] {
            let mut masks = wanted.clone();
            masks.reverse();
            masks.sort_by(order);
            for left in &masks {
                for right in &masks {
                    assert_eq!(order(left, right), order(right, left).reverse());
                    assert_eq!(order(left, right).is_eq(), left == right);
                    if line(left) < line(right) {
                        assert!(at_line(&masks, left) < at_line(&masks, right));
                    }
                }
            }
        }
        let mut masks = ordered();
        masks.retain(|mask| !matches!(mask, Mask::Partial { .. } | Mask::Bucket { .. }));
        let mut sorted = masks.clone();
        sorted.sort_by(order);
        assert_eq!(sorted, masks);
    }

    /// What is shown of a scalar, or of an object with nothing else in it, under these keys: none where it is not
    /// there, or null.
    fn shown(mask: &Mask, keys: &[&str], object: bool) -> Option<Mask> {
        let Mask::Json(document) = mask else { return Some(mask.clone()) };
        let Some((first, rest)) = keys.split_first() else { return Some(Mask::Clear) };
        match document.0.get(*first) {
            None => Some(Mask::Clear),
            Some(Inside::Hide) => None,
            Some(Inside::Masked(mask)) => (rest.is_empty() && !object).then(|| mask.clone()),
            Some(Inside::Document(document)) => shown(&Mask::Json(document.clone()), rest, object),
        }
    }

    #[test]
    fn documents_are_capped_and_joined_path_by_path() {
        let probes: [&[&str]; 8] = [
            &["a"],
            &["b"],
            &["a", "b"],
            &["a", "c"],
            &["a", "b", "c"],
            &["b", "c"],
            &["x"],
            &["a", "b", "c", "d"],
        ];
        let rank = |shown: Option<Mask>| shown.unwrap_or(Mask::Nullify);
        for left in &documents() {
            for right in &documents() {
                let (low, high) = (capped(left, &[right]), joined(left, right));
                assert_eq!(low, capped(right, &[left]));
                assert_eq!(high, joined(right, left));
                for keys in probes {
                    for object in [true, false] {
                        let [left, right, low, high] =
                            [left, right, &low, &high].map(|mask| rank(shown(mask, keys, object)));
                        let told = format!("{left:?} and {right:?} at {keys:?}");
                        assert!(order(&low, &left).is_ge() && order(&low, &right).is_ge(), "{told}: {low:?}");
                        assert!(comparable(&low, &left) && comparable(&low, &right), "{told}: {low:?}");
                        let most = if order(&left, &right).is_le() { left } else { right };
                        assert_eq!(high, most, "{told}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_join_is_the_least_that_shows_both() {
        for masks in [documents(), arrays(), ordered()] {
            for one in &masks {
                for other in &masks {
                    let both = joined(one, other);
                    assert!(order(&both, one).is_le() && order(&both, other).is_le(), "{one:?} {other:?}");
                    assert_eq!(joined(&both, one), both);
                    for third in &masks {
                        assert_eq!(joined(&both, third), joined(one, &joined(other, third)));
                    }
                }
            }
        }
    }

    #[test]
    fn a_cap_leaves_the_lower_or_nothing() {
        for (mask, cap, left) in [
            (Mask::Clear, partial(0, 4), partial(0, 4)),
            (partial(0, 4), Mask::Clear, partial(0, 4)),
            (partial(0, 4), partial(0, 2), partial(0, 2)),
            (partial(0, 4), partial(2, 0), Mask::Nullify),
            (partial(1, 1), partial(2, 1), partial(1, 1)),
            (
                Mask::Email { domain_only: false },
                Mask::Email { domain_only: true },
                Mask::Email { domain_only: true },
            ),
            (text("a"), text("a"), text("a")),
            (text("a"), text("b"), Mask::Nullify),
            (Mask::Shape, Mask::Nullify, Mask::Nullify),
            (bucket(5, 0, 100), bucket(10, 0, 100), bucket(10, 0, 100)),
            (bucket(10, 0, 100), bucket(15, 0, 90), Mask::Nullify),
            (
                Mask::DateTrunc(DateUnit::Year),
                Mask::DateTrunc(DateUnit::Day),
                Mask::DateTrunc(DateUnit::Year),
            ),
            (array(partial(0, 4)), array(partial(0, 2)), array(partial(0, 2))),
            (array(partial(0, 4)), array(partial(2, 0)), array(Mask::Nullify)),
            (array(partial(0, 4)), Mask::Nullify, Mask::Nullify),
            (
                json(&[("a", Some(Mask::Shape))]),
                json(&[("b", None)]),
                json(&[("a", Some(Mask::Shape)), ("b", None)]),
            ),
            (json(&[("a", Some(Mask::Shape))]), json(&[("a.b", None)]), json(&[("a", Some(Mask::Shape))])),
        ] {
            assert_eq!(capped(&mask, &[&cap]), left, "{mask:?} under {cap:?}");
        }
    }

    #[test]
    fn one_more_cap_never_shows_more_and_order_does_not_matter() {
        for masks in [ordered(), documents(), arrays()] {
            caps_narrow(&masks);
        }
    }

    fn caps_narrow(masks: &[Mask]) {
        for mask in masks {
            for one in masks {
                let capped_once = capped(mask, &[one]);
                assert!(order(&capped_once, mask).is_ge() && order(&capped_once, one).is_ge());
                for two in masks {
                    let capped_twice = capped(mask, &[one, two]);
                    assert!(order(&capped_twice, &capped_once).is_ge(), "{mask:?} {one:?} {two:?}");
                    assert_eq!(capped_twice, capped(mask, &[two, one]));
                    for whole in [mask, one, two] {
                        assert!(
                            comparable(&capped_twice, whole),
                            "{capped_twice:?} shows more than {whole:?}"
                        );
                    }
                }
            }
        }
    }
}
