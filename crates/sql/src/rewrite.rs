//! Scope and guards to the statement that is sent: every relation stands inside its guard, every name is written with
//! its schema, and what could run over hidden rows is refused.

use std::collections::HashSet;

use access::{Guards, Refusal, RefusalKind};
use pg_raw_parse::make::try_owned;
use pg_raw_parse::transform::Transform;
use pg_raw_parse::{Node, nodes};

use crate::analyze::{Analyzer, Place};
use crate::edits::{Apply, Edit};
use crate::print::Rewritten;
use crate::range::Origin;
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
        let mut analyzer = Analyzer::new(scope.catalog, scope.session, guards);
        analyzer.select(select, Place::Top)?;
        let edits = analyzer.edits;
        patterns = analyzer.patterns;
        let mut apply = Apply { mem, edits: &edits, guards, catalog: scope.catalog, failed: None };
        apply.transform_raw_stmt(copy.as_mut());
        match apply.failed {
            Some(refusal) => Err(refusal),
            None => Ok(copy),
        }
    })?;
    Ok(Rewritten { tree, patterns })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no other statement has a query")]
fn query(raw: &nodes::RawStmt) -> Option<&nodes::SelectStmt> {
    match raw.stmt() {
        Node::SelectStmt(select) => Some(select),
        Node::ExplainStmt(explain) => <&nodes::SelectStmt>::try_from(explain.query()).ok(),
        _ => None,
    }
}

impl Analyzer<'_> {
    /// `SELECT c.id, c.email … GROUP BY c.id` works on a table by its primary key, and fails over a subquery: the other
    /// columns in use join GROUP BY where the whole key is grouped by and shown in clear. The key determines them, so
    /// that the groups stay the same. Never inside ROLLUP or grouping sets.
    pub(crate) fn group_by_key(&mut self, select: &nodes::SelectStmt, keys: &[Origin]) {
        let sets = select.group_clause().iter().any(|node| matches!(node, Node::GroupingSet(_)));
        let Some(Some(used)) = self.used.last().filter(|_| !sets) else { return };
        let mut added = HashSet::new();
        let mut paths = Vec::new();
        for using in used {
            let grouped = keys.contains(&using.origin);
            if grouped || !self.determines(keys, using.origin.mention) || !added.insert(using.path.clone()) {
                continue;
            }
            paths.push(using.path.clone());
        }
        if !paths.is_empty() {
            self.edits.add(select, Edit::GroupBy(paths));
        }
    }

    fn determines(&self, keys: &[Origin], mention: usize) -> bool {
        let Some(mentioned) = self.mentions.get(mention) else { return false };
        let Some(guard) = self.guards.relations.get(mentioned.guard) else { return false };
        let key = &mentioned.relation.primary_key;
        !key.is_empty()
            && key.iter().all(|name| {
                let clear = guard.columns.iter().any(|column| column.name == *name && column.cell.is_clear());
                clear && keys.iter().any(|origin| origin.mention == mention && origin.column == *name)
            })
    }
}

#[cfg(test)]
#[path = "tests/mediation.rs"]
pub(crate) mod tests;
