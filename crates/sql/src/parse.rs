//! Text to statements: the checks that come before Postgres's grammar, the grammar, and what kind each statement is.

use std::fmt;
use std::sync::Arc;

use access::{Refusal, RefusalKind};
use pg_raw_parse::{Node, Owned, StmtList, nodes};

use crate::depth::is_deeper_than;
use crate::stack::LEVELS_MAX;
use crate::statement::{Class, Statement, classify, query};
use crate::{copy, ffi, nesting, on_stack};

/// How large a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes.
    pub statement_bytes_max: usize,
    /// The deepest nesting of parentheses, brackets and CASE.
    pub nesting_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { statement_bytes_max: 1024 * 1024, nesting_max: 1000 }
    }
}

/// The statements of one text, each of a kind that is mediated.
pub struct Batch {
    text: Arc<str>,
    tree: Owned<StmtList>,
    /// What a statement is read as, where that is another than its own tree.
    read_as: Vec<Option<Owned<nodes::RawStmt>>>,
    classes: Vec<Class>,
}

impl Batch {
    /// How many statements there are; none in a text of blanks, comments and semicolons.
    #[must_use]
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is no statement at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The statements in their order.
    pub fn statements(&self) -> impl ExactSizeIterator<Item = Statement<'_>> {
        self.tree.iter().zip(&self.read_as).zip(&self.classes).map(|((raw, read_as), class)| {
            Statement::new(read_as.as_deref().unwrap_or(raw), source(&self.text, raw), class)
        })
    }

    /// Reads the first statement as this tree from now on.
    pub(crate) fn replace(&mut self, tree: Owned<nodes::RawStmt>) {
        if let Some(first) = self.read_as.first_mut() {
            *first = Some(tree);
        }
    }

    /// The query of the first statement, where that is one.
    pub(crate) fn first_query(&self) -> Option<&nodes::SelectStmt> {
        query(self.tree.first()?)
    }

    /// The statement at this place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Statement<'_>> {
        self.statements().nth(index)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("text", &self.text)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

/// Reads a text. One statement that is not mediated refuses the whole text.
///
/// # Errors
/// A text that is too long, too deep, holds a NUL, is no SQL, or has a statement of a kind that is not mediated.
pub fn parse(text: &str, limits: &Limits) -> Result<Batch, Refusal> {
    check_size(text, limits)?;
    on_stack(text.len(), || {
        let tree = read(text)?;
        check_depth(&tree)?;
        let classes = tree.iter().map(|raw| classify(raw, source(text, raw))).collect::<Result<_, _>>()?;
        let read_as = tree.iter().map(copy::of_query).collect();
        Ok(Batch { text: text.into(), tree, read_as, classes })
    })
}

fn check_size(text: &str, limits: &Limits) -> Result<(), Refusal> {
    let Limits { statement_bytes_max, nesting_max } = *limits;
    if text.len() > statement_bytes_max {
        let message = format!("statement is longer than {statement_bytes_max} bytes");
        return Err(Refusal::new(RefusalKind::TooComplex, message));
    }
    if text.contains('\0') {
        return Err(Refusal::new(RefusalKind::Encoding, "statement holds a NUL"));
    }
    if nesting::is_tangled(text) {
        let message = "statement has a run of operators, or comments in comments, without end";
        return Err(Refusal::new(RefusalKind::TooComplex, message));
    }
    if nesting::nesting(text) > nesting_max {
        let message = format!("statement nests deeper than {nesting_max} levels");
        return Err(Refusal::new(RefusalKind::TooComplex, message));
    }
    Ok(())
}

/// Only queries are deep; of other statements nothing is walked before their kind is known.
fn check_depth(tree: &StmtList) -> Result<(), Refusal> {
    let mut queries = tree.iter().filter_map(query);
    if queries.any(|query| is_deeper_than(LEVELS_MAX, Node::SelectStmt(query))) {
        let message = format!("statement nests deeper than {LEVELS_MAX} levels");
        return Err(Refusal::new(RefusalKind::TooComplex, message));
    }
    Ok(())
}

/// Postgres's own grammar, and in its own words what it does not accept.
pub(crate) fn read(text: &str) -> Result<Owned<StmtList>, Refusal> {
    pg_raw_parse::parse(text).map(pg_raw_parse::ParseResult::into_inner).map_err(|error| {
        let (message, character) = ffi::syntax_error(text).unwrap_or_else(|| (error.to_string(), None));
        // The grammar's own stack is full: the text may be SQL, but it is too deep.
        let too_deep = message.starts_with("memory exhausted");
        let kind = if too_deep { RefusalKind::TooComplex } else { RefusalKind::Syntax };
        let position = character.map(|nth| byte_of(text, nth));
        Refusal { position, ..Refusal::new(kind, message) }
    })
}

/// The offset of the nth character, counted from 1.
fn byte_of(text: &str, nth: usize) -> usize {
    text.char_indices().nth(nth.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
}

/// The part of the text that a statement was read from.
fn source<'t>(text: &'t str, raw: &nodes::RawStmt) -> &'t str {
    let start = usize::try_from(raw.stmt_location).unwrap_or(0);
    let end = match usize::try_from(raw.stmt_len) {
        Ok(len) if len > 0 => start.saturating_add(len),
        _ => text.len(),
    };
    text.get(start..end).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Refusal {
        parse(text, &Limits::default()).expect_err(text)
    }

    #[test]
    fn statements_know_their_source() {
        let batch = parse("select 1; /* ä */ select 'ö' ;; ", &Limits::default()).expect("two statements");
        let sources: Vec<_> = batch.statements().map(|statement| statement.source().to_owned()).collect();
        assert_eq!(sources, ["select 1", "select 'ö'"]);
    }

    #[test]
    fn a_text_may_hold_no_statement() {
        assert!(parse(" ; -- nothing\n ;", &Limits::default()).expect("empty").is_empty());
    }

    #[test]
    fn syntax_errors_are_the_servers_with_the_byte_they_start_at() {
        let refused = refusal("select 'ää' frm t where");
        assert_eq!(
            (refused.kind, refused.message.as_str()),
            (RefusalKind::Syntax, "syntax error at or near \"t\"")
        );
        assert_eq!(refused.position, Some("select 'ää' frm ".len()));
        let refused = refusal("select (");
        assert_eq!((refused.message.as_str(), refused.position), ("syntax error at end of input", Some(8)));
        let refused = refusal("select 'open");
        assert_eq!(
            (refused.message.as_str(), refused.position),
            ("unterminated quoted string at or near \"'open\"", Some(7))
        );
    }

    #[test]
    fn limits_hold_before_the_grammar_reads() {
        let limits = Limits { statement_bytes_max: 20, nesting_max: 2 };
        for (text, kind) in [
            ("select 1 + 1 + 1 + 1 + 1", RefusalKind::TooComplex),
            ("select (((1)))", RefusalKind::TooComplex),
            ("select '\0'", RefusalKind::Encoding),
        ] {
            assert_eq!(parse(text, &limits).expect_err(text).kind, kind, "{text}");
        }
        assert!(parse("select ((1))", &limits).is_ok());
    }

    #[test]
    fn the_grammars_own_limit_is_a_refusal() {
        let limits = Limits { nesting_max: usize::MAX, ..Limits::default() };
        let text = format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        assert_eq!(parse(&text, &limits).expect_err("too deep").kind, RefusalKind::TooComplex);
    }
}
