//! Scope and guards to the statement that is sent: every relation stands inside its guard, every name is written with
//! its schema, and what could run over hidden rows is refused.

use std::collections::{HashMap, HashSet};

use access::{Guards, Refusal, RefusalKind};
use pg_raw_parse::make::try_owned;
use pg_raw_parse::transform::Transform;
use pg_raw_parse::{Node, nodes};

use crate::added;
use crate::analyze::{Analyzer, Place};
use crate::depth::is_deeper_than;
use crate::edits::Apply;
use crate::gates::any_present;
use crate::hidden::Hidden;
use crate::on_stack;
use crate::print::Rewritten;
use crate::scope::Scope;
use crate::stack::LEVELS_MAX;
use crate::statement::query;
use crate::versions;
use crate::views_closed::Shown;
use crate::views_open::{self, Narrow, Openings};

/// Rewrites a statement that reads.
///
/// # Errors
/// A column that does not exist for this caller, a call that is not on the list, an expression that could run over
/// hidden rows, a form that is not mediated.
pub fn rewrite(scope: &Scope<'_>, guards: &Guards) -> Result<Rewritten, Refusal> {
    let text_len = scope.text_len();
    on_stack(text_len, || rewrite_on_stack(scope, guards, text_len))
}

fn rewrite_on_stack(scope: &Scope<'_>, guards: &Guards, text_len: usize) -> Result<Rewritten, Refusal> {
    added::check_store(scope.catalog)?;
    let version = scope.catalog.server_version;
    let asked = query(scope.statement.raw()).map(Node::SelectStmt);
    let numbers = asked.map_or(Ok(false), |query| versions::check(query, version))?;
    let mut patterns = Vec::new();
    let declared = scope.session.parameters.len();
    let hidden = Hidden::of(guards, scope.statement.raw(), declared)?;
    let tree = try_owned(|mem| {
        let mut copy = mem.make_unique(scope.statement.raw());
        if numbers {
            versions::in_decimal(mem, copy.as_mut());
        }
        let openings = views_open::open(mem, scope, guards, &mut copy, query)?;
        let Some(select) = query(copy.as_ref()) else {
            return Err(Refusal::new(RefusalKind::Unsupported, "this statement reads nothing"));
        };
        check_depth(&openings, select)?;
        let mut analyzer = Analyzer::new(scope.catalog, scope.session, guards)?;
        analyzer.check_parameters()?;
        analyzer.views.openings = openings;
        analyzer.repeated = repeated(select);
        analyzer.select(select, Place::Top)?;
        analyzer.check_gates(scope.statement.source())?;
        patterns.clone_from(&analyzer.patterns);
        let gates = std::mem::take(&mut analyzer.gates);
        let Analyzer { edits, mentions, admits, insides, views, .. } = &analyzer;
        let mut apply = Apply {
            mem,
            edits,
            guards,
            mentions,
            catalog: scope.catalog,
            hidden: &hidden,
            admits,
            insides,
            gates,
            ahead: HashMap::new(),
            names: HashMap::new(),
            changed: HashSet::new(),
            failed: None,
        };
        apply.transform_raw_stmt(copy.as_mut());
        if let Some(refusal) = apply.failed {
            return Err(refusal);
        }
        if !apply.gates.all_stand() || !apply.ahead.is_empty() {
            let message = "a part of this statement that can fail stands where it could run on hidden rows";
            return Err(Refusal::new(RefusalKind::AtRisk, message));
        }
        if !views.shown.is_empty() {
            let shown = |shown: &Shown| {
                let passed = shown.admit.filter(|admit| any_present(admits, insides, &[*admit]));
                let passed = passed.and_then(|admit| admits.get(usize::try_from(admit).ok()?));
                shown.columns.iter().chain(passed.map(|admit| &admit.name)).cloned().collect()
            };
            let shown = views.shown.iter().map(|(place, view)| (*place, shown(view))).collect();
            Narrow { mem, shown: &shown }.transform_raw_stmt(copy.as_mut());
        }
        Ok(copy)
    })?;
    let hidden = hidden.used_by(&tree)?;
    Ok(Rewritten { tree, patterns, hidden, text_len })
}

/// Views that were opened make a statement deeper than its text was.
fn check_depth(openings: &Openings, select: &nodes::SelectStmt) -> Result<(), Refusal> {
    if openings.bytes > 0 && is_deeper_than(LEVELS_MAX, Node::SelectStmt(select)) {
        let message =
            format!("statement nests deeper than {LEVELS_MAX} levels, with the views that it names");
        return Err(Refusal::new(RefusalKind::TooComplex, message));
    }
    Ok(())
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

#[cfg(test)]
#[path = "tests/mediation.rs"]
pub(crate) mod tests;
