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

type Names = HashMap<&'static str, u32>;
type Overloads = HashMap<&'static str, Vec<Overload>>;
type Casts = HashMap<(u32, u32), Cast>;

fn read(tables: &Tables) -> Option<Lists> {
    let mut type_names = Names::new();
    for [oid, name] in rows(tables.types) {
        type_names.insert(name, oid.parse().ok()?);
    }
    let (casts, safe_lengths) = casts(tables.casts, &type_names)?;
    Some(Lists {
        functions: functions(tables, &type_names)?,
        operators: operators(tables.operators, &type_names)?,
        classes: rows(tables.classes).map(|[class, _listed, reason]| (class, reason)).collect(),
        casts,
        safe_lengths,
        types: types(tables.types, &type_names)?,
        type_names,
    })
}

fn types(table: &'static str, names: &Names) -> Option<HashMap<u32, TypeInfo>> {
    let oid = |name: &str| names.get(name).copied();
    let mut types = HashMap::new();
    for [number, name, kind, category, preferred, element, array, subtype, range, collatable, ordered] in
        rows(table)
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
    Some(types)
}

fn functions(tables: &Tables, names: &Names) -> Option<Overloads> {
    let oid = |name: &str| names.get(name).copied();
    let listed = rows(tables.classes).filter(|[_, listed]| *listed == "t");
    let listed: Vec<&str> = listed.map(|[class, _]| class).collect();
    let mut functions = Overloads::new();
    for [name, kind, args, result, variadic, defaults, _volatility, _leakproof, class, safe, _why] in
        rows(tables.functions)
    {
        let overload = Overload {
            args: args.split(',').filter(|arg| !arg.is_empty()).map(oid).collect::<Option<_>>()?,
            variadic: oid(variadic),
            defaults: defaults.parse().ok()?,
            result: oid(result)?,
            kind: call_kind(kind)?,
            listed: listed.contains(&class),
            safe: safety(safe)?,
            safe_if_ordered: safe == "ordered",
            class,
        };
        functions.entry(name).or_default().push(overload);
    }
    Some(functions)
}

fn operators(table: &'static str, names: &Names) -> Option<Overloads> {
    let oid = |name: &str| names.get(name).copied();
    let mut operators = Overloads::new();
    for [name, left, right, result, _function, safe] in rows(table) {
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
    Some(operators)
}

/// The casts by their two types, and the types that a cast to a length is safe for.
fn casts(table: &'static str, names: &Names) -> Option<(Casts, Vec<u32>)> {
    let oid = |name: &str| names.get(name).copied();
    let mut casts = Casts::new();
    let mut safe_lengths = Vec::new();
    for [source, target, context, method, safe, _why] in rows(table) {
        let safe = safe == "safe";
        if method != "length" {
            let (binary, through_text) = (method == "binary", method == "text");
            let cast = Cast { implicit: context == "i", safe, binary, through_text };
            casts.insert((oid(source)?, oid(target)?), cast);
        } else if safe {
            safe_lengths.push(oid(source)?);
        }
    }
    Some((casts, safe_lengths))
}

/// The rows of a table, each with as many of its columns as the reader takes.
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
