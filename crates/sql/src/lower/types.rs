//! Types and values as they are sent: lengths and precisions, and one encoder for each type of a value.

use access::Value;
use pg_raw_parse::Node;
use pg_raw_parse::make::Unique;

use crate::build::Build;

/// A value as a literal of a type of `pg_catalog`: the one encoder for each type. All forms read the same under every
/// setting of the session.
pub(super) fn literal<'m>(build: &Build<'m>, value: &Value, ty: &str) -> Unique<'m, Node<'m>> {
    build.cast(build.string(&written(value, ty)), ty)
}

/// The text of a value. A moment says that it is UTC, or it would be one of the session's time zone.
pub(super) fn written(value: &Value, ty: &str) -> String {
    let zone = if ty == "timestamptz" { "+00" } else { "" };
    format!("{value}{zone}")
}

/// A type with its length or precision.
pub(super) struct TypeSpec<'a> {
    pub(super) schema: &'a str,
    pub(super) name: &'a str,
    pub(super) modifiers: Vec<i32>,
}

impl TypeSpec<'_> {
    pub(super) fn cast<'m>(&self, build: &Build<'m>, value: Unique<'m, Node<'m>>) -> Unique<'m, Node<'m>> {
        build.cast_to(value, self.schema, self.name, &self.modifiers)
    }
}

/// The modifiers as written from `pg_attribute.atttypmod`: `character(11)` has 15, `numeric(10,2)` has 655366.
pub(super) fn modifiers(name: &str, typmod: i32) -> Vec<i32> {
    if typmod < 0 {
        return Vec::new();
    }
    match name {
        "varchar" | "bpchar" | "_varchar" | "_bpchar" => vec![typmod - 4],
        "numeric" | "_numeric" => {
            let packed = typmod - 4;
            // Since Postgres 15 a scale has 11 bits, the highest its sign.
            vec![packed >> 16, ((packed & 0x7ff) ^ 1024) - 1024]
        }
        "bit" | "varbit" | "_bit" | "_varbit" => vec![typmod],
        "time" | "timetz" | "timestamp" | "timestamptz" if typmod <= 6 => vec![typmod],
        _ => Vec::new(),
    }
}
