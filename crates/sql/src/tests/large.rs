//! Deep and long statements end in an answer, never in an abort.

use std::time::{Duration, Instant};

use access::RefusalKind;

use crate::print::print_tree;
use crate::rewrite::tests::mediate;
use crate::{Limits, on_stack, parse};

/// Takes a text through parse and print in a thread as small as a runtime's, with nesting counted or not. An abort ends
/// the test run; a refusal is an answer.
fn answer(text: String, nesting_max: usize) -> Result<(), RefusalKind> {
    let through = move || {
        let limits = Limits { nesting_max, ..Limits::default() };
        on_stack(text.len(), || {
            let batch = parse(&text, &limits).map_err(|refusal| refusal.kind)?;
            for statement in batch.statements() {
                print_tree(statement.raw()).map_err(|refusal| refusal.kind)?;
            }
            Ok(())
        })
    };
    let started = Instant::now();
    let answer =
        std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(through).unwrap().join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(20), "the cost is not linear");
    answer
}

/// The same through all stages.
fn mediated(text: String) -> Result<(), RefusalKind> {
    let through = move || on_stack(text.len(), || mediate(&text).map(drop).map_err(|refusal| refusal.kind));
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(through).unwrap().join().unwrap()
}

/// `first`, then `link` so many times.
fn chain(first: &str, link: &str, count: usize) -> String {
    format!("SELECT {first}{}", link.repeat(count))
}

fn nest(open: &str, inner: &str, close: &str, count: usize) -> String {
    format!("SELECT {}{inner}{}", open.repeat(count), close.repeat(count))
}

#[test]
fn long_chains_pass() {
    for (first, link) in [
        ("a = 1", " OR a = 1"),
        ("a = 1", " AND a = 1"),
        ("1", "::int"),
        ("a", " COLLATE \"C\""),
        ("a", ", a"),
        ("1", " UNION ALL SELECT 1"),
        ("1 FROM t", " CROSS JOIN t"),
        ("a IN (1", ", 1"),
    ] {
        let closing = if first.ends_with("(1") { ")" } else { "" };
        assert_eq!(answer(chain(first, link, 9000) + closing, 1000), Ok(()), "{link}");
    }
}

/// The printer writes these chains with parentheses, of which the grammar takes 10,000 within one another.
#[test]
fn chains_that_print_as_nests_pass_or_are_refused() {
    for link in [" || a", "+a", " AT LOCAL", " IS NULL"] {
        assert_eq!(answer(chain("a", link, 1000), 1000), Ok(()), "{link}");
        let long = answer(chain("a", link, 9000), 1000);
        assert!(
            matches!(long, Ok(()) | Err(RefusalKind::Unprintable | RefusalKind::TooComplex)),
            "{link}: {long:?}"
        );
    }
}

#[test]
fn the_longest_chains_are_answered() {
    for link in ["+1", "::int", "[1]", ".a", " OR 1", " ISNULL", "=1", "||$1"] {
        let text = chain("(1)", link, 1_000_000 / link.len());
        let long = answer(text, 1000);
        assert!(
            matches!(
                long,
                Ok(()) | Err(RefusalKind::Unprintable | RefusalKind::Syntax | RefusalKind::TooComplex)
            ),
            "{link}: {long:?}"
        );
    }
}

#[test]
fn deep_nests_are_refused_before_they_are_read() {
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("ARRAY[", "1", "]"),
        ("(SELECT ", "1", ")"),
        ("f(", "1", ")"),
        ("CASE WHEN ", "a", " THEN 1 END"),
        ("CASE ", "a", " WHEN 1 THEN 1 END"),
        ("a[", "1", "]"),
    ] {
        assert_eq!(answer(nest(open, inner, close, 10_000), 1000), Err(RefusalKind::TooComplex), "{open}");
        assert_eq!(answer(nest(open, inner, close, 400), 1000), Ok(()), "{open}");
        // The same with only the grammar's own limit, and the stack, to stop it.
        let unlimited = answer(nest(open, inner, close, 10_000), usize::MAX);
        assert!(
            matches!(unlimited, Ok(()) | Err(RefusalKind::TooComplex | RefusalKind::Unprintable)),
            "{open}: {unlimited:?}"
        );
    }
}

#[test]
fn prefix_operators_are_answered() {
    for open in ["NOT ", "- ", "+ ", "@ "] {
        let deep = answer(nest(open, "a", "", 9000), 1000);
        assert!(
            matches!(deep, Ok(()) | Err(RefusalKind::Unprintable | RefusalKind::TooComplex)),
            "{open}: {deep:?}"
        );
        assert_eq!(answer(nest(open, "a", "", 500), 1000), Ok(()), "{open}");
    }
}

#[test]
fn all_stages_answer() {
    let from = " FROM customers";
    for text in [
        chain("1", "+1", 30_000),
        chain("id", "+id", 3000) + from,
        chain("1", "::int", 30_000),
        chain("id", "::int", 9000) + from,
        chain("id = 1", " OR id = 1", 9000) + from,
        chain("id", ", id", 9000) + from,
        chain("email", " || email", 3000) + from,
        chain("id FROM customers", " UNION ALL SELECT id FROM customers", 1000),
        chain("c.id FROM customers c", " JOIN customers USING (id)", 200),
        chain("1", " UNION ALL SELECT 1", 9000),
        chain("1 FROM (SELECT 1) a", " CROSS JOIN (SELECT 1) a", 3000),
        chain("c.id FROM customers c", ", customers", 200),
        nest("(", "id", ")", 990) + from,
        nest("ARRAY[", "id", "]", 990) + from,
        nest("(SELECT ", "id FROM customers", ")", 900),
        nest("CASE WHEN ", "id = 1", " THEN true END", 900) + from,
        nest("NOT ", "id = 1", "", 5000) + from,
        nest("- ", "id", "", 5000) + from,
        format!("SELECT * FROM {}customers{}", "(SELECT * FROM ".repeat(300), ") x".repeat(300)),
        format!(
            "WITH {} SELECT * FROM customers",
            (0..900).map(|n| format!("a{n} AS (TABLE customers)")).collect::<Vec<_>>().join(", ")
        ),
    ] {
        let started = Instant::now();
        let outcome = mediated(text.clone());
        let start: String = text.chars().take(60).collect();
        println!("{:>6} ms {outcome:?} {} bytes {start}", started.elapsed().as_millis(), text.len());
        let answered = matches!(
            outcome,
            Ok(()) | Err(RefusalKind::TooComplex | RefusalKind::Unprintable | RefusalKind::AtRisk)
        );
        assert!(answered, "{start}: {outcome:?}");
    }
}
