//! Predicates to conditions: which rows a guard admits, and which branch of a cell a row takes.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not named does not fit")]

use access::{Comparison, Field, FieldType, Operand, Predicate, Refusal, Value};

use super::types::{TypeSpec, literal};
use super::{Lower, Made, unlowered};
use crate::membership;

impl<'m> Lower<'m, '_> {
    /// A condition of which only *true* counts.
    pub(super) fn predicate(&self, predicate: &Predicate) -> Result<Made<'m>, Refusal> {
        self.condition(predicate, true)
    }

    /// A condition, and whether it stands where it admits or, below a negation, where it does not.
    fn condition(&self, predicate: &Predicate, admits: bool) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        Ok(match predicate {
            Predicate::Known(Some(truth)) => build.boolean(*truth),
            Predicate::Known(None) => build.cast(build.null(), "bool"),
            Predicate::Field(field) => build.column(&[&field.name]),
            Predicate::IsNull(field) => build.null_test(build.column(&[&field.name]), true),
            Predicate::Not(inner) => build.negate(self.condition(inner, !admits)?),
            Predicate::InLookup(field, lookup) => self.in_lookup(field, lookup, admits)?,
            Predicate::And(parts) => {
                self.all(parts, admits)?.map_or_else(|| build.boolean(true), |parts| build.and(parts))
            }
            Predicate::Or(parts) => {
                self.all(parts, admits)?.map_or_else(|| build.boolean(false), |parts| build.or(parts))
            }
            Predicate::Compare(comparison, left, right) => self.compare(*comparison, left, right)?,
            Predicate::In(field, values) => {
                let mut list = Vec::with_capacity(values.len());
                for value in values {
                    list.push(self.value_for(field, value)?);
                }
                build.in_list(self.beside(field, values), list)
            }
            Predicate::StartsWith(field, prefix) => {
                let text = build.cast(self.comparable(field), "text");
                build.like(text, &format!("{}%", escape_pattern(prefix)))
            }
            Predicate::HasAny(field, values) => self.has_any(field, values)?,
            Predicate::InCatalog(membership) => membership::condition(build, membership),
        })
    }

    fn all(&self, parts: &[Predicate], admits: bool) -> Result<Option<Vec<Made<'m>>>, Refusal> {
        let parts: Vec<_> =
            parts.iter().map(|part| self.condition(part, admits)).collect::<Result<_, _>>()?;
        Ok((!parts.is_empty()).then_some(parts))
    }

    fn compare(&self, comparison: Comparison, left: &Operand, right: &Operand) -> Result<Made<'m>, Refusal> {
        let (left, right) = match (left, right) {
            (Operand::Field(field), Operand::Value(value)) => {
                (self.beside(field, [value]), self.value_for(field, value)?)
            }
            (Operand::Value(value), Operand::Field(field)) => {
                (self.value_for(field, value)?, self.beside(field, [value]))
            }
            (Operand::Field(left), Operand::Field(right)) => self.fields(left, right)?,
            (Operand::Value(_), Operand::Value(_)) => return Err(unlowered("a comparison of two values")),
        };
        let name = match comparison {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        Ok(self.build.operator(name, left, right))
    }

    /// Two fields on two sides: of one kind, numbers among themselves by casts that cannot fail.
    fn fields(&self, left: &Field, right: &Field) -> Result<(Made<'m>, Made<'m>), Refusal> {
        use FieldType::{Float, Int, Numeric, Text};
        let build = &self.build;
        let (a, b) = (build.column(&[&left.name]), build.column(&[&right.name]));
        match (&left.ty, &right.ty) {
            (Text, Text) => {
                // Two columns may have two collations, which fails when run; text order is then that of bytes.
                let same = self.collation(left) == self.collation(right) && !self.nondeterministic(left);
                let (a, b) = (build.cast(a, "text"), build.cast(b, "text"));
                if same { Ok((a, b)) } else { Ok((build.collate(a, "pg_catalog", "C"), b)) }
            }
            (Int, Numeric) | (Numeric, Int) => Ok((build.cast(a, "numeric"), build.cast(b, "numeric"))),
            (Int, Float) | (Float, Int) => Ok((build.cast(a, "float8"), build.cast(b, "float8"))),
            (one, other) if one == other && !matches!(one, FieldType::Other(_) | FieldType::Array(_)) => {
                Ok((a, b))
            }
            (one, other) => Err(unlowered(&format!("a comparison of {one} with {other}"))),
        }
    }

    pub(super) fn collation(&self, field: &Field) -> u32 {
        self.relation.column(&field.name).map_or(0, |column| column.collation)
    }

    pub(super) fn nondeterministic(&self, field: &Field) -> bool {
        self.catalog.collations.get(&self.collation(field)).is_some_and(|collation| !collation.deterministic)
    }

    /// A field where it is compared: text under a nondeterministic collation by bytes, so that a rule that says `EU`
    /// does not admit `eu`.
    fn comparable(&self, field: &Field) -> Made<'m> {
        let column = self.build.column(&[&field.name]);
        if self.nondeterministic(field) { self.build.collate(column, "pg_catalog", "C") } else { column }
    }

    /// A field where it is compared with these values: `char(n)` as text where one of them ends in a blank, which such a
    /// field never does and its own comparison does not see.
    fn beside<'v>(&self, field: &Field, values: impl IntoIterator<Item = &'v Value>) -> Made<'m> {
        let blank = values.into_iter().any(ends_in_blank);
        let comparable = self.comparable(field);
        if blank && self.is_blank_padded(field) { self.build.cast(comparable, "text") } else { comparable }
    }

    /// A value as a literal of a type that the field compares with, without a cast of the field that could fail.
    fn value_for(&self, field: &Field, value: &Value) -> Result<Made<'m>, Refusal> {
        let ty = match (&field.ty, value) {
            (FieldType::Text, Value::Text(_)) if self.is_blank_padded(field) && !ends_in_blank(value) => {
                "bpchar"
            }
            (FieldType::Text, Value::Text(_)) => "text",
            (FieldType::Int, Value::Int(_)) => "int8",
            (FieldType::Int | FieldType::Numeric, Value::Int(_) | Value::Numeric(_)) => "numeric",
            (FieldType::Float, Value::Int(_) | Value::Numeric(_)) => "float8",
            (FieldType::Bool, Value::Bool(_)) => "bool",
            (FieldType::Date, Value::Date(_)) => "date",
            (FieldType::Timestamp, Value::Timestamp(_) | Value::Date(_)) => "timestamp",
            (FieldType::TimestampTz, Value::Timestamp(_) | Value::Date(_)) => "timestamptz",
            (FieldType::Uuid, Value::Uuid(_)) => "uuid",
            (ty, value) => {
                return Err(unlowered(&format!("a comparison of {ty} with {}", value.value_type())));
            }
        };
        Ok(literal(&self.build, value, ty))
    }

    pub(super) fn is_blank_padded(&self, field: &Field) -> bool {
        const BPCHAR: u32 = 1042;
        self.relation.column(&field.name).is_some_and(|column| column.base_oid == BPCHAR)
    }

    fn has_any(&self, field: &Field, values: &[Value]) -> Result<Made<'m>, Refusal> {
        let FieldType::Array(element) = &field.ty else { return Err(unlowered("`has any` of no array")) };
        let column = self.relation.column(&field.name);
        let array = column.and_then(|column| self.catalog.types.get(&column.base_oid));
        let name = array.and_then(|array| array.name.strip_prefix('_')).unwrap_or_default();
        let of_one: &[&str] = match **element {
            FieldType::Text => &["text", "varchar", "bpchar"],
            FieldType::Int => &["int2", "int4", "int8"],
            FieldType::Numeric => &["numeric"],
            FieldType::Bool => &["bool"],
            FieldType::Date => &["date"],
            FieldType::Uuid => &["uuid"],
            _ => &[],
        };
        if !of_one.contains(&name) {
            return Err(unlowered(&format!("`has any` of {}", field.ty)));
        }
        // A number that the elements' type cannot hold is in no array of it.
        let fits = values.iter().filter(|value| match (name, value) {
            ("int2", Value::Int(number)) => i16::try_from(*number).is_ok(),
            ("int4", Value::Int(number)) => i32::try_from(*number).is_ok(),
            _ => true,
        });
        let elements: Vec<_> = fits.map(|value| literal(&self.build, value, name)).collect();
        let array = TypeSpec { schema: "pg_catalog", name: &format!("_{name}"), modifiers: Vec::new() }
            .cast(&self.build, self.build.array(elements));
        Ok(self.build.operator("&&", self.build.column(&[&field.name]), array))
    }
}

fn ends_in_blank(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.ends_with(' '))
}

/// `%`, `_` and `\` stand for themselves.
fn escape_pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len());
    for c in prefix.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
