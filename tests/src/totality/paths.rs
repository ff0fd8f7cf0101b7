//! Masks of documents and of arrays: what each value shows is written beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Cell, Document, FieldType, Inside, Mask, Value};
use testkit::Postgres;

use super::edges::{Edge, edge};
use super::shop::{SETTINGS, Shop};
use crate::property::kind::{Class, Kind};

/// A value and what is shown of it.
type Shown = Vec<(String, Option<String>)>;

#[tokio::test]
async fn documents_and_arrays_are_total() {
    let server = Postgres::start();
    let all = columns();
    let edges: Vec<Edge> = all.iter().map(|(edge, ..)| edge.clone()).collect();
    let mut shop = Shop::open(&server, &edges).await;
    for (at, (edge, mask, shown)) in all.iter().enumerate() {
        let shown: BTreeMap<&String, &Option<String>> =
            shown.iter().map(|(value, shown)| (value, shown)).collect();
        let texts: Vec<Option<String>> =
            edge.rows().iter().map(|(value, _)| shown[value.as_ref()?].clone()).collect();
        let wanted = if edge.base == "json" {
            shop.typed("jsonb::text::json", &texts).await
        } else {
            shop.typed(edge.base, &texts).await
        };
        let sent = shop.guarded(at, "v", None, Cell::always(mask.clone()));
        for settings in SETTINGS {
            let told = format!("{mask:?} over {} under `{settings}`\n{sent}", edge.declared);
            let answer = shop.answer(&sent, settings, &told).await;
            assert_eq!(answer.ty, shop.types[at], "{told}");
            assert_eq!(answer.cells.len(), wanted.len(), "{told}");
            for ((given, wanted), (value, _)) in answer.cells.iter().zip(&wanted).zip(edge.rows()) {
                assert!(
                    given == wanted,
                    "{told}\n{:?}: {}",
                    value.map(short),
                    super::shown(&None, given, wanted)
                );
            }
        }
    }
    shop.heard_nothing();
}

/// Everything that masks are made of answers the same whatever is SET, by the server's own word.
#[tokio::test]
async fn masks_are_made_of_immutable_functions() {
    let server = Postgres::start();
    let all = columns();
    let mut edges: Vec<Edge> = all.iter().map(|(edge, ..)| edge.clone()).collect();
    let mut masks: Vec<Mask> = all.into_iter().map(|(_, mask, _)| mask).collect();
    for edge in super::edges::edges() {
        for (mask, _) in super::scale::masks(&edge) {
            edges.push(edge.clone());
            masks.push(mask);
        }
    }
    let mut shop = Shop::open(&server, &edges).await;
    for (at, mask) in masks.into_iter().enumerate() {
        let sent = shop.guarded(at, "v", None, Cell::always(mask));
        // Of two functions only an overload is stable: of moments with the session's time zone, which no mask calls.
        let called: Vec<String> = sent
            .split("pg_catalog.")
            .skip(1)
            .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
            .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()))
            .filter(|name| !["date_trunc", "timezone", "jsonb_agg", "generate_series"].contains(name))
            .map(|name| format!("'{name}'"))
            .collect();
        let asked = format!(
            "select 0, string_agg(proname, ' ') from pg_proc where provolatile <> 'i' and proname in ({})",
            if called.is_empty() { "''".to_owned() } else { called.join(", ") }
        );
        let answer = shop.answer(&asked, "", &asked).await;
        assert_eq!(answer.cells, [None], "{sent}");
    }
}

fn short(text: String) -> String {
    text.chars().take(80).collect()
}

fn columns() -> Vec<(Edge, Mask, Shown)> {
    let mut all = Vec::new();
    let mut column = |declared: &'static str, mask: Mask, shown: Shown| {
        let mut column = edge(declared, Kind::Jsonb, Class::Other, FieldType::Other(declared.into()), &[]);
        column.values = shown.iter().map(|(value, _)| value.clone()).collect();
        all.push((column, mask, shown));
    };
    column("jsonb", documents(), shown(DOCUMENTS));
    let mut texts = shown(DOCUMENTS);
    texts.extend(shown(TEXTS));
    texts.extend(large_texts());
    column("json", documents(), texts);
    column("jsonb", nested(), shown(NESTED));
    column("json", nested(), shown(NESTED));
    column("text[]", array(Mask::Partial { first: 1, last: 0, fill: '*' }), shown(TEXT_ARRAYS));
    column("char(4)[]", array(Mask::Shape), shown(CHAR_ARRAYS));
    column("varchar(3)[]", array(Mask::Email { domain_only: false }), shown(VARCHAR_ARRAYS));
    let bucket = |width, low, high| Mask::Bucket {
        width: Value::Int(width),
        low: Value::Int(low),
        high: Value::Int(high),
    };
    column("int4[]", array(bucket(10, 0, 100)), shown(INT_ARRAYS));
    column("timestamptz[]", array(Mask::DateTrunc(access::DateUnit::Month)), shown(MOMENT_ARRAYS));
    column("edge.mood[]", array(Mask::Nullify), shown(MOOD_ARRAYS));
    column("numeric(8,2)[]", array(Mask::Constant(Value::Numeric("1.5".into()))), shown(MONEY_ARRAYS));
    column("jsonb[]", array(nested()), shown(JSONB_ARRAYS));
    all
}

fn shown(texts: &[(&str, Option<&str>)]) -> Shown {
    texts.iter().map(|(value, shown)| ((*value).to_owned(), shown.map(str::to_owned))).collect()
}

fn array(element: Mask) -> Mask {
    Mask::Array(Box::new(element))
}

fn keys(keys: &[(&str, Inside)]) -> Document {
    Document(keys.iter().map(|(key, inside)| (Arc::from(*key), inside.clone())).collect())
}

/// `{$.a: {last: 1}, $.b: hide, $.n: bucket, $.k: constant, $."é ": nullify}`
fn documents() -> Mask {
    let numeric = |text: &str| Value::Numeric(text.into());
    let bucket = Mask::Bucket { width: numeric("10"), low: numeric("0"), high: numeric("100") };
    Mask::Json(keys(&[
        ("a", Inside::Masked(Mask::Partial { first: 0, last: 1, fill: '*' })),
        ("b", Inside::Hide),
        ("n", Inside::Masked(bucket)),
        ("k", Inside::Masked(Mask::Constant(Value::Text("\"x\\".into())))),
        ("é ", Inside::Masked(Mask::Nullify)),
    ]))
}

const DOCUMENTS: &[(&str, Option<&str>)] = &[
    ("null", Some("null")),
    ("{}", Some("{}")),
    ("[]", Some("[]")),
    ("\"abc\"", Some("\"abc\"")),
    ("12", Some("12")),
    (r#"{"x": {"a": "abc", "b": 1}}"#, Some(r#"{"x": {"a": "abc", "b": 1}}"#)),
    (r#"{"a": "abc", "b": {"c": [1]}, "z": 1.50}"#, Some(r#"{"a": "**c", "z": 1.50}"#)),
    (r#"{"a": 123, "b": null}"#, Some(r#"{"a": null}"#)),
    (
        r#"{"a": null, "n": null, "k": null, "é ": null}"#,
        Some(r#"{"a": null, "n": null, "k": null, "é ": null}"#),
    ),
    (r#"{"a": ["abc"], "n": {"n": 1}, "k": [1]}"#, Some(r#"{"a": null, "n": null, "k": null}"#)),
    (r#"{"a": "", "n": 25, "k": true}"#, Some(r#"{"a": "", "n": 20, "k": "\"x\\"}"#)),
    (r#"{"a": "\"\\", "n": -1e400, "k": 1e-300}"#, Some(r#"{"a": "*\\", "n": 0, "k": "\"x\\"}"#)),
    (r#"{"n": 1e900}"#, Some(r#"{"n": 100}"#)),
    (r#"{"n": "25", "é ": "x", "k": "y"}"#, Some(r#"{"n": null, "é ": null, "k": "\"x\\"}"#)),
    (r#"{"n": 99.999999999999999999}"#, Some(r#"{"n": 90}"#)),
    (r#"{"a": "\u00e9\ud83d\ude00"}"#, Some(r#"{"a": "*😀"}"#)),
    (
        r#"[{"a": "abc", "b": 1}, "abc", 7, null, [{"a": "abc"}], {"x": 1}]"#,
        Some(r#"[{"a": "**c"}, "abc", 7, null, null, {"x": 1}]"#),
    ),
];

/// What only a `json` can hold.
const TEXTS: &[(&str, Option<&str>)] = &[
    (r#"{"a": "\u0000"}"#, None),
    (r#"{"x": "\u0000", "b": 1}"#, None),
    (r#"{"x": "\\u0000", "b": 1}"#, Some(r#"{"x": "\\u0000"}"#)),
    (r#"{"x": "\\\u0000", "b": 1}"#, None),
    (r#"{"\u0000": 1}"#, None),
    (r#"{"x": "\ud83d"}"#, None),
    (r#"{"x": "\ude00\ud83d"}"#, None),
    (r#"{"x": "\ud83d\ud83d\ude00\ude00"}"#, None),
    (r#"{"x": "\uD83D\uDE00", "b": 1}"#, Some(r#"{"x": "😀"}"#)),
    (r#"{"b": 1, "b": 2, "a": "abc", "a": "xyz"}"#, Some(r#"{"a": "**z"}"#)),
    (r#"{"\u0062": 1, "x": 2}"#, Some(r#"{"x": 2}"#)),
    (r#"{"x": 1e1000}"#, None),
    (r#"{"x": 1E+001000}"#, None),
    (r#"{"x": 1e999999999999}"#, None),
    (r#"{"x": "1e999999 \" 1e999999", "b": 1}"#, Some(r#"{"x": "1e999999 \" 1e999999"}"#)),
    (" [1,  2] ", Some("[1, 2]")),
];

/// Long numbers, and nesting that is close to what the server can read.
fn large_texts() -> Shown {
    let deep =
        |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    let wide = format!("[{}{{\"b\":1}}]", "{\"b\":{\"c\":[1]}},".repeat(20_000));
    let wide_shown = format!("[{}{{}}]", "{},".repeat(20_000));
    vec![
        (format!("{{\"x\": {}}}", "9".repeat(140_000)), None),
        (format!("{{\"x\": 0.{}}}", "9".repeat(20_000)), None),
        (deep("[", "]", 12_500), None),
        (deep("{\"a\":", "}", 12_500), None),
        (deep("{\"b\":", "}", 1_000), Some("{}".to_owned())),
        (
            format!("{{\"x\": \"{}\", \"b\": 1}}", "[{".repeat(50_000)),
            Some(format!("{{\"x\": \"{}\"}}", "[{".repeat(50_000))),
        ),
        (wide, Some(wide_shown)),
        (
            format!("{{\"a\": \"{}c\"}}", "é".repeat(400_000)),
            Some(format!("{{\"a\": \"{}c\"}}", "*".repeat(400_000))),
        ),
    ]
}

/// `{$.a.b: shape, $.a.c.d: hide, $.e: nullify}`
fn nested() -> Mask {
    let deepest = keys(&[("d", Inside::Hide)]);
    let inner = keys(&[("b", Inside::Masked(Mask::Shape)), ("c", Inside::Document(deepest))]);
    Mask::Json(keys(&[("a", Inside::Document(inner)), ("e", Inside::Masked(Mask::Nullify))]))
}

const NESTED: &[(&str, Option<&str>)] = &[
    ("null", Some("null")),
    ("7", Some("7")),
    ("{}", Some("{}")),
    ("[]", Some("[]")),
    (r#"{"a": 1, "e": 2}"#, Some(r#"{"a": 1, "e": null}"#)),
    (r#"{"a": {"b": "Ab1", "c": {"d": 1, "x": 2}}}"#, Some(r#"{"a": {"b": "Xx0", "c": {"x": 2}}}"#)),
    (
        r#"{"a": [{"b": "q"}, {"c": [{"d": 1}, {"y": [1]}]}, 5, ["x"]]}"#,
        Some(r#"{"a": [{"b": "x"}, {"c": [{}, {"y": [1]}]}, 5, null]}"#),
    ),
    (r#"[{"a": {"b": {"b": 1}}}, {"e": [1]}, [1]]"#, Some(r#"[{"a": {"b": null}}, {"e": null}, null]"#)),
    (r#"{"a": [], "e": []}"#, Some(r#"{"a": [], "e": null}"#)),
];

const TEXT_ARRAYS: &[(&str, Option<&str>)] = &[
    ("{}", Some("{}")),
    ("{NULL}", Some("{NULL}")),
    ("{abc,NULL,\"\",x}", Some("{a**,NULL,\"\",*}")),
    ("{{ab,cd},{ef,NULL}}", Some("{{a*,c*},{e*,NULL}}")),
    ("{{{ab,cd}},{{ef,gh}}}", Some("{{{a*,c*}},{{e*,g*}}}")),
    ("{{{ab},{cd}},{{ef},{gh}},{{ij},{kl}}}", Some("{{{a*},{c*}},{{e*},{g*}},{{i*},{k*}}}")),
    ("[5:6]={ab,zz}", Some("[5:6]={a*,z*}")),
    ("[-2147483648:-2147483648]={ab}", Some("[-2147483648:-2147483648]={a*}")),
    ("[2147483646:2147483646]={ab}", Some("[2147483646:2147483646]={a*}")),
    ("[1:2][0:1]={{ab,cd},{ef,gh}}", Some("[1:2][0:1]={{a*,c*},{e*,g*}}")),
    ("[1:1][1:1][7:8]={{{ab,cd}}}", Some("[1:1][1:1][7:8]={{{a*,c*}}}")),
    ("[2:3][1:1]={{ab},{cd}}", None),
    ("{{{{ab}}}}", None),
    ("{\"NULL\",\"a\\\\b\",\"{,}\"}", Some("{N***,a**,\"{**\"}")),
];

const CHAR_ARRAYS: &[(&str, Option<&str>)] =
    &[("{Ab1}", Some("{Xx0}")), ("{\"a b\",NULL}", Some("{\"x x\",NULL}")), ("{}", Some("{}"))];

const VARCHAR_ARRAYS: &[(&str, Option<&str>)] =
    &[("{a@b,abc}", Some("{a**,***}")), ("{NULL}", Some("{NULL}"))];

const INT_ARRAYS: &[(&str, Option<&str>)] = &[
    ("{}", Some("{}")),
    ("{0,NULL,15,-5,2147483647,-2147483648}", Some("{0,NULL,10,0,100,0}")),
    ("{{11,22},{33,44}}", Some("{{10,20},{30,40}}")),
    ("[0:1]={11,22}", Some("[0:1]={10,20}")),
];

const MOMENT_ARRAYS: &[(&str, Option<&str>)] = &[
    ("{\"2024-08-31 23:30:00+00\",infinity,NULL}", Some("{\"2024-08-01 00:00:00+00\",infinity,NULL}")),
    ("{\"4714-11-24 00:00:00+00 BC\"}", Some("{NULL}")),
];

const MOOD_ARRAYS: &[(&str, Option<&str>)] = &[("{low,high}", Some("{NULL,NULL}")), ("{}", Some("{}"))];

const MONEY_ARRAYS: &[(&str, Option<&str>)] = &[("{2.25,NULL}", Some("{1.50,NULL}"))];

const JSONB_ARRAYS: &[(&str, Option<&str>)] =
    &[(r#"{"{\"e\": 1, \"x\": 2}",NULL}"#, Some(r#"{"{\"e\": null, \"x\": 2}",NULL}"#))];
