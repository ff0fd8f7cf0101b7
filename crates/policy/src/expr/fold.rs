//! Typed tree, caller and request to a predicate: all that does not depend on the row is decided here.

use std::cmp::Ordering;
use std::sync::Arc;

use access::{Attribute, Caller, Comparison, Field, InCatalog, Lookup, Predicate, Request, Value, ValueType};

use super::logic;
use super::tree::Part;
use super::typed::{List, Operand, Typed, TypedLookup};
use crate::value;

/// What a condition says of a row to this caller. An absent attribute is NULL, and no comparison with NULL is left.
pub(crate) fn fold(typed: &Typed, caller: &Caller, request: &Request) -> Predicate {
    match typed {
        Typed::Always => Predicate::Known(Some(true)),
        Typed::Or(arms) => logic::or(arms.iter().map(|arm| fold(arm, caller, request))),
        Typed::And(arms) => logic::and(arms.iter().map(|arm| fold(arm, caller, request))),
        Typed::Not(inner) => logic::not(fold(inner, caller, request)),
        Typed::Truth(operand) => truth_of(resolve(operand, caller, request)),
        Typed::Compare(comparison, left, right) => {
            compare(*comparison, resolve(left, caller, request), resolve(right, caller, request))
        }
        Typed::In(left, list) => membership(resolve(left, caller, request), list, caller, request),
        Typed::HasAny(left, list) => has_any(left, list, caller, request),
        Typed::IsNull(operand) => match operand {
            Operand::Field(field) => Predicate::IsNull(field.clone()),
            Operand::Caller(name, _) => {
                Predicate::Known(Some(**name != *"id" && !caller.attributes.contains_key(name)))
            }
            Operand::Value(_) | Operand::Request(_) => Predicate::Known(Some(false)),
        },
        Typed::StartsWith(operand, prefix) => match resolve(operand, caller, request) {
            Resolved::Field(field) => Predicate::StartsWith(field.clone(), prefix.clone()),
            Resolved::Value(Value::Text(text)) => Predicate::Known(Some(text.starts_with(&**prefix))),
            Resolved::Value(_) | Resolved::Null => Predicate::Known(None),
        },
        // Its keys are gathered once the request is known to ask the catalogue (`guards.rs`).
        Typed::InCatalog(fields, set) => {
            Predicate::InCatalog(InCatalog { fields: fields.clone(), set: *set, keys: None })
        }
        Typed::InNetworks(networks) => {
            Predicate::Known(Some(networks.iter().any(|network| network.contains(request.ip))))
        }
        Typed::InLookup(field, lookup) => in_lookup(field, lookup, caller, request),
    }
}

/// The truth of a condition that names no field.
pub(crate) fn truth(typed: &Typed, caller: &Caller, request: &Request) -> Option<bool> {
    match fold(typed, caller, request) {
        Predicate::Known(truth) => truth,
        // A condition of the row says nothing of the caller alone.
        Predicate::Field(_)
        | Predicate::Compare(..)
        | Predicate::In(..)
        | Predicate::IsNull(_)
        | Predicate::StartsWith(..)
        | Predicate::HasAny(..)
        | Predicate::InLookup(..)
        | Predicate::InCatalog(_)
        | Predicate::Not(_)
        | Predicate::And(_)
        | Predicate::Or(_) => None,
    }
}

/// An operand for this caller.
enum Resolved<'a> {
    Field(&'a Field),
    Value(Value),
    Null,
}

fn resolve<'a>(operand: &'a Operand, caller: &Caller, request: &Request) -> Resolved<'a> {
    let value = match operand {
        Operand::Field(field) => return Resolved::Field(field),
        Operand::Value(value) => Some(value.clone()),
        Operand::Caller(name, _) if **name == *"id" => Some(Value::Text(caller.id.clone())),
        Operand::Caller(name, ty) => match caller.attributes.get(name) {
            Some(Attribute::One(value)) => fitting(value, *ty),
            Some(Attribute::Set(_)) | None => None,
        },
        Operand::Request(Part::Time) => value::moment(request.time_us),
        Operand::Request(Part::Day) => value::day(request.time_us),
        Operand::Request(Part::Hour) => Some(value::hour(request.time_us)),
        Operand::Request(Part::Ip) => None,
    };
    value.map_or(Resolved::Null, Resolved::Value)
}

/// The value as one of this type; one that does not fit, which typing rules out, counts as absent.
fn fitting(value: &Value, ty: ValueType) -> Option<Value> {
    let value = value::widen(value.clone(), ty);
    (value.value_type() == ty).then_some(value)
}

/// Calls for each value of a list, with none for each NULL; false where the set is absent.
fn each(list: &List, caller: &Caller, request: &Request, mut call: impl FnMut(Option<Value>)) -> bool {
    match list {
        List::Items(items) => {
            for item in items {
                call(match resolve(item, caller, request) {
                    Resolved::Value(value) => Some(value),
                    Resolved::Field(_) | Resolved::Null => None,
                });
            }
            true
        }
        List::Caller(name, ty) => match caller.attributes.get(name) {
            Some(Attribute::Set(values)) => {
                values.iter().for_each(|value| call(fitting(value, *ty)));
                true
            }
            Some(Attribute::One(_)) | None => false,
        },
    }
}

fn truth_of(resolved: Resolved<'_>) -> Predicate {
    match resolved {
        Resolved::Field(field) => Predicate::Field(field.clone()),
        Resolved::Value(Value::Bool(truth)) => Predicate::Known(Some(truth)),
        Resolved::Value(_) | Resolved::Null => Predicate::Known(None),
    }
}

fn compare(comparison: Comparison, left: Resolved<'_>, right: Resolved<'_>) -> Predicate {
    let field = |field: &Field| access::Operand::Field(field.clone());
    match (left, right) {
        (Resolved::Null, _) | (_, Resolved::Null) => Predicate::Known(None),
        (Resolved::Value(left), Resolved::Value(right)) => {
            Predicate::Known(value::compare(&left, &right).map(|order| holds(comparison, order)))
        }
        (Resolved::Field(left), Resolved::Field(right)) => {
            Predicate::Compare(comparison, field(left), field(right))
        }
        (Resolved::Field(left), Resolved::Value(right)) => {
            Predicate::Compare(comparison, field(left), access::Operand::Value(right))
        }
        (Resolved::Value(left), Resolved::Field(right)) => {
            Predicate::Compare(flipped(comparison), field(right), access::Operand::Value(left))
        }
    }
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// The comparison with its sides exchanged.
fn flipped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal | Comparison::NotEqual => comparison,
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
    }
}

/// `in`, as SQL has it: in nothing is false, in an absent set unknown, and a NULL in the list leaves a miss unknown.
fn membership(left: Resolved<'_>, list: &List, caller: &Caller, request: &Request) -> Predicate {
    let (mut found, mut empty, mut null, mut values) = (false, true, false, Vec::new());
    let there = each(list, caller, request, |item| {
        empty = false;
        match (&left, item) {
            (_, None) => null = true,
            (Resolved::Null, Some(_)) => {}
            (Resolved::Value(left), Some(item)) => found |= same(left, &item),
            (Resolved::Field(_), Some(item)) => keep(&mut values, item),
        }
    });
    let miss = if null { None } else { Some(false) };
    match left {
        _ if !there => Predicate::Known(None),
        _ if empty => Predicate::Known(Some(false)),
        Resolved::Null => Predicate::Known(None),
        Resolved::Value(_) => Predicate::Known(if found { Some(true) } else { miss }),
        Resolved::Field(_) if values.is_empty() => Predicate::Known(miss),
        Resolved::Field(field) => logic::or([Predicate::In(field.clone(), values), Predicate::Known(miss)]),
    }
}

/// The lookup with the rows that it means for this caller.
fn in_lookup(field: &Field, lookup: &TypedLookup, caller: &Caller, request: &Request) -> Predicate {
    let lookup = Lookup {
        name: lookup.name.clone(),
        relation: lookup.relation.clone(),
        rows: lookup.rows.as_ref().map(|rows| fold(rows, caller, request)),
        take: lookup.take.clone(),
        many: lookup.many,
    };
    Predicate::InLookup(field.clone(), Arc::new(lookup))
}

fn same(left: &Value, right: &Value) -> bool {
    value::compare(left, right).is_some_and(Ordering::is_eq)
}

fn keep(values: &mut Vec<Value>, value: Value) {
    if !values.contains(&value) {
        values.push(value);
    }
}

fn has_any(left: &Operand, list: &List, caller: &Caller, request: &Request) -> Predicate {
    let mut values = Vec::new();
    if !each(list, caller, request, |item| item.into_iter().for_each(|item| keep(&mut values, item))) {
        return Predicate::Known(None);
    }
    match left {
        Operand::Field(field) if values.is_empty() => {
            // Of nothing: false, but unknown where the array is NULL.
            logic::and([Predicate::IsNull(field.clone()), Predicate::Known(None)])
        }
        Operand::Field(field) => Predicate::HasAny(field.clone(), values),
        Operand::Caller(name, ty) => match caller.attributes.get(name) {
            Some(Attribute::Set(own)) => {
                let has = |own: &Value| values.iter().any(|value| same(own, value));
                Predicate::Known(Some(own.iter().any(|own| fitting(own, *ty).is_some_and(|own| has(&own)))))
            }
            Some(Attribute::One(_)) | None => Predicate::Known(None),
        },
        Operand::Value(_) | Operand::Request(_) => Predicate::Known(None),
    }
}
