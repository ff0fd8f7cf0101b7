//! Every form of predicate over a column, and what it says of a row.

use std::sync::Arc;

use access::{Comparison, Field, Lookup, Operand, Predicate, RelationName, Value};

use super::edges::Edge;
use super::everything;
use crate::property::kind::{Class, Kind, truth};

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

/// All forms that fit the type.
pub(super) fn forms(edge: &Edge) -> Vec<Predicate> {
    let field = |name: &str| Field { name: name.into(), ty: edge.field.clone() };
    let mut forms = vec![
        Predicate::IsNull(field("v")),
        Predicate::Not(Box::new(Predicate::IsNull(field("v")))),
        everything(),
        Predicate::Known(Some(false)),
        Predicate::Known(None),
    ];
    if edge.class == Class::Bool {
        forms.push(Predicate::Field(field("v")));
    }
    for comparison in COMPARISONS.into_iter().filter(|comparison| fits(*comparison, edge.class)) {
        let operand = |name: &str| Operand::Field(field(name));
        forms.push(Predicate::Compare(comparison, operand("v"), operand("w")));
        for value in edge.literals() {
            forms.push(Predicate::Compare(comparison, operand("v"), Operand::Value(value.clone())));
            forms.push(Predicate::Compare(comparison, Operand::Value(value), operand("v")));
        }
    }
    if edge.class.compares() {
        forms.push(Predicate::In(field("v"), edge.literals()));
        forms.extend(edge.literals().into_iter().map(|value| Predicate::In(field("v"), vec![value])));
    }
    if edge.class == Class::Text {
        let prefixes = ["a", "\\", "a\\", "%", "_", "'", "\n", "😀", "é", "a@", "EU", " ", "a "];
        forms.extend(prefixes.map(|prefix| Predicate::StartsWith(field("v"), prefix.into())));
    }
    if edge.class == Class::Texts {
        forms.extend(lists(edge).into_iter().map(|list| Predicate::HasAny(field("v"), list)));
    }
    let negated: Vec<Predicate> = forms.iter().map(|form| Predicate::Not(Box::new(form.clone()))).collect();
    let null = Predicate::IsNull(field("w"));
    let joined = forms.iter().step_by(7);
    let joined: Vec<Predicate> = joined
        .flat_map(|form| {
            [
                Predicate::And(vec![form.clone(), null.clone()]),
                Predicate::Or(vec![form.clone(), null.clone()]),
                Predicate::And(vec![form.clone()]),
            ]
        })
        .collect();
    forms.extend(negated);
    forms.extend(joined);
    forms.extend([Predicate::And(Vec::new()), Predicate::Or(Vec::new())]);
    forms
}

/// The field looked up in the other column of its own table, listed and hashed, of all rows and of those with something
/// in the first one.
pub(super) fn lookups(at: usize, edge: &Edge) -> Vec<Predicate> {
    if !edge.class.compares() {
        return Vec::new();
    }
    let field = |name: &str| Field { name: name.into(), ty: edge.field.clone() };
    let present = || Predicate::Not(Box::new(Predicate::IsNull(field("w"))));
    let mut forms = Vec::new();
    for many in [false, true] {
        for rows in [None, Some(present()), Some(Predicate::Known(Some(false)))] {
            let relation = RelationName::new("edge", format!("t{at}"));
            let lookup = Lookup { name: "l".into(), relation, rows, take: field("w"), many };
            let asked = Predicate::InLookup(field("v"), Arc::new(lookup));
            let negated = Predicate::Not(Box::new(asked.clone()));
            forms.push(Predicate::Or(vec![negated.clone(), Predicate::IsNull(field("w"))]));
            forms.extend([asked, negated]);
        }
    }
    forms
}

fn in_lookup(lookup: &Lookup, value: Option<String>, edge: &Edge) -> Option<bool> {
    let meant = |text: &&Option<String>| match &lookup.rows {
        None => true,
        Some(Predicate::Known(truth)) => *truth == Some(true),
        Some(_) => text.is_some(),
    };
    // The second column holds what the first one does, NULL and the first value once more.
    let (null, first) = (None, edge.values.first().cloned());
    let texts: Vec<Option<String>> = edge.values.iter().cloned().map(Some).chain([null, first]).collect();
    let taken: Vec<Option<&str>> = texts.iter().filter(meant).map(Option::as_deref).collect();
    if taken.is_empty() {
        return Some(false);
    }
    let value = value?;
    let padded = matches!(edge.kind, Kind::Char(_));
    let found = taken.iter().flatten().any(|taken| {
        let taken = if padded { taken.trim_end_matches(' ') } else { taken };
        edge.class.order(taken, &value).is_eq()
    });
    if found || !taken.contains(&None) { Some(found) } else { None }
}

/// Texts and truth values have no order in a policy.
fn fits(comparison: Comparison, class: Class) -> bool {
    let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if equality { class.compares() } else { class.has_order() }
}

fn lists(edge: &Edge) -> Vec<Vec<Value>> {
    if edge.declared == "int4[]" {
        let lists: [&[i64]; 4] = [&[0], &[2, 9], &[i64::MAX], &[i64::MIN, 2_147_483_647]];
        return lists.map(|list| list.iter().copied().map(Value::Int).collect()).to_vec();
    }
    let lists: [&[&str]; 7] = [&["a"], &["z", "b"], &[""], &["x", "\\"], &["NULL"], &["{"], &["abcd", "abc"]];
    lists.map(|list| list.iter().map(|text| Value::Text((*text).into())).collect()).to_vec()
}

/// What a predicate says of a row of two cells, `v` and `w`; none is unknown.
pub(super) fn holds(
    predicate: &Predicate,
    edge: &Edge,
    row: &(Option<String>, Option<String>),
) -> Option<bool> {
    let cell = |field: &Field| stored(edge, if *field.name == *"v" { &row.0 } else { &row.1 });
    let side = |operand: &Operand| match operand {
        Operand::Field(field) => cell(field),
        Operand::Value(value) => Some(written(value)),
    };
    let all = |parts: &[Predicate], wanted: bool| {
        let parts: Vec<_> = parts.iter().map(|part| holds(part, edge, row)).collect();
        let decided = parts.contains(&Some(!wanted));
        if decided {
            Some(!wanted)
        } else if parts.contains(&None) {
            None
        } else {
            Some(wanted)
        }
    };
    match predicate {
        Predicate::Known(truth) => *truth,
        Predicate::Field(field) => cell(field).map(|text| truth(&text)),
        Predicate::IsNull(field) => Some(cell(field).is_none()),
        Predicate::Not(inner) => holds(inner, edge, row).map(|truth| !truth),
        Predicate::And(parts) => all(parts, true),
        Predicate::Or(parts) => all(parts, false),
        Predicate::Compare(comparison, left, right) => {
            let order = edge.class.order(&side(left)?, &side(right)?);
            Some(match comparison {
                Comparison::Equal => order.is_eq(),
                Comparison::NotEqual => order.is_ne(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
            })
        }
        Predicate::In(field, values) => {
            let text = cell(field)?;
            Some(values.iter().any(|value| edge.class.order(&text, &written(value)).is_eq()))
        }
        Predicate::StartsWith(field, prefix) => Some(cell(field)?.starts_with(&**prefix)),
        Predicate::InLookup(field, lookup) => in_lookup(lookup, cell(field), edge),
        Predicate::InCatalog(_) => unreachable!("no row of the catalogue is tried here"),
        Predicate::HasAny(field, values) => {
            let array = cell(field)?;
            Some(values.iter().any(|value| elements(&array).contains(&Some(written(value)))))
        }
    }
}

/// A cell as a policy sees it: `char(n)` without its trailing blanks.
fn stored(edge: &Edge, cell: &Option<String>) -> Option<String> {
    let text = cell.as_ref()?;
    let padded = matches!(edge.kind, Kind::Char(_));
    Some(if padded { text.trim_end_matches(' ').to_owned() } else { text.clone() })
}

fn written(value: &Value) -> String {
    match value {
        Value::Bool(true) => "t".to_owned(),
        Value::Bool(false) => "f".to_owned(),
        other => other.to_string(),
    }
}

/// The elements of an array's source text; none is NULL.
fn elements(array: &str) -> Vec<Option<String>> {
    let inside = array.split_once('=').map_or(array, |(_, inside)| inside).replace(['{', '}'], "");
    if inside.is_empty() {
        return Vec::new();
    }
    let element = |part: &str| match part {
        "NULL" => None,
        _ => Some(part.trim_matches('"').to_owned()),
    };
    inside.split(',').map(element).collect()
}
