//! Scope and guards to the statement that is sent: every relation stands inside its guard, every name is written with
//! its schema, and what could run over hidden rows is refused.

use std::collections::HashSet;

use access::{Guards, Refusal, RefusalKind};
use pg_raw_parse::make::try_owned;
use pg_raw_parse::transform::Transform;
use pg_raw_parse::{Node, nodes};

use crate::analyze::{Analyzer, Place};
use crate::edits::Apply;
use crate::print::Rewritten;
use crate::scope::Scope;

/// Rewrites a statement that reads.
///
/// # Errors
/// A column that does not exist for this caller, a call that is not on the list, an expression that could run over
/// hidden rows, a form that is not mediated.
pub fn rewrite(scope: &Scope<'_>, guards: &Guards) -> Result<Rewritten, Refusal> {
    let mut patterns = Vec::new();
    let tree = try_owned(|mem| {
        let mut copy = mem.make_unique(scope.statement.raw());
        let Some(select) = query(copy.as_ref()) else {
            return Err(Refusal::new(RefusalKind::Unsupported, "this statement reads nothing"));
        };
        let mut analyzer = Analyzer::new(scope.catalog, scope.session, guards)?;
        analyzer.check_parameters()?;
        analyzer.repeated = repeated(select);
        analyzer.select(select, Place::Top)?;
        let Analyzer { edits, mentions, .. } = &analyzer;
        patterns.clone_from(&analyzer.patterns);
        let mut apply = Apply { mem, edits, mentions, guards, catalog: scope.catalog, failed: None };
        apply.transform_raw_stmt(copy.as_mut());
        match apply.failed {
            Some(refusal) => Err(refusal),
            None => Ok(copy),
        }
    })?;
    Ok(Rewritten { tree, patterns })
}

/// The parameters that stand at several places.
fn repeated(select: &nodes::SelectStmt) -> HashSet<i32> {
    let (mut once, mut again) = (HashSet::new(), HashSet::new());
    pg_raw_parse::walk::walk(Node::SelectStmt(select), |node| {
        if let Node::ParamRef(parameter) = node
            && !once.insert(parameter.number)
        {
            again.insert(parameter.number);
        }
    });
    again
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other statement has a query")]
fn query(raw: &nodes::RawStmt) -> Option<&nodes::SelectStmt> {
    match raw.stmt() {
        Node::SelectStmt(select) => Some(select),
        Node::ExplainStmt(explain) => <&nodes::SelectStmt>::try_from(explain.query()).ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests/mediation.rs"]
pub(crate) mod tests;
