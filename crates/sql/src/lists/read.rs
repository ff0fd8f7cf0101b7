//! The lists, read from the tables that `data/make.py` writes.

use std::collections::HashMap;

use super::{CallKind, Cast, Lists, Overload, Safety, TypeInfo};

/// The lists of PostgreSQL 15.
#[expect(clippy::expect_used, reason = "the tables are part of the program, and a test reads them")]
pub(super) fn postgres_15() -> Lists {
    read(&Tables {
        types: include_str!("../../data/postgres-15/types.tsv"),
        classes: include_str!("../../data/postgres-15/classes.tsv"),
        functions: include_str!("../../data/postgres-15/functions.tsv"),
        operators: include_str!("../../data/postgres-15/operators.tsv"),
        casts: include_str!("../../data/postgres-15/casts.tsv"),
    })
    .expect("every row has its columns and every type its row")
}

struct Tables {
    types: &'static str,
    classes: &'static str,
    functions: &'static str,
    operators: &'static str,
    casts: &'static str,
}

fn read(tables: &Tables) -> Option<Lists> {
    let mut type_names = HashMap::new();
    for [oid, name] in rows(tables.types) {
        type_names.insert(name, oid.parse().ok()?);
    }
    let oid = |name: &str| type_names.get(name).copied();

    let mut types = HashMap::new();
    for [number, name, kind, category, preferred, element, array, subtype, range, collatable, ordered] in
        rows(tables.types)
    {
        let info = TypeInfo {
            name,
            category: category.chars().next()?,
            preferred: preferred == "t",
            element: oid(element),
            array: oid(array),
            subtype: oid(subtype),
            range: oid(range),
            multirange: kind == "multirange",
            collatable: collatable == "t",
            ordered: ordered == "t",
        };
        types.insert(number.parse().ok()?, info);
    }

    let mut classes = HashMap::new();
    let mut listed_classes = Vec::new();
    for [class, listed, reason] in rows(tables.classes) {
        classes.insert(class, reason);
        if listed == "t" {
            listed_classes.push(class);
        }
    }

    let mut functions: HashMap<_, Vec<_>> = HashMap::new();
    for [name, kind, args, result, variadic, defaults, _volatility, _leakproof, class, safe, _why] in
        rows(tables.functions)
    {
        let overload = Overload {
            args: args.split(',').filter(|arg| !arg.is_empty()).map(oid).collect::<Option<_>>()?,
            variadic: oid(variadic),
            defaults: defaults.parse().ok()?,
            result: oid(result)?,
            kind: call_kind(kind)?,
            listed: listed_classes.contains(&class),
            safe: safety(safe)?,
            safe_if_ordered: safe == "ordered",
            class,
        };
        functions.entry(name).or_default().push(overload);
    }

    let mut operators: HashMap<_, Vec<_>> = HashMap::new();
    for [name, left, right, result, _function, safe] in rows(tables.operators) {
        let overload = Overload {
            args: oid(left).into_iter().chain([oid(right)?]).collect(),
            variadic: None,
            defaults: 0,
            result: oid(result)?,
            kind: CallKind::Function,
            listed: true,
            safe: safety(safe)?,
            safe_if_ordered: safe == "ordered",
            class: "operators",
        };
        operators.entry(name).or_default().push(overload);
    }

    let mut casts = HashMap::new();
    let mut safe_lengths = Vec::new();
    for [source, target, context, method, safe, _why] in rows(tables.casts) {
        let safe = safe == "safe";
        if method != "length" {
            let cast = Cast {
                implicit: context == "i",
                safe,
                binary: method == "binary",
                through_text: method == "text",
            };
            casts.insert((oid(source)?, oid(target)?), cast);
        } else if safe {
            safe_lengths.push(oid(source)?);
        }
    }
    Some(Lists { functions, operators, classes, casts, safe_lengths, types, type_names })
}

/// The rows of a table, each with as many columns as the reader expects; a row with fewer ends in the wrong type.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().skip(1).map(|line| {
        let mut cells = line.split('\t');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

fn call_kind(name: &str) -> Option<CallKind> {
    Some(match name {
        "function" => CallKind::Function,
        "aggregate" => CallKind::Aggregate,
        "window" => CallKind::Window,
        "set" => CallKind::SetReturning,
        _ => return None,
    })
}

fn safety(name: &str) -> Option<Safety> {
    Some(match name {
        "safe" => Safety::Safe,
        "search" => Safety::Search,
        "pattern" => Safety::Pattern,
        "ordered" | "unsafe" => Safety::Unsafe,
        _ => return None,
    })
}
