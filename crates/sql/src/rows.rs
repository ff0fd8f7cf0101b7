//! How many rows a query may give, and how many columns.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not a constant is not counted")]

use access::{Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes, raw};

use crate::lists::{CallKind, Lists};
use crate::range::Seen;

/// Whether a select list may give more rows than it is given: by a window function, or one that returns a set.
pub(crate) fn gives_rows(select: &nodes::SelectStmt, lists: &'static Lists) -> bool {
    let mut found = !select.window_clause().is_empty();
    for target in select.target_list().iter().filter(|target| !matches!(target.val(), Node::None)) {
        pg_raw_parse::walk::walk(target.val(), |node| {
            if let Node::FuncCall(call) = node {
                let name = call.funcname().iter().filter_map(Node::as_str).next_back().unwrap_or_default();
                let overloads = lists.functions(name);
                let sets = overloads.iter().any(|overload| overload.kind == CallKind::SetReturning);
                found |= call.over().is_some() || sets || overloads.is_empty();
            }
        });
    }
    found
}

/// The most columns of a select list or a join, as in Postgres.
const COLUMNS_MAX: usize = 1664;

/// Refuses what doubles its columns at every level before it costs memory.
pub(crate) fn check_width(columns: &[Seen]) -> Result<(), Refusal> {
    if columns.len() <= COLUMNS_MAX {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::TooComplex, format!("a query can have at most {COLUMNS_MAX} columns")))
}

/// Whether a LIMIT or OFFSET is a constant that cannot fail: none, NULL, or a number from 0 on.
pub(crate) fn is_count(node: Node<'_>) -> bool {
    match node {
        Node::None => true,
        Node::A_Const(constant) => {
            let count = constant.val().and_then(|value| value.numeric_value::<i64>());
            constant.isnull || count.is_some_and(|count| count >= 0)
        }
        _ => false,
    }
}

/// Whether a LIMIT is the constant 0 or 1, and not one WITH TIES.
pub(crate) fn is_one(select: &nodes::SelectStmt) -> bool {
    let Node::A_Const(constant) = select.limit_count() else { return false };
    if select.limit_option != raw::LimitOption::LIMIT_OPTION_COUNT {
        return false;
    }
    constant
        .val()
        .and_then(|value| value.numeric_value::<i64>())
        .is_some_and(|limit| (0..=1).contains(&limit))
}
