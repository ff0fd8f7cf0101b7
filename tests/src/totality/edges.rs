//! Edge values by type.

use access::{FieldType, Value};

use crate::property::kind::{Class, Kind};

/// A type, and the values at its edges in their source texts; NULL is always one more.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) declared: &'static str,
    /// The type without domains.
    pub(super) base: &'static str,
    pub(super) kind: Kind,
    pub(super) class: Class,
    pub(super) field: FieldType,
    pub(super) values: Vec<String>,
}

pub(super) fn edge(
    declared: &'static str,
    kind: Kind,
    class: Class,
    field: FieldType,
    values: &[&str],
) -> Edge {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Edge { declared, base: declared, kind, class, field, values }
}

fn other(declared: &'static str, values: &[&str]) -> Edge {
    edge(declared, Kind::Jsonb, Class::Other, FieldType::Other(declared.into()), values)
}

/// All of them.
pub(super) fn edges() -> Vec<Edge> {
    let mut edges = numbers();
    edges.extend(texts());
    edges.extend(moments());
    edges.extend([
        edge("bool", Kind::Bool, Class::Bool, FieldType::Bool, &["t", "f"]),
        edge("uuid", Kind::Uuid, Class::Uuid, FieldType::Uuid, UUIDS),
        edge("text[]", Kind::Texts, Class::Texts, array(FieldType::Text), TEXT_ARRAYS),
        edge(
            "varchar(3)[]",
            Kind::Texts,
            Class::Texts,
            array(FieldType::Text),
            &["{}", "{a,abc,NULL}", "{{a},{b}}"],
        ),
        edge(
            "int4[]",
            Kind::Texts,
            Class::Texts,
            array(FieldType::Int),
            &["{}", "{0,NULL}", "{{1,2},{3,2147483647}}"],
        ),
        other("jsonb", &["null", "{}", "{\"a\": [1e400, \"\\\\\"]}", "\"é\""]),
        other("json", &["null", "{\"a\": \"\\u0000\"}", " [1,  2] "]),
        other("bytea", &["\\x", "\\x00ff", "\\x5c"]),
        other("interval", &["-178000000 years", "1 month -1 day 0.000001 s"]),
        other("point", &["(NaN,Infinity)", "(0,-0)"]),
        other("edge.mood", &["low", "high"]),
        other("int4range", &["empty", "[1,5)", "(,)"]),
    ]);
    edges
}

const UUIDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
];

const TEXT_ARRAYS: &[&str] =
    &["{}", "{NULL}", "{a}", "{a,NULL,b}", "{{a,b},{c,NULL}}", "[5:6]={a,z}", "{\"\",\" \"}", "{{{x}}}"];

fn array(element: FieldType) -> FieldType {
    FieldType::Array(Box::new(element))
}

fn numbers() -> Vec<Edge> {
    let (int, numeric, float) = (FieldType::Int, FieldType::Numeric, FieldType::Float);
    let big = format!("1{}", "0".repeat(131_071));
    let small = format!("-0.{}1", "0".repeat(16_382));
    let mut any = edge("numeric", Kind::Numeric, Class::Numeric, numeric.clone(), NUMERICS);
    any.values.extend([big.clone(), format!("-{big}"), small]);
    vec![
        edge("int2", Kind::Int2, Class::Int, int.clone(), &["0", "-1", "1", "32767", "-32768"]),
        edge("int4", Kind::Int4, Class::Int, int.clone(), &["0", "-1", "1", "2147483647", "-2147483648"]),
        edge("int8", Kind::Int8, Class::Int, int, &["0", "1", "9223372036854775807", "-9223372036854775808"]),
        edge(
            "numeric(8,2)",
            Kind::Money,
            Class::Numeric,
            numeric,
            &["0.00", "999999.99", "-999999.99", "NaN"],
        ),
        any,
        edge("float8", Kind::Float8, Class::Float, float.clone(), FLOATS),
        edge(
            "float4",
            Kind::Float8,
            Class::Float,
            float,
            &["0", "-0", "0.5", "NaN", "Infinity", "-Infinity", "16777216"],
        ),
    ]
}

const NUMERICS: &[&str] =
    &["0", "0.000", "1", "1.0", "-1.5", "NaN", "Infinity", "-Infinity", "9223372036854775808"];

const FLOATS: &[&str] = &[
    "0",
    "-0",
    "1",
    "0.1",
    "5e-324",
    "1.7976931348623157e+308",
    "NaN",
    "Infinity",
    "-Infinity",
    "9007199254740993",
];

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "ab",
    "abc",
    "abcde",
    "a ",
    " a",
    "\\",
    "a\\b",
    "\\x41",
    "a\nb",
    "\n",
    "\t",
    "\u{1}",
    "\u{7f}",
    "%",
    "_",
    "%_\\%",
    "'",
    "''",
    "\"",
    "@",
    "a@",
    "@b",
    "a@b",
    "a@b@c",
    "Zoë@x.org",
    "😀",
    "😀é",
    "e\u{301}",
    "ÀÉ",
    "İ",
    "ß",
    "\u{a0}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "NULL",
    "x'y\\z",
    "0042",
    "EU",
    "eu",
    "a@b\nc",
];

fn texts() -> Vec<Edge> {
    let text = FieldType::Text;
    let mut all = edge("text", Kind::Text, Class::Text, text.clone(), TEXTS);
    all.values.extend(["é".repeat(500_000), format!("a@{}", "b".repeat(1_000_000))]);
    let mut folded = edge("text collate edge.ci", Kind::Text, Class::Text, text.clone(), TEXTS);
    folded.base = "text";
    let mut fixed = edge("char(10)", Kind::Char(10), Class::Text, text.clone(), TEXTS);
    let mut short = edge("varchar(8)", Kind::Varchar(8), Class::Text, text.clone(), TEXTS);
    let mut domain = edge("edge.code", Kind::Varchar(8), Class::Text, text, TEXTS);
    domain.base = "varchar(8)";
    fixed.values.retain(|value| !value.ends_with(' '));
    for edge in [&mut short, &mut domain] {
        edge.values.retain(|value| value.chars().count() <= 8);
        edge.values.push("12345678".to_owned());
    }
    // Wide enough for a token.
    let padded = Edge { declared: "char(20)", base: "char(20)", kind: Kind::Char(20), ..fixed.clone() };
    let wide =
        Edge { declared: "varchar(16)", base: "varchar(16)", kind: Kind::Varchar(16), ..short.clone() };
    vec![all, folded, fixed, short, domain, padded, wide]
}

fn moments() -> Vec<Edge> {
    let dates = [
        "-infinity",
        "infinity",
        "4714-11-24 BC",
        "0001-12-31 BC",
        "0001-01-01",
        "9999-12-31",
        "4713-01-01 BC",
        "294276-12-31",
        "294277-06-01",
        "5874897-12-31",
        "2024-08-17",
        "2024-02-29",
        "2026-01-01",
    ];
    let times = [
        "-infinity",
        "infinity",
        "4714-11-24 00:00:00 BC",
        "4713-01-01 00:00:00 BC",
        "0001-12-31 23:59:59.999999 BC",
        "2024-08-17 23:30:00",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "294276-12-31 23:59:59.999999",
        "2024-02-29 12:30:00",
        "2026-01-01 00:00:00",
        "2026-01-01 00:00:00.000001",
    ];
    vec![
        edge("date", Kind::Date, Class::Date, FieldType::Date, &dates),
        edge("timestamp", Kind::Timestamp, Class::Timestamp, FieldType::Timestamp, &times),
        edge("timestamptz", Kind::TimestampTz, Class::TimestampTz, FieldType::TimestampTz, &times),
    ]
}

impl Edge {
    /// Each value beside the next one, and NULL beside both sides of the list.
    pub(super) fn rows(&self) -> Vec<(Option<String>, Option<String>)> {
        let mut all: Vec<Option<String>> = self.values.iter().cloned().map(Some).collect();
        all.push(None);
        let next = all.iter().cycle().skip(1);
        let mut rows: Vec<_> = all.iter().cloned().zip(next.cloned()).collect();
        rows.extend(self.values.first().map(|value| (Some(value.clone()), Some(value.clone()))));
        rows
    }

    /// A value as a constant of SQL.
    pub(super) fn constant(&self, value: &str) -> String {
        let zoned = self.class == Class::TimestampTz && !value.contains("infinity");
        let value = match (zoned, value.strip_suffix(" BC")) {
            (true, Some(moment)) => format!("{moment}+00 BC"),
            (true, None) => format!("{value}+00"),
            (false, _) => value.to_owned(),
        };
        format!("'{}'", value.replace('\'', "''"))
    }

    /// Values that a policy can compare it with or show instead of it.
    pub(super) fn literals(&self) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.into());
        let decimals =
            || ["0", "-0.5", "1.0", "0.1", "9223372036854775807.5"].map(|text| Value::Numeric(text.into()));
        match self.class {
            Class::Text => {
                let texts = [
                    "",
                    "a",
                    "A",
                    "\\",
                    "a\\b",
                    "%",
                    "_",
                    "'",
                    "\n",
                    "😀",
                    "Zoë@x.org",
                    "EU",
                    "x'y\\z",
                    "a ",
                ];
                let mut literals: Vec<Value> = texts.map(text).to_vec();
                literals.push(text(&"é".repeat(10_000)));
                literals
            }
            Class::Int => [0, 1, -1, i64::MAX, i64::MIN, 32_768, -2_147_483_649].map(Value::Int).to_vec(),
            Class::Numeric => {
                let mut literals = decimals().to_vec();
                literals.extend([Value::Int(i64::MIN), Value::Numeric("9".repeat(1000).into())]);
                literals
            }
            Class::Float => {
                let mut literals = decimals().to_vec();
                literals
                    .extend([Value::Int(i64::MAX), Value::Numeric(format!("0.{}1", "0".repeat(300)).into())]);
                literals
            }
            Class::Bool => vec![Value::Bool(true), Value::Bool(false)],
            Class::Date => ["0001-01-01", "9999-12-31", "2024-02-29", "2026-01-01"]
                .map(|day| Value::Date(day.into()))
                .to_vec(),
            Class::Timestamp | Class::TimestampTz => {
                let times = [
                    "0001-01-01 00:00:00",
                    "9999-12-31 23:59:59.999999",
                    "2024-02-29 12:30:00",
                    "2026-01-01 00:00:00",
                ];
                times.map(|time| Value::Timestamp(time.into())).to_vec()
            }
            Class::Uuid => UUIDS.iter().map(|uuid| Value::Uuid((*uuid).into())).collect(),
            Class::Texts | Class::Other => Vec::new(),
        }
    }

    /// Constants that fit the column.
    pub(super) fn constants(&self) -> Vec<Value> {
        let fits = |value: &Value| match (self.kind, value) {
            (Kind::Int2, Value::Int(number)) => i16::try_from(*number).is_ok(),
            (Kind::Int4, Value::Int(number)) => i32::try_from(*number).is_ok(),
            (Kind::Money, value) => *value == Value::Numeric("-0.5".into()),
            (kind, Value::Text(text)) => {
                !text.is_empty() && kind.length_max().is_none_or(|length| text.chars().count() <= length)
            }
            _ => self.declared != "float4" || *value == Value::Numeric("1.0".into()),
        };
        self.literals().into_iter().filter(fits).collect()
    }
}
