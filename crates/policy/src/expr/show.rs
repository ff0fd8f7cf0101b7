//! A predicate as people read it, in the language of the policy.

use access::{Comparison, Operand, Predicate, Value, quote};

/// The condition as text.
pub(crate) fn predicate(predicate: &Predicate) -> String {
    write(predicate, false)
}

fn write(predicate: &Predicate, inside: bool) -> String {
    match predicate {
        Predicate::Known(Some(true)) => "true".to_owned(),
        Predicate::Known(Some(false)) => "false".to_owned(),
        Predicate::Known(None) => "unknown".to_owned(),
        Predicate::Field(field) => quote(&field.name),
        Predicate::Compare(comparison, left, right) => {
            format!("{} {} {}", operand(left), symbol(*comparison), operand(right))
        }
        Predicate::In(field, values) => format!("{} in ({})", quote(&field.name), list(values)),
        Predicate::IsNull(field) => format!("{} is null", quote(&field.name)),
        Predicate::StartsWith(field, prefix) => {
            format!("{} like {}", quote(&field.name), text(&format!("{prefix}%")))
        }
        Predicate::HasAny(field, values) => format!("{} has any ({})", quote(&field.name), list(values)),
        Predicate::InLookup(field, lookup) => {
            let rows = lookup.rows.as_ref().map(|rows| format!(" ({})", write(rows, false)));
            format!("{} in lookup.{}{}", quote(&field.name), lookup.name, rows.unwrap_or_default())
        }
        Predicate::InCatalog(membership) => {
            let fields: Vec<String> = membership.fields.iter().map(|field| quote(&field.name)).collect();
            format!("({}) in catalog.{}", fields.join(", "), membership.set.name())
        }
        Predicate::Not(inner) => format!("not ({})", write(inner, false)),
        Predicate::And(parts) => joined(parts, " and ", inside),
        Predicate::Or(parts) => joined(parts, " or ", inside),
    }
}

fn joined(parts: &[Predicate], word: &str, inside: bool) -> String {
    let parts: Vec<String> = parts.iter().map(|part| write(part, true)).collect();
    let joined = parts.join(word);
    if inside { format!("({joined})") } else { joined }
}

fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Field(field) => quote(&field.name),
        Operand::Value(value) => literal(value),
    }
}

fn list(values: &[Value]) -> String {
    values.iter().map(literal).collect::<Vec<_>>().join(", ")
}

fn literal(value: &Value) -> String {
    match value {
        Value::Int(_) | Value::Numeric(_) | Value::Bool(_) => value.to_string(),
        Value::Text(_) | Value::Date(_) | Value::Timestamp(_) | Value::Uuid(_) => text(&value.to_string()),
    }
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
