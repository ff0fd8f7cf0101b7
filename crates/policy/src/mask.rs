//! What a cell can show, in one order from most to least revealing, and what is left of a mask under caps.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use access::{Catalog, Column, FieldType, Mask, TypeKind};

use crate::value;

/// How many characters `partial` may keep at an end.
pub(crate) const KEPT_MAX: u32 = 10_000;

/// A mask as a policy writes it: a constant is typed when it meets a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    Clear,
    Shape,
    Partial { first: u32, last: u32, fill: char },
    Email { domain_only: bool },
    Constant(Arc<str>),
    Nullify,
    Hide,
}

/// What a cell of one column shows; `None` where the field does not exist.
pub(crate) type Shown = Option<Mask>;

impl Written {
    /// The mask over this column.
    ///
    /// # Errors
    /// Says why it does not fit the column's type.
    pub(crate) fn fit(&self, column: &Column, catalog: &Catalog) -> Result<Shown, String> {
        let field = catalog.field_type(column.type_oid);
        let mask = match self {
            Self::Hide => return Ok(None),
            Self::Clear => Mask::Clear,
            Self::Nullify => Mask::Nullify,
            Self::Constant(text) => Mask::Constant(constant(text, &field, column, catalog)?),
            Self::Shape | Self::Partial { .. } | Self::Email { .. } if field != FieldType::Text => {
                return Err(format!("`{self}` fits text, and this is {field}"));
            }
            Self::Shape => Mask::Shape,
            Self::Partial { first, last, fill } => Mask::Partial { first: *first, last: *last, fill: *fill },
            Self::Email { domain_only } => Mask::Email { domain_only: *domain_only },
        };
        Ok(Some(mask))
    }
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clear => f.write_str("clear"),
            Self::Shape => f.write_str("shape"),
            Self::Partial { first, last, fill } => partial(f, *first, *last, *fill),
            Self::Email { domain_only: false } => f.write_str("email"),
            Self::Email { domain_only: true } => f.write_str("{email: domain}"),
            Self::Constant(text) => write!(f, "{{constant: {text}}}"),
            Self::Nullify => f.write_str("nullify"),
            Self::Hide => f.write_str("hide"),
        }
    }
}

fn partial(f: &mut std::fmt::Formatter<'_>, first: u32, last: u32, fill: char) -> std::fmt::Result {
    match (first, last, fill) {
        (0, last, '*') => write!(f, "{{last: {last}}}"),
        (first, 0, '*') => write!(f, "{{first: {first}}}"),
        _ => write!(f, "{{partial: {{first: {first}, last: {last}, fill: \"{fill}\"}}}}"),
    }
}

/// The mask as a policy writes it.
pub(crate) fn show(mask: &Mask) -> String {
    match mask {
        Mask::Clear => Written::Clear,
        Mask::Shape => Written::Shape,
        Mask::Partial { first, last, fill } => Written::Partial { first: *first, last: *last, fill: *fill },
        Mask::Email { domain_only } => Written::Email { domain_only: *domain_only },
        Mask::Constant(value) => Written::Constant(value.to_string().into()),
        Mask::Nullify => Written::Nullify,
    }
    .to_string()
}

/// A constant as a value of the column's type, in the bounds of its base type: a mask never fails.
fn constant(
    text: &str,
    field: &FieldType,
    column: &Column,
    catalog: &Catalog,
) -> Result<access::Value, String> {
    let value = value::read_for(text, field)?;
    let base = catalog.types.get(&column.base_oid).filter(|ty| matches!(ty.kind, TypeKind::Base));
    let name = base.map_or("", |ty| &*ty.name);
    let fits = match (&value, name) {
        (access::Value::Int(number), "int2") => i16::try_from(*number).is_ok(),
        (access::Value::Int(number), "int4") => i32::try_from(*number).is_ok(),
        (access::Value::Numeric(number), "float4") => {
            number.parse::<f32>().is_ok_and(|float| value::in_range(number, f64::from(float)))
        }
        (access::Value::Numeric(number), "numeric") => decimal_fits(number, column.typmod),
        (access::Value::Text(text), "varchar" | "bpchar") => length_fits(text, column.typmod),
        _ => true,
    };
    if fits { Ok(value) } else { Err(format!("the constant `{text}` is too large for the column")) }
}

/// A length is four more in the modifier: the size of a header that is long gone.
fn length_fits(text: &str, typmod: i32) -> bool {
    match usize::try_from(typmod.saturating_sub(4)) {
        Ok(length) => text.chars().count() <= length,
        Err(_) => true,
    }
}

fn decimal_fits(number: &str, typmod: i32) -> bool {
    let Ok(packed) = u32::try_from(typmod.saturating_sub(4)) else { return true };
    let (precision, scale) = (packed >> 16, packed & 0x7ff);
    let (whole, fraction) = number.trim_start_matches('-').split_once('.').unwrap_or((number, ""));
    let whole = whole.trim_start_matches(['-', '0']).len();
    let fits = |digits: usize, most: u32| u32::try_from(digits).is_ok_and(|digits| digits <= most);
    scale <= precision && fits(whole, precision - scale) && fits(fraction.trim_end_matches('0').len(), scale)
}

/// The line of the table of masks, from the most revealing on.
fn line(mask: &Mask) -> u8 {
    match mask {
        Mask::Clear => 0,
        Mask::Shape => 1,
        Mask::Partial { .. } => 2,
        Mask::Email { .. } => 3,
        Mask::Constant(_) => 4,
        Mask::Nullify => 5,
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
        Mask::Clear | Mask::Shape | Mask::Nullify => 0,
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
    use access::{SqlType, Value};

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
            [(0, 1), (1, 2), (2, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11), (11, 12)]
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

    #[test]
    fn a_constant_is_in_the_bounds_of_its_column() {
        let ty = |oid, name: &str| SqlType {
            oid,
            schema: "pg_catalog".into(),
            name: name.into(),
            kind: TypeKind::Base,
        };
        let types =
            [ty(21, "int2"), ty(700, "float4"), ty(1700, "numeric"), ty(1043, "varchar"), ty(3802, "jsonb")];
        let catalog =
            Catalog { types: types.into_iter().map(|ty| (ty.oid, ty)).collect(), ..Catalog::default() };
        for (text, oid, typmod, fits) in [
            ("32767", 21, -1, true),
            ("32768", 21, -1, false),
            ("x", 21, -1, false),
            ("99999999.99", 1700, (10 << 16 | 2) + 4, true),
            ("100000000", 1700, (10 << 16 | 2) + 4, false),
            ("0.001", 1700, (10 << 16 | 2) + 4, false),
            ("-0.10", 1700, (10 << 16 | 2) + 4, true),
            ("äbc", 1043, 7, true),
            ("abcd", 1043, 7, false),
            ("abcd", 1043, -1, true),
            ("{}", 3802, -1, false),
            ("0.0", 700, -1, true),
            ("0.00000000000000000000000000000000000000000000000001", 700, -1, false),
        ] {
            let column = Column {
                name: "c".into(),
                type_oid: oid,
                base_oid: oid,
                typmod,
                not_null: false,
                collation: 0,
            };
            assert_eq!(
                Written::Constant(text.into()).fit(&column, &catalog).is_ok(),
                fits,
                "{text} in {oid}"
            );
        }
    }
}
