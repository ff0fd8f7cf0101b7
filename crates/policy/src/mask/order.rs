//! The one order of masks, and what is left of a mask under caps.

use std::cmp::{Ordering, Reverse};

use access::Mask;

use super::show;

/// The line of the table of masks, from the most revealing on.
fn line(mask: &Mask) -> u8 {
    match mask {
        Mask::Clear => 0,
        Mask::Shape => 1,
        Mask::Partial { .. } => 2,
        Mask::Email { .. } => 3,
        Mask::Hash(_) => 4,
        Mask::Constant(_) => 5,
        Mask::Nullify => 6,
    }
}

/// The one order of masks: the less revealing one is the greater. It is total: two masks are equal only if they are
/// the same.
pub(crate) fn order(left: &Mask, right: &Mask) -> Ordering {
    let texts = || show(left).cmp(&show(right));
    line(left).cmp(&line(right)).then_with(|| Reverse(kept(left)).cmp(&Reverse(kept(right)))).then_with(texts)
}

/// How many characters a mask shows, among masks of one line.
fn kept(mask: &Mask) -> u64 {
    match mask {
        Mask::Partial { first, last, .. } => u64::from(*first) + u64::from(*last),
        Mask::Email { domain_only } => u64::from(!domain_only),
        Mask::Constant(value) => u64::try_from(value.to_string().chars().count()).unwrap_or(u64::MAX),
        Mask::Clear | Mask::Shape | Mask::Hash(_) | Mask::Nullify => 0,
    }
}

/// Whether one of the two shows a part of the other, so that the lower one can stand for both.
fn comparable(left: &Mask, right: &Mask) -> bool {
    match (left, right) {
        (Mask::Partial { first: f1, last: l1, .. }, Mask::Partial { first: f2, last: l2, .. }) => {
            (f1 <= f2 && l1 <= l2) || (f1 >= f2 && l1 >= l2)
        }
        (Mask::Constant(left), Mask::Constant(right)) => left == right,
        _ => true,
    }
}

/// What is left of a mask under caps: the lowest of them all, or nothing where two of them show different parts. Every
/// pair counts, the caps among themselves too, so that one more cap never shows more and their order never matters.
pub(crate) fn capped<'a>(mask: &'a Mask, caps: &[&'a Mask]) -> Mask {
    let lowest = caps.iter().fold(mask, |low, cap| if order(cap, low).is_gt() { cap } else { low });
    let all = || std::iter::once(mask).chain(caps.iter().copied());
    let clash = all().any(|one| all().any(|other| !comparable(one, other)));
    if clash { Mask::Nullify } else { lowest.clone() }
}

#[cfg(test)]
mod tests {
    use access::{HashKey, Value};

    use super::*;

    fn partial(first: u32, last: u32) -> Mask {
        Mask::Partial { first, last, fill: '*' }
    }

    fn text(text: &str) -> Mask {
        Mask::Constant(Value::Text(text.into()))
    }

    fn ordered() -> Vec<Mask> {
        vec![
            Mask::Clear,
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

    #[test]
    fn the_order_is_total() {
        let mut masks = ordered();
        masks.reverse();
        masks.sort_by(order);
        let position = |mask: &Mask| masks.iter().position(|other| other == mask).unwrap();
        for (left, right) in
            [(0, 1), (1, 2), (2, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11), (11, 12), (12, 13)]
        {
            assert!(position(&ordered()[left]) < position(&ordered()[right]), "{left} {right}");
        }
        for left in &masks {
            for right in &masks {
                assert_eq!(order(left, right), order(right, left).reverse());
                assert_eq!(order(left, right).is_eq(), left == right);
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
        ] {
            assert_eq!(capped(&mask, &[&cap]), left, "{mask:?} under {cap:?}");
        }
    }

    #[test]
    fn one_more_cap_never_shows_more_and_order_does_not_matter() {
        let masks = ordered();
        for mask in &masks {
            for one in &masks {
                let capped_once = capped(mask, &[one]);
                assert!(order(&capped_once, mask).is_ge() && order(&capped_once, one).is_ge());
                for two in &masks {
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
