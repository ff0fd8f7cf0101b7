//! The barrier: an expression that can fail or tell does not run over rows that the caller may not see.
//!
//! Postgres pulls a guard up into the query around it and may run the query's own conditions before the guard's filter.
//! So a condition (WHERE, ON, HAVING, an argument in FROM, the select list of an inner query) that reads a relation with
//! a row filter passes only where every part of it is on the list of what is safe. Everything else is refused by name.
//! Not at risk are the select list of the outermost query, GROUP BY, ORDER BY, and what stands inside an aggregate.

#![expect(clippy::wildcard_enum_match_arm, reason = "a node that is not named is an expression")]

use access::{Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes, raw};

use crate::analyze::Analyzer;
use crate::range::Facts;

/// Functions that differ from call to call: beside a filtered relation nothing unsafe may hang on them.
const VOLATILE: [&str; 6] =
    ["random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "statement_timestamp"];

/// Checks the conditions of a WHERE, ON or HAVING, one conjunct at a time: Postgres takes them apart at every AND.
pub(crate) fn conditions(analyzer: &mut Analyzer<'_>, node: Node<'_>) -> Result<(), Refusal> {
    match node {
        Node::None => Ok(()),
        Node::BoolExpr(boolean) if boolean.boolop == raw::BoolExprType::AND_EXPR => {
            boolean.args().iter().try_for_each(|part| conditions(analyzer, part))
        }
        _ => {
            let facts = analyzer.expression(node)?;
            check(analyzer, &facts)?;
            by_chance(analyzer, node, &facts)
        }
    }
}

/// Refuses what can fail or tell over a filtered relation.
pub(crate) fn check(analyzer: &Analyzer<'_>, facts: &Facts) -> Result<(), Refusal> {
    let (Some(filtered), Some(hazard)) = (facts.filtered, &facts.hazard) else { return Ok(()) };
    let relation =
        analyzer.guards.relations.get(filtered).map_or_else(String::new, |g| g.relation.to_string());
    let message = format!("{} here could run on rows of {relation} that are hidden from you", hazard.what);
    Err(Refusal::new(RefusalKind::AtRisk, message)
        .hint("move it to the select list, GROUP BY or ORDER BY of the outermost query, or compare the column itself")
        .at(hazard.location))
}

/// A condition that reads nothing is evaluated once, before the scan; unless it differs from row to row.
fn by_chance(analyzer: &Analyzer<'_>, node: Node<'_>, facts: &Facts) -> Result<(), Refusal> {
    let Some(hazard) = facts.hazard.as_ref().filter(|_| !facts.reads) else { return Ok(()) };
    let mut by_chance = false;
    pg_raw_parse::walk::walk(node, |node| {
        if let Node::FuncCall(call) = node {
            let mut names = call.funcname().iter().filter_map(Node::as_str);
            by_chance |= names.any(|name| VOLATILE.contains(&name));
        }
    });
    if by_chance && analyzer.guards.relations.iter().any(|guard| guard.rows.is_some()) {
        let message = format!("{} here hangs on chance, beside rows that are hidden from you", hazard.what);
        return Err(Refusal::new(RefusalKind::AtRisk, message).at(hazard.location));
    }
    Ok(())
}

/// `ORDER BY x USING op`: only the built-in order, either way.
pub(crate) fn sort_operator(sort: &nodes::SortBy) -> Result<(), Refusal> {
    let names: Vec<&str> = sort.use_op().iter().filter_map(Node::as_str).collect();
    match names.as_slice() {
        [] | ["<" | ">"] | ["pg_catalog", "<" | ">"] => Ok(()),
        _ => {
            let message = format!("ORDER BY … USING {} is not on the list of calls", names.join("."));
            Err(Refusal::new(RefusalKind::UnlistedCall, message).at(sort.location))
        }
    }
}

/// A distance (`a <-> b`) is computed by the index scan where it orders rows, in ORDER BY, by the place or the name of an
/// output column, or in a window: before the filter.
pub(crate) fn index_order(analyzer: &Analyzer<'_>, operator: &str, facts: &Facts) -> Result<(), Refusal> {
    let is_distance = operator.len() > 2 && operator.starts_with('<') && operator.ends_with('>');
    if is_distance { check(analyzer, facts) } else { Ok(()) }
}
