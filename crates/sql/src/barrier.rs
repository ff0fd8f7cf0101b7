//! The barrier: an expression that can fail or tell does not run over rows that the caller may not see.
//!
//! Postgres pulls a guard up into the query around it and may run the query's own conditions before the guard's filter.
//! So each unsafe part of a condition (WHERE, ON, HAVING, an argument in FROM, the select list of an inner query) that
//! reads a filtered relation gets a gate (`gates.rs`), or is evaluated once before any row is read, or is refused by name.
//! Not at risk are the select list of the outermost query, GROUP BY, ORDER BY, and what stands inside an aggregate.

#![expect(clippy::wildcard_enum_match_arm, reason = "a node that is not named is an expression")]

use access::{Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes, raw};

use crate::analyze::Analyzer;
use crate::range::{Facts, Hazard, Site, take_in};

/// Checks the conditions of a WHERE or ON, one conjunct at a time: Postgres takes them apart at every AND. `owner` is the
/// clause's own node, where one more condition beside them would run before any row is read.
pub(crate) fn conditions(
    analyzer: &mut Analyzer<'_>,
    node: Node<'_>,
    owner: Option<usize>,
) -> Result<(), Refusal> {
    match node {
        Node::None => Ok(()),
        Node::BoolExpr(boolean) if boolean.boolop == raw::BoolExprType::AND_EXPR => {
            boolean.args().iter().try_for_each(|part| conditions(analyzer, part, owner))
        }
        _ => {
            let facts = analyzer.expression(node)?;
            // A condition that reads nothing is evaluated once, before the scan; unless it differs from row to row.
            let by_chance = facts.gates.is_empty() && facts.volatile;
            let gates = if by_chance { analyzer.in_sight() } else { facts.gates.clone() };
            analyzer.at_risk(&facts, &gates, owner.filter(|_| !by_chance))?;
            analyzer.note(&facts.hazards);
            Ok(())
        }
    }
}

/// Checks the conditions of a HAVING: what has no aggregate may be moved below the grouping, before the row filter.
pub(crate) fn having(analyzer: &mut Analyzer<'_>, node: Node<'_>) -> Result<(), Refusal> {
    let facts = analyzer.expression(node)?;
    if !analyzer.in_sight().is_empty() {
        analyzer.keep_above_grouping(&facts.hazards)?;
    }
    analyzer.note_nowhere(&facts.hazards);
    Ok(())
}

/// Sees to an expression that may run over all that it reads.
pub(crate) fn check(analyzer: &mut Analyzer<'_>, facts: &Facts) -> Result<(), Refusal> {
    let gates = facts.gates.clone();
    analyzer.at_risk(facts, &gates, None)?;
    analyzer.note(&facts.hazards);
    Ok(())
}

/// What is answered where no gate can stand.
pub(crate) fn refusal(hazard: &Hazard) -> Refusal {
    let message = format!("{} here could run on rows that are hidden from you", hazard.what);
    Refusal::new(RefusalKind::AtRisk, message)
        .hint("move it to the select list, GROUP BY or ORDER BY of the outermost query, or compare the column itself")
        .at(hazard.location)
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
pub(crate) fn index_order(analyzer: &mut Analyzer<'_>, operator: &str, facts: &Facts) -> Result<(), Refusal> {
    let is_distance = operator.len() > 2 && operator.starts_with('<') && operator.ends_with('>');
    if !is_distance {
        return Ok(());
    }
    let mut gates = facts.gates.clone();
    if facts.reads {
        gates.add_all(&analyzer.in_sight());
    }
    analyzer.at_risk(facts, &gates, None)
}

impl Analyzer<'_> {
    /// Remembers what can fail or tell in this query, for the conditions around it.
    pub(crate) fn note(&mut self, hazards: &[Hazard]) {
        if let Some(part) = self.parts.last_mut() {
            take_in(&mut part.hazards, hazards);
        }
    }

    /// The same where no gate can be set: the query as a whole gets it.
    pub(crate) fn note_nowhere(&mut self, hazards: &[Hazard]) {
        if let (Some(part), Some(first)) = (self.parts.last_mut(), hazards.first()) {
            take_in(&mut part.hazards, &[Hazard { site: Site::Nowhere, ..first.clone() }]);
        }
    }
}
