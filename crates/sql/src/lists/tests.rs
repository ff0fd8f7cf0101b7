//! The lists are whole, every verdict has its reason, and calls mean what the server means.

use super::Safety::{Pattern, Safe, Search, Unsafe};
use super::*;

fn lists() -> &'static Lists {
    of(150_018).unwrap()
}

/// Each table's rows have all their columns, so that nothing was dropped or shifted.
#[test]
fn every_row_is_read() {
    let tables = [
        (include_str!("../../data/postgres/types.tsv"), 13),
        (include_str!("../../data/postgres/classes.tsv"), 3),
        (include_str!("../../data/postgres/functions.tsv"), 13),
        (include_str!("../../data/postgres/operators.tsv"), 8),
        (include_str!("../../data/postgres/casts.tsv"), 8),
    ];
    for (table, columns) in tables {
        for line in table.lines() {
            assert_eq!(line.split('\t').count(), columns, "{line}");
        }
    }
    for (major, lists) in &LISTS {
        let rows_of = |table: &str| {
            let spans = table.lines().skip(1).filter_map(|line| line.split_once('\t'));
            let spans = spans.map(|(since, rest)| (since, rest.split('\t').next().unwrap()));
            spans
                .filter(|(since, until)| (since.parse().unwrap()..=until.parse().unwrap()).contains(major))
                .count()
        };
        assert_eq!(lists.types.len(), rows_of(tables[0].0), "{major}");
        assert_eq!(lists.functions.values().map(Vec::len).sum::<usize>(), rows_of(tables[2].0), "{major}");
        assert_eq!(lists.operators.values().map(Vec::len).sum::<usize>(), rows_of(tables[3].0), "{major}");
        assert!(
            lists.functions.values().flatten().all(|overload| lists.classes.contains_key(overload.class))
        );
    }
}

/// Each version has what it brought, and not what the next one brings.
#[test]
fn every_version_has_its_own_lists() {
    for (major, name, has) in [
        (14, "xid8_larger", false),
        (15, "xid8_larger", true),
        (15, "any_value", false),
        (16, "any_value", true),
        (16, "uuid_extract_version", false),
        (17, "uuid_extract_version", true),
        (17, "uuidv7", false),
        (18, "uuidv7", true),
        (14, "close_lb", true),
        (15, "close_lb", false),
    ] {
        let lists = of(major * 10_000 + 3).unwrap();
        assert_eq!(!lists.functions(name).is_empty(), has, "{name} in {major}");
        assert_eq!(lists.why_unlisted(name).is_none(), has, "{name} in {major}");
    }
    let category = |major: u32| of(major * 10_000).unwrap().type_info(oid::CHAR).unwrap().category;
    assert_eq!((category(14), category(15)), ('S', 'Z'));
    assert!(of(130_022).is_none() && of(190_000).is_none() && of(0).is_none());
}

/// What is safe says why; what is not listed is not safe.
#[test]
fn every_verdict_has_its_reason() {
    for line in include_str!("../../data/postgres/functions.tsv").lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(cells[11] == "unsafe" || cells[12] != "-", "{line}");
    }
    for line in include_str!("../../data/postgres/casts.tsv").lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(cells[6] == "unsafe" || cells[7] != "-", "{line}");
    }
    for (_, lists) in &LISTS {
        let unlisted = lists.functions.values().flatten().filter(|overload| !overload.listed);
        assert!(unlisted.clone().count() > 500);
        assert!(unlisted.clone().all(|overload| overload.safe == Unsafe && !overload.safe_if_ordered));
    }
}

#[test]
fn what_reaches_beyond_its_arguments_is_not_listed() {
    for name in [
        "pg_read_file",
        "query_to_xml",
        "ts_stat",
        "lo_get",
        "pg_advisory_lock",
        "pg_notify",
        "pg_terminate_backend",
        "pg_cancel_backend",
        "set_config",
        "pg_export_snapshot",
        "setseed",
        "lastval",
        "currval",
        "nextval",
        "txid_current",
        "pg_sleep",
        "current_setting",
        "pg_relation_size",
        "pg_stat_get_activity",
        "int4in",
        "textsend",
        "current_query",
        "no_such_function",
        "regclass",
        "currtid2",
        "table_to_xml",
        "pg_get_viewdef",
        "version",
        "age",
    ] {
        assert!(lists().why_unlisted(name).is_some(), "{name}");
    }
    for name in
        ["lower", "count", "now", "random", "jsonb_each", "to_char", "row_number", "unnest", "coalesce"]
    {
        assert_eq!(lists().why_unlisted(name).is_none(), name != "coalesce", "{name}");
    }
}

#[test]
fn functions_resolve_as_on_the_server() {
    use Arg::{Any, Enum, Known, Literal};
    let check = |name, args: &[Arg], expected: Option<(Option<u32>, Safety)>| {
        let resolved = lists().resolve_function(name, args).map(|resolved| (resolved.result, resolved.safe));
        assert_eq!(resolved, expected, "{name}{args:?}");
    };
    check("lower", &[Known(oid::VARCHAR)], Some((Some(oid::TEXT), Safe)));
    check("lower", &[Literal], Some((Some(oid::TEXT), Safe)));
    check("lower", &[Any], Some((None, Unsafe)));
    check("count", &[Any], Some((Some(oid::INT8), Safe)));
    check("lower", &[Known(oid::INT4)], None);
    check("length", &[Any], Some((None, Unsafe)));
    check("length", &[Known(oid::BPCHAR)], Some((Some(oid::INT4), Safe)));
    check("abs", &[Known(oid::INT4)], Some((Some(oid::INT4), Unsafe)));
    check("abs", &[Known(oid::NUMERIC)], Some((Some(oid::NUMERIC), Safe)));
    check("sqrt", &[Known(oid::INT4)], Some((Some(oid::FLOAT8), Unsafe)));
    check("strpos", &[Known(oid::TEXT), Literal], Some((Some(oid::INT4), Search)));
    check("count", &[], Some((Some(oid::INT8), Safe)));
    check("count", &[Known(70_000)], Some((Some(oid::INT8), Safe)));
    check("count", &[Known(oid::JSONB)], Some((Some(oid::INT8), Safe)));
    check("max", &[Enum(70_000)], Some((Some(70_000), Safe)));
    check("max", &[Known(oid::TEXT_ARRAY)], Some((Some(oid::TEXT_ARRAY), Safe)));
    check("sum", &[Known(oid::INT4)], Some((Some(oid::INT8), Safe)));
    check("sum", &[Known(oid::NUMERIC)], Some((Some(oid::NUMERIC), Unsafe)));
    check("unnest", &[Known(oid::TEXT_ARRAY)], Some((Some(oid::TEXT), Safe)));
    check("num_nulls", &[Known(oid::INT4), Literal, Known(oid::TEXT)], Some((Some(oid::INT4), Safe)));
    check("text", &[Known(oid::INT4)], Some((Some(oid::TEXT), Safe)));
    check("date", &[Literal], Some((Some(oid::DATE), Safe)));
    check("no_such_function", &[], None);
}

#[test]
fn operators_resolve_as_on_the_server() {
    use Arg::{Any, Enum, Known, Literal, Number};
    let check = |left: Option<Arg>, name, right: Arg, expected: Option<(Option<u32>, Safety)>| {
        let resolved =
            lists().resolve_operator(name, left, right).map(|resolved| (resolved.result, resolved.safe));
        assert_eq!(resolved, expected, "{left:?} {name} {right:?}");
    };
    let boolean = |safe| Some((Some(oid::BOOL), safe));
    check(Some(Known(oid::VARCHAR)), "=", Literal, boolean(Safe));
    check(Some(Known(oid::VARCHAR)), "=", Known(oid::BPCHAR), boolean(Safe));
    check(Some(Known(oid::INT4)), "=", Known(oid::INT8), boolean(Safe));
    check(Some(Known(oid::NUMERIC)), "=", Literal, boolean(Safe));
    check(Some(Known(oid::NUMERIC)), "=", Known(oid::INT4), boolean(Safe));
    // The numeric becomes a float, which fails on 1e400.
    check(Some(Known(oid::NUMERIC)), "=", Known(oid::FLOAT8), boolean(Unsafe));
    check(Some(Known(oid::DATE)), "<", Known(oid::TIMESTAMP), boolean(Safe));
    check(Some(Enum(70_000)), "=", Literal, boolean(Safe));
    check(Some(Known(70_000)), "=", Literal, boolean(Unsafe));
    check(Some(Known(oid::INT4)), "=", Any, boolean(Unsafe));
    check(Some(Known(oid::TEXT_ARRAY)), "&&", Literal, boolean(Safe));
    check(Some(Known(199)), "=", Known(199), boolean(Unsafe));
    check(Some(Known(oid::TEXT)), "~~", Literal, boolean(Pattern));
    check(Some(Known(oid::TEXT)), "~", Literal, boolean(Unsafe));
    check(Some(Known(oid::JSONB)), "->>", Literal, Some((Some(oid::TEXT), Safe)));
    check(Some(Known(oid::JSONB)), "->>", Known(oid::INT4), Some((Some(oid::TEXT), Safe)));
    check(Some(Known(oid::JSON)), "->>", Literal, Some((Some(oid::TEXT), Unsafe)));
    check(Some(Known(oid::JSONB)), "@>", Literal, boolean(Safe));
    check(Some(Known(oid::INT4)), "+", Literal, Some((Some(oid::INT4), Unsafe)));
    check(None, "-", Known(oid::INT4), Some((Some(oid::INT4), Unsafe)));
    check(None, "-", Known(oid::NUMERIC), Some((Some(oid::NUMERIC), Safe)));
    check(Some(Known(oid::TEXT)), "||", Known(oid::INT4), Some((Some(oid::TEXT), Unsafe)));
    check(Some(Known(oid::INT4)), "=", Known(oid::TEXT), None);
    // A constant number has a type, and is cast ahead.
    check(Some(Known(oid::DATE)), "-", Number(oid::INT4), Some((Some(oid::DATE), Unsafe)));
    check(Some(Known(oid::DATE)), "+", Number(oid::INT4), Some((Some(oid::DATE), Unsafe)));
    check(Some(Known(oid::INTERVAL)), "*", Number(oid::INT4), Some((Some(oid::INTERVAL), Unsafe)));
    check(Some(Known(oid::JSONB)), "->", Number(oid::INT4), Some((Some(oid::JSONB), Safe)));
    for number in [oid::INT4, oid::INT8, oid::NUMERIC] {
        for column in [oid::INT2, oid::INT4, oid::INT8, oid::NUMERIC, oid::FLOAT4, oid::FLOAT8] {
            check(Some(Known(column)), ">", Number(number), boolean(Safe));
        }
    }
    check(Some(Known(oid::TEXT)), "=", Number(oid::INT4), None);
}

#[test]
fn casts_are_safe_only_where_none_can_fail() {
    let check = |from, to, expected: Option<(bool, bool)>| {
        let cast = lists().cast(from, to).map(|cast| (cast.implicit, cast.safe));
        assert_eq!(cast, expected, "{from} to {to}");
    };
    check(oid::INT4, oid::INT8, Some((true, true)));
    check(oid::INT8, oid::INT4, Some((false, false)));
    check(oid::INT8, oid::OID, Some((true, false)));
    check(oid::NUMERIC, oid::FLOAT8, Some((true, false)));
    check(oid::DATE, oid::TIMESTAMP, Some((true, false)));
    check(oid::VARCHAR, oid::TEXT, Some((true, true)));
    check(oid::TEXT, oid::INT4, Some((false, false)));
    check(oid::UUID, oid::TEXT, Some((false, true)));
    check(oid::JSONB, oid::VARCHAR, Some((false, true)));
    check(oid::ANYENUM, oid::TEXT, Some((false, true)));
    check(oid::REGCLASS, oid::TEXT, Some((false, false)));
    check(oid::TEXT_ARRAY, oid::TEXT, Some((false, false)));
    check(oid::RECORD, oid::TEXT, Some((false, false)));
    check(1007, 1016, Some((true, true)));
    check(1007, oid::TEXT_ARRAY, Some((false, false)));
    check(oid::INT4, oid::UUID, None);
    assert!(lists().length_is_safe(oid::VARCHAR) && !lists().length_is_safe(oid::NUMERIC));
}

/// Samples of what servers made of calls, recorded by `data/choices.py`.
#[test]
fn choices_are_the_servers() {
    let mut wrong = Vec::new();
    for (major, table) in [
        (14, include_str!("../../data/postgres/choices-14.tsv")),
        (15, include_str!("../../data/postgres/choices-15.tsv")),
        (18, include_str!("../../data/postgres/choices-18.tsv")),
    ] {
        let lists = of(major * 10_000).unwrap();
        for line in table.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [kind, name, given, meant] = cells[..] else { panic!("{line}") };
            let args: Vec<Arg> = given.split_whitespace().map(|name| arg(lists, name)).collect();
            let meant: Vec<u32> = meant.split_whitespace().map(|oid| oid.parse().unwrap()).collect();
            let resolved = match (kind, &args[..]) {
                ("operator", [right]) => lists.resolve_operator(name, None, *right),
                ("operator", [left, right]) => lists.resolve_operator(name, Some(*left), *right),
                _ => lists.resolve_function(name, &args),
            };
            if resolved.and_then(|resolved| resolved.overload).is_none_or(|overload| *overload.args != meant)
            {
                wrong.push(format!("{major}: {line}: {resolved:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn arg(lists: &Lists, name: &str) -> Arg {
    match name {
        "unknown" => Arg::Literal,
        "mood" => Arg::Enum(70_000),
        "mood[]" => Arg::EnumArray(70_001),
        name => Arg::Known(lists.builtin_type(name).unwrap()),
    }
}
