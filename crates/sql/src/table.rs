//! Rows that the gateway knows, as a statement that returns them: texts, whatever is in them.

use access::{Refusal, RefusalKind};

use crate::parse::{Limits, parse};
use crate::print::print_tree;

/// The longest of them.
const BYTES_MAX: usize = 64 << 20;

/// `SELECT … FROM (VALUES …)`: these rows of texts under these names, in their order.
///
/// # Errors
/// Texts that no statement can hold.
pub fn table<const N: usize>(columns: [&str; N], rows: &[[Option<String>; N]]) -> Result<String, Refusal> {
    let names: Vec<String> =
        columns.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let (list, first) = (names.join(", "), names.first().map_or("", String::as_str));
    // A first row of NULLs gives the columns their type, and is not returned.
    let mut lines = vec![format!("({})", ["NULL::pg_catalog.text"; N].join(", "))];
    for row in rows {
        let values: Vec<String> = row
            .iter()
            .map(|value| value.as_ref().map_or_else(|| "NULL".into(), |text| literal(text)))
            .collect();
        lines.push(format!("({})", values.join(", ")));
    }
    let text = format!(
        "SELECT {list} FROM (VALUES {}) AS told ({list}) WHERE {first} IS NOT NULL",
        lines.join(", ")
    );
    let batch = parse(&text, &Limits { statement_bytes_max: BYTES_MAX, ..Limits::default() })?;
    let statement =
        batch.get(0).ok_or_else(|| Refusal::new(RefusalKind::Unprintable, "there is no statement"))?;
    Ok(print_tree(&crate::forward::itself(statement.raw()))?.text().to_owned())
}

/// The gateway's sessions read a backslash in a plain string as a backslash.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        let row = |text: &str| [Some(text.to_owned()), None];
        let text = table(["a", "right"], &[row("it's"), row("'); DROP TABLE x; --"), row("\\'")]).unwrap();
        assert_eq!(
            text,
            "SELECT a, \"right\" FROM (VALUES (NULL::pg_catalog.text, NULL::pg_catalog.text), ('it''s', NULL), \
             ('''); DROP TABLE x; --', NULL), (E'\\\\''', NULL)) told(a, \"right\") WHERE a IS NOT NULL"
        );
        assert!(table(["a"], &[]).unwrap().starts_with("SELECT a FROM (VALUES (NULL::pg_catalog.text))"));
        assert!(table(["a"], &[[Some("\0".into())]]).is_err());
    }
}
