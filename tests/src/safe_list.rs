//! What the lists call safe, on a real server, over the edge values of every type: it never fails and never says anything.

use std::fmt::Write;
use std::fs;

use testkit::{Options, Postgres, workspace};

/// The zones furthest from UTC: a moment near the ends of the calendar has its local date beyond them.
const ZONES: &[&str] = &["UTC", "Pacific/Kiritimati", "Etc/GMT+12"];

#[tokio::test]
async fn what_is_safe_neither_fails_nor_tells() {
    let server = Postgres::start_with(&Options::default().setting("log_min_messages", "notice"));
    let database = server.database();
    database.run("CREATE TYPE mood AS ENUM ('sad', 'ok')");
    let client = database.connect().await;
    let version: String = client.query_one("SHOW server_version_num", &[]).await.unwrap().get(0);
    let statements = statements(version.parse::<u32>().unwrap() / 10_000);
    assert!(statements.len() > 1_500, "only {} statements", statements.len());
    let mut failed = String::new();
    for zone in ZONES {
        client.batch_execute(&format!("SET timezone = '{zone}'")).await.unwrap();
        let noise = noise(&server.log());
        let of_time =
            |statement: &&String| *zone == "UTC" || statement.contains("time") || statement.contains("date");
        for statement in statements.iter().filter(of_time) {
            if let Err(error) = client.batch_execute(statement).await {
                let said = error.as_db_error().map(|said| said.message().to_owned());
                let start: String = statement.chars().take(100).collect();
                writeln!(failed, "{zone}: {} in {start}", said.unwrap_or_else(|| error.to_string())).unwrap();
            }
        }
        let log = server.log();
        assert!(!failed.is_empty() || noise == self::noise(&log), "{log}");
    }
    assert!(failed.is_empty(), "{failed}");
    eprintln!("{} statements in {} zones", statements.len(), ZONES.len());
}

/// How often the server has said something that a client could hear.
fn noise(log: &str) -> usize {
    log.lines().filter(|line| line.contains("NOTICE:") || line.contains("WARNING:")).count()
}

fn statements(major: u32) -> Vec<String> {
    let mut statements = Vec::new();
    for row in table("functions", major) {
        let [name, kind, args, _, variadic, .., safe, _] = &row[..] else { panic!("{row:?}") };
        if safe == "unsafe" {
            continue;
        }
        for mut types in instances(args) {
            // One element stands for the array of them.
            if let (Some(last), false) = (types.last_mut(), matches!(variadic.as_str(), "-" | "any")) {
                last.clone_from(variadic);
            }
            let names: Vec<String> = (0..types.len()).map(|place| format!("a{place}")).collect();
            let call = format!("pg_catalog.\"{name}\"({})", names.join(", "));
            let from = from(&types, safe);
            statements.push(match kind.as_str() {
                "aggregate" if types.is_empty() => format!("SELECT pg_catalog.{name}(*)"),
                "aggregate" => format!("SELECT {call}{from}"),
                "window" => format!("SELECT count(w) FROM (SELECT {call} OVER () AS w{from}) over_all"),
                "set" => format!("SELECT count(s) FROM (SELECT {call} AS s{from}) rows"),
                _ => format!("SELECT count({call}){from}"),
            });
        }
    }
    for row in table("operators", major) {
        let [name, left, right, _, _, safe] = &row[..] else { panic!("{row:?}") };
        if safe == "unsafe" {
            continue;
        }
        let (args, left) = if left == "-" { (right.clone(), "") } else { (format!("{left},{right}"), "a0 ") };
        let last = if left.is_empty() { "a0" } else { "a1" };
        for types in instances(&args) {
            let call = format!("{left}OPERATOR(pg_catalog.{name}) {last}");
            statements.push(format!("SELECT count({call}){}", from(&types, safe)));
        }
    }
    for row in table("casts", major) {
        let [source, target, _, method, safe, _] = &row[..] else { panic!("{row:?}") };
        for types in instances(source).into_iter().filter(|_| safe == "safe" && known(source)) {
            let length = if method == "length" { "(3)" } else { "" };
            statements
                .push(format!("SELECT count(a0::pg_catalog.\"{target}\"{length}){}", from(&types, "safe")));
        }
    }
    statements
}

/// The values of each argument, every one with every other.
fn from(types: &[String], safe: &str) -> String {
    let mut from = String::new();
    for (place, name) in types.iter().enumerate() {
        let is_pattern = safe == "pattern" && place + 1 == types.len();
        let values = if is_pattern { patterns(name) } else { values(name) };
        let values: Vec<String> = values.iter().map(|value| format!("({value}::{})", quoted(name))).collect();
        let before = if place == 0 { " FROM" } else { "," };
        let _ = write!(from, "{before} (VALUES {}) v{place}(a{place})", values.join(", "));
    }
    from
}

/// The declared types, and for polymorphic ones some that they can stand for.
fn instances(args: &str) -> Vec<Vec<String>> {
    let declared: Vec<&str> = args.split(',').filter(|arg| !arg.is_empty()).collect();
    let polymorphic = declared.iter().any(|arg| arg.starts_with("any") && *arg != "any");
    let elements = ["int4", "int8", "numeric", "text", "date", "timestamp", "timestamptz", "uuid", "mood"];
    let stand_ins = if polymorphic { &elements[..] } else { &["int4"] };
    let bind = |element: &str| {
        let types = declared.iter().map(|&arg| {
            let range = RANGES.iter().find(|(subtype, _, _)| *subtype == element);
            Some(match arg {
                "any" => "text".to_owned(),
                "anyelement" | "anynonarray" => element.to_owned(),
                "anyenum" => (element == "mood").then(|| element.to_owned())?,
                "anyarray" => format!("_{element}"),
                "anyrange" => range?.1.to_owned(),
                "anymultirange" => range?.2.to_owned(),
                named => named.to_owned(),
            })
        });
        types.collect::<Option<Vec<String>>>()
    };
    stand_ins.iter().filter_map(|element| bind(element)).collect()
}

const RANGES: &[(&str, &str, &str)] = &[
    ("int4", "int4range", "int4multirange"),
    ("int8", "int8range", "int8multirange"),
    ("numeric", "numrange", "nummultirange"),
    ("date", "daterange", "datemultirange"),
    ("timestamp", "tsrange", "tsmultirange"),
    ("timestamptz", "tstzrange", "tstzmultirange"),
];

/// Whether a client can write values of the type, so that they can be tried.
fn known(name: &str) -> bool {
    !name.starts_with("pg_") || name == "pg_lsn"
}

fn quoted(name: &str) -> String {
    if name.trim_start_matches('_') == "mood" {
        format!("public.{name}")
    } else {
        format!("pg_catalog.\"{name}\"")
    }
}

/// Literals of the type's edge values.
fn values(name: &str) -> Vec<String> {
    if let Some(range) = name.strip_suffix("multirange") {
        let range = if range == "num" { "numrange".to_owned() } else { format!("{range}range") };
        let ranges = values(&range).into_iter().filter(|value| value != "NULL");
        let each = ranges.map(|value| format!("'{{{}}}'", value.trim_matches('\'')));
        return each.chain(["'{}'".to_owned(), "NULL".to_owned()]).collect();
    }
    if let Some(element) = name.strip_prefix('_') {
        return arrays(element);
    }
    let values: &[&str] = match name {
        "bool" => &["true", "false"],
        "int2" => &["-32768", "-1", "0", "1", "32767"],
        "int4" => &["-2147483648", "-1", "0", "1", "31", "32", "2147483647"],
        "int8" => &["-9223372036854775808", "-1", "0", "1", "63", "64", "9223372036854775807"],
        "oid" | "xid" | "cid" | "regclass" | "regproc" | "regtype" | "regprocedure" | "regoper"
        | "regoperator" | "regconfig" | "regdictionary" | "regnamespace" | "regrole" | "regcollation" => {
            &["0", "1", "4294967295"]
        }
        "xid8" => &["0", "1", "18446744073709551615"],
        "float4" => &["-Infinity", "-3.4e38", "-0", "1e-45", "1", "3.4e38", "Infinity", "NaN"],
        "float8" => &["-Infinity", "-1.7e308", "-0", "5e-324", "0.5", "1", "1.7e308", "Infinity", "NaN"],
        "numeric" => &[
            "-Infinity",
            "-1e131071",
            "-9e-16383",
            "0",
            "0.000",
            "1e-16383",
            "99.5",
            "9e131071",
            "1e400",
            "Infinity",
            "NaN",
        ],
        "money" => &["-92233720368547758.08", "0", "92233720368547758.07"],
        "char" => &["", "a", "\\377"],
        "name" => &["", "a", "\\", "äöü", "0123456789012345678901234567890123456789012345678901234567890123"],
        "text" | "varchar" | "bpchar" => return texts(),
        "bytea" => &["", "a", "\\\\", "\\x00", "\\xff5c", "\\x00ff00ff00ff"],
        "date" => &[
            "-infinity",
            "4714-11-24 BC",
            "0001-12-31 BC",
            "2024-02-29",
            "294277-06-01",
            "5874897-12-31",
            "infinity",
        ],
        "time" => &["00:00", "12:30:00.123456", "24:00"],
        "timetz" => &["00:00+15:59", "12:30:00.123456+00", "24:00-15:59"],
        "timestamp" => &[
            "-infinity",
            "4714-11-24 00:00:00 BC",
            "2024-02-29 12:00",
            "294276-12-31 23:59:59.999999",
            "infinity",
        ],
        "timestamptz" => &[
            "-infinity",
            "4714-11-24 00:00:00+00 BC",
            "2024-03-31 01:30+00",
            "294276-12-31 23:59:59.999999+00",
            "infinity",
        ],
        "interval" => &[
            "-178000000 years",
            "-2147483648 days",
            "0",
            "1 mon -30 days 1 us",
            "2147483647 days",
            "178000000 years",
        ],
        "uuid" => &[
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "ffffffff-ffff-1fff-bfff-ffffffffffff",
            "00000000-0000-1000-8000-000000000000",
            "ffffffff-ffff-7fff-8fff-ffffffffffff",
        ],
        "inet" | "cidr" => {
            &["0.0.0.0/0", "10.0.0.0/8", "255.255.255.255", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
        }
        "macaddr" => &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"],
        "macaddr8" => &["00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"],
        "json" | "jsonb" => JSON,
        "xml" => &["", "<a/>", "text", "<a b=\"&amp;\">ä</a>"],
        "bit" | "varbit" => {
            &["", "0", "1", "101010101010101010101010101010101010101010101010101010101010101011"]
        }
        "tid" => &["(0,0)", "(4294967295,65535)"],
        "pg_lsn" => &["0/0", "FFFFFFFF/FFFFFFFF"],
        "tsvector" => &["", "a", "'a''b\\\\':1A,16383D 'ä'"],
        "oidvector" | "int2vector" => &["", "1 2 3"],
        "point" => &["(0,0)", "(Infinity,NaN)", "(1e308,-1e308)"],
        "lseg" => {
            &["[(0,0),(0,0)]", "[(1e308,-1e308),(NaN,Infinity)]", "[(1.7e308,1.7e308),(-1.7e308,-1.7e308)]"]
        }
        "box" => &["(0,0),(0,0)", "(1e308,1e308),(-1e308,-1e308)", "(NaN,0),(Infinity,1)"],
        "path" => &["[(0,0)]", "((0,0),(1e308,NaN),(Infinity,1))"],
        "polygon" => &["((0,0))", "((0,0),(1e308,NaN),(Infinity,1))"],
        "circle" => &["<(0,0),0>", "<(1e308,NaN),1e308>", "<(0,0),Infinity>"],
        "line" => &["{1,0,0}", "{1e308,-1e308,NaN}"],
        "mood" => &["sad", "ok"],
        "int4range" => &[
            "empty",
            "(,)",
            "[-2147483648,2147483647)",
            "[1,2)",
            "[2,2147483647)",
            "(,-2147483648)",
            "[2147483646,2147483647)",
        ],
        "int8range" => &["empty", "(,)", "[-9223372036854775808,9223372036854775807)", "[1,2)", "[2,3)"],
        "numrange" => &["empty", "(,)", "[-Infinity,Infinity]", "(NaN,)", "[1,2]", "(2,9e131071)"],
        "daterange" => &[
            "empty",
            "(,)",
            "[-infinity,infinity]",
            "[4714-11-24 BC,5874897-12-31)",
            "[2024-01-01,2024-01-02)",
            "(,infinity)",
        ],
        "tsrange" => &[
            "empty",
            "(,)",
            "[-infinity,infinity]",
            "[2024-01-01,2024-01-02)",
            "[294276-12-31 23:59:59.999999,infinity)",
        ],
        "tstzrange" => &["empty", "(,)", "[-infinity,infinity]", "[2024-01-01 00:00+00,2024-01-02 00:00+00)"],
        other => panic!("no edge values for {other}"),
    };
    values.iter().map(|value| literal(value)).chain(["NULL".to_owned()]).collect()
}

const JSON: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "\"a\\\\b\\\"\\u0001\"",
    "0",
    "-1e400",
    "1e-400",
    "[]",
    "{}",
    "[1, [2, {\"a\": null}], \"x\"]",
    "{\"a\": {\"a\": [1, 2, 3]}, \"\": 1, \"b\": null}",
    "[[[[[[[[[[1]]]]]]]]]]",
];

fn texts() -> Vec<String> {
    let few = [
        "",
        " ",
        "a",
        "\\",
        "%",
        "a\\",
        "'\"",
        "äÖß",
        "İıŉ",
        "\u{1F600}e\u{301}",
        "\u{FFFF}",
        "\n\t\u{1}",
        "infinity",
        "-1",
    ];
    let long = ["repeat('ab\\', 3000)", "repeat('ẞ', 3000)", "NULL"].map(str::to_owned);
    few.iter().map(|value| literal(value)).chain(long).collect()
}

/// Patterns that end well and have no more than 1,000 of `%`.
fn patterns(name: &str) -> Vec<String> {
    let few = ["", "%", "_", "a%", "%a", "\\\\", "\\%", "%\\_%", "ä%", "a_\\\\%"];
    let few = few
        .iter()
        .map(|value| if name == "bytea" { literal(&value.replace('\\', "\\\\")) } else { literal(value) });
    if name == "bytea" {
        few.collect()
    } else {
        few.chain(["repeat('%a', 1000)".to_owned(), "NULL".to_owned()]).collect()
    }
}

fn arrays(element: &str) -> Vec<String> {
    let array = format!("_{element}");
    let elements: Vec<String> =
        values(element).iter().map(|value| format!("{value}::{}", quoted(element))).collect();
    let all = format!("ARRAY[{}]", elements.join(", "));
    let (first, last) = (&elements[0], &elements[elements.len().saturating_sub(2)]);
    let mut arrays = vec!["'{}'".to_owned(), "NULL".to_owned(), all];
    arrays.push(format!("ARRAY[{first}]"));
    arrays.push(format!("ARRAY[[{first}, {last}], [NULL, {first}]]"));
    arrays.push(format!("array_fill({last}, ARRAY[2, 1, 2], ARRAY[-5, 2147483640, 0])"));
    arrays
        .iter()
        .map(|value| {
            if value.starts_with('\'') || value == "NULL" {
                value.clone()
            } else {
                format!("({value})::{}", quoted(&array))
            }
        })
        .collect()
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// What a table of the lists has for a version, row by row.
fn table(name: &str, major: u32) -> Vec<Vec<String>> {
    let path = workspace::root().join(format!("crates/sql/data/postgres/{name}.tsv"));
    let text = fs::read_to_string(&path).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| (row[0].parse().unwrap()..=row[1].parse().unwrap()).contains(&major))
        .map(|row| row[2..].to_vec())
        .collect()
}
