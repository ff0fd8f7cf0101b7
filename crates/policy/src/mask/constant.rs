//! Whether a constant is a value of the column that shows it.

use access::{Catalog, Column, FieldType, TypeKind};

use crate::value;

/// A constant as a value of the column's type, in the bounds of its base type: a mask never fails.
pub(super) fn constant(
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

#[cfg(test)]
mod tests {
    use access::SqlType;

    use super::*;
    use crate::mask::Written;

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
                Written::Constant(text.into()).fit(&column, "pii", &catalog).is_ok(),
                fits,
                "{text} in {oid}"
            );
        }
    }
}
