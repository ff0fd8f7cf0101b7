//! Whatever the grammar reads, the printer writes so that it reads back the same.

use std::collections::BTreeMap;

use super::generator::Generator;
use crate::print::print_tree;
use crate::{Limits, on_stack, parse};

/// Prints the statements of a text; the texts of those that are refused.
fn refused(text: &str) -> Option<usize> {
    on_stack(text.len() * 4, || {
        let batch = parse(text, &Limits::default()).ok()?;
        Some(batch.statements().filter(|statement| print_tree(statement.raw()).is_err()).count())
    })
}

#[test]
fn random_queries_are_printed_as_they_were_meant() {
    // For a long run: VEILGATE_QUERIES=1000000 cargo test --release -p sql random_queries
    let count: u64 =
        std::env::var("VEILGATE_QUERIES").ok().and_then(|count| count.parse().ok()).unwrap_or(3000);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for seed in 0..count {
        let depth = 1 + u32::try_from(seed % 4).unwrap();
        let text = Generator::new(seed).query(depth);
        let outcome = match refused(&text) {
            None => "not read",
            Some(0) => "printed",
            Some(_) => "refused",
        };
        *outcomes.entry(outcome).or_default() += 1;
        if outcome == "refused" {
            shown.push((seed, text));
        }
    }
    println!("{count} random queries: {outcomes:?}");
    shown.sort_by_key(|(_, text)| text.len());
    let first: Vec<_> = shown.iter().take(12).map(|(seed, text)| format!("seed {seed}: {text}")).collect();
    assert!(first.is_empty(), "{} refused, the shortest:\n{}", shown.len(), first.join("\n"));
    assert!(
        outcomes["printed"] * 10 > usize::try_from(count).unwrap() * 7,
        "the generator writes too much that is no SQL"
    );
}

#[test]
fn what_once_printed_otherwise() {
    for text in [
        "SELECT 1 FROM t WHERE (r OR s) IS NOT NULL AND region = 'EU'",
        "SELECT (a IS NOT NFKD NORMALIZED) IS NOT DOCUMENT",
        "SELECT 1 FROM XMLTABLE(('x') PASSING (pg_lsn '0/1') COLUMNS c int PATH (a || 'x') DEFAULT (b IS NULL)) x",
        "SELECT XMLEXISTS((-1) PASSING (interval '1' day))",
        "SELECT a LIKE (b IS NFC NORMALIZED), a SIMILAR TO (b || 'x') ESCAPE (c AND d)",
        "SELECT JSON_QUERY(a, (b IS NOT JSON OBJECT) WITHOUT WRAPPER)",
        "SELECT JSON_OBJECT(a : (b IS JSON) WITH UNIQUE KEYS)",
        "SELECT ((SELECT a) COLLATE \"C\").b, (a || b)[1], ((a.b).c).d, (-1)[1], (-1)::int, - (-1)",
        "SELECT 1 UNION (SELECT 2 UNION ALL SELECT 3 ORDER BY 1 LIMIT 1)",
        "SELECT a::pg_catalog.bpchar, a::pg_catalog.bpchar[], a::bpchar, a::char, a::char(3)",
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT (NOT a) IS TRUE",
        "SELECT 't'::pg_catalog.bool, 'f'::pg_catalog.bool, ('t')::bool, true::bool, 't'::text",
        "SELECT 0xFFFFFFFFFFFFFFFF, 0b11, 1_000, 1e400, $$'\\$$, U&'\\0041'",
    ] {
        assert_eq!(refused(text), Some(0), "{text}");
    }
}

/// The printer has no way to write these; none of them is in daily use.
#[test]
fn what_cannot_be_printed_is_refused() {
    for text in [
        "SELECT XMLPARSE(DOCUMENT a PRESERVE WHITESPACE)",
        "SELECT 1 FROM t, LATERAL JSON_TABLE(t.a, '$' COLUMNS (b int)) x",
        "SELECT a::pg_catalog.bpchar, 'pg_catalog.veilgate_bpchar'",
    ] {
        assert_eq!(refused(text), Some(1), "{text}");
    }
}
