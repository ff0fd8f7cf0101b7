//! The lists, read from the tables that `data/make.py` writes.

use std::collections::HashMap;

use super::{CallKind, Cast, Lists, Overload, Safety, TypeInfo};

/// The tables of every version. Each row but those of `classes` begins with the first and the last that has it.
const TABLES: Tables = Tables {
    types: include_str!("../../data/postgres/types.tsv"),
    classes: include_str!("../../data/postgres/classes.tsv"),
    functions: include_str!("../../data/postgres/functions.tsv"),
    operators: include_str!("../../data/postgres/operators.tsv"),
    casts: include_str!("../../data/postgres/casts.tsv"),
};

/// The lists of one version.
#[expect(clippy::expect_used, reason = "the tables are part of the program, and a test reads them")]
pub(super) fn postgres(major: u32) -> Lists {
    read(&TABLES, major).expect("every row has its columns and every type its row")
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

fn read(tables: &Tables, major: u32) -> Option<Lists> {
    let mut type_names = Names::new();
    for [oid, name] in rows_of(tables.types, major) {
        type_names.insert(name, oid.parse().ok()?);
    }
    let (casts, safe_lengths) = casts(tables.casts, &type_names, major)?;
    Some(Lists {
        functions: functions(tables, &type_names, major)?,
        operators: operators(tables.operators, &type_names, major)?,
        classes: rows(tables.classes).map(|[class, _listed, reason]| (class, reason)).collect(),
        casts,
        safe_lengths,
        types: types(tables.types, &type_names, major)?,
        type_names,
    })
}

fn types(table: &'static str, names: &Names, major: u32) -> Option<HashMap<u32, TypeInfo>> {
    let oid = |name: &str| names.get(name).copied();
    let mut types = HashMap::new();
    for [number, name, kind, category, preferred, element, array, subtype, range, collatable, ordered] in
        rows_of(table, major)
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

fn functions(tables: &Tables, names: &Names, major: u32) -> Option<Overloads> {
    let oid = |name: &str| names.get(name).copied();
    let listed = rows(tables.classes).filter(|[_, listed]| *listed == "t");
    let listed: Vec<&str> = listed.map(|[class, _]| class).collect();
    let mut functions = Overloads::new();
    for [name, kind, args, result, variadic, defaults, volatility, _leakproof, class, safe, _why] in
        rows_of(tables.functions, major)
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
            volatile: volatility == "v",
            class,
        };
        functions.entry(name).or_default().push(overload);
    }
    Some(functions)
}

fn operators(table: &'static str, names: &Names, major: u32) -> Option<Overloads> {
    let oid = |name: &str| names.get(name).copied();
    let mut operators = Overloads::new();
    for [name, left, right, result, _function, safe] in rows_of(table, major) {
        let overload = Overload {
            args: oid(left).into_iter().chain([oid(right)?]).collect(),
            variadic: None,
            defaults: 0,
            result: oid(result)?,
            kind: CallKind::Function,
            listed: true,
            safe: safety(safe)?,
            safe_if_ordered: safe == "ordered",
            volatile: false,
            class: "operators",
        };
        operators.entry(name).or_default().push(overload);
    }
    Some(operators)
}

/// The casts by their two types, and the types that a cast to a length is safe for.
fn casts(table: &'static str, names: &Names, major: u32) -> Option<(Casts, Vec<u32>)> {
    let oid = |name: &str| names.get(name).copied();
    let mut casts = Casts::new();
    let mut safe_lengths = Vec::new();
    for [source, target, context, method, safe, _why] in rows_of(table, major) {
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

/// The rows that a version has, without the columns that say so.
fn rows_of<const N: usize>(table: &'static str, major: u32) -> impl Iterator<Item = [&'static str; N]> {
    let lines = table.lines().skip(1).filter_map(move |line| {
        let (since, line) = line.split_once('\t')?;
        let (until, line) = line.split_once('\t')?;
        let (since, until): (u32, u32) = (since.parse().ok()?, until.parse().ok()?);
        (since..=until).contains(&major).then_some(line)
    });
    lines.map(cells)
}

/// The rows of a table that is the same for every version.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().skip(1).map(cells)
}

/// As many cells of a line as the reader takes.
fn cells<const N: usize>(line: &'static str) -> [&'static str; N] {
    let mut cells = line.split('\t');
    std::array::from_fn(|_| cells.next().unwrap_or_default())
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
