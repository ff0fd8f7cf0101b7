//! Every relation that a query names, nested ones too, with the server's own scoping of WITH.

#![expect(clippy::wildcard_enum_match_arm, reason = "other nodes are walked through")]

use std::ops::ControlFlow;

use access::{Refusal, RefusalKind};
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{Node, nodes};

/// Visits each mention of a relation, names of WITH left out, in the order of the walk.
///
/// # Errors
/// The first refusal of a visit, or a part of the query that writes or locks.
pub(crate) fn each_relation(
    select: &nodes::SelectStmt,
    visit: &mut dyn FnMut(&nodes::RangeVar) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    Walker { visit }.select(select, &Names { names: Vec::new(), outer: None })
}

/// The names of WITH that are in sight, innermost first.
struct Names<'n> {
    names: Vec<&'n str>,
    outer: Option<&'n Names<'n>>,
}

impl Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.contains(&name) || self.outer.is_some_and(|outer| outer.has(name))
    }
}

struct Walker<'a> {
    visit: &'a mut dyn FnMut(&nodes::RangeVar) -> Result<(), Refusal>,
}

impl Walker<'_> {
    fn node(&mut self, node: Node<'_>, names: &Names<'_>) -> Result<(), Refusal> {
        match node {
            Node::None => Ok(()),
            Node::SelectStmt(select) => self.select(select, names),
            Node::RangeVar(range) => self.mention(range, names),
            Node::InsertStmt(_) | Node::UpdateStmt(_) | Node::DeleteStmt(_) | Node::MergeStmt(_) => {
                Err(writes())
            }
            _ => self.children(node, names),
        }
    }

    fn children(&mut self, node: Node<'_>, names: &Names<'_>) -> Result<(), Refusal> {
        let stopped = walk_manual(node, |child| match child {
            Node::SelectStmt(_)
            | Node::RangeVar(_)
            | Node::InsertStmt(_)
            | Node::UpdateStmt(_)
            | Node::DeleteStmt(_)
            | Node::MergeStmt(_) => match self.node(child, names) {
                Ok(()) => Recurse::no(),
                Err(refusal) => ControlFlow::Break(refusal),
            },
            _ => Recurse::yes(),
        });
        stopped.map_or(Ok(()), Err)
    }

    fn select(&mut self, select: &nodes::SelectStmt, outer: &Names<'_>) -> Result<(), Refusal> {
        if !select.locking_clause().is_empty() {
            let message = "FOR UPDATE and FOR SHARE are not mediated by this version";
            return Err(Refusal::new(RefusalKind::Unsupported, message).hint("leave the locking clause out"));
        }
        if select.into_clause().is_some() {
            return Err(Refusal::new(
                RefusalKind::Unsupported,
                "SELECT INTO is not mediated by this version",
            ));
        }
        let mut names = Names { names: Vec::new(), outer: Some(outer) };
        if let Some(with) = select.with_clause() {
            if with.recursive {
                names.names = with.ctes().iter().filter_map(nodes::CommonTableExpr::ctename).collect();
            }
            for cte in with.ctes() {
                self.node(cte.ctequery(), &names)?;
                names.names.extend(cte.ctename());
            }
        }
        for list in [
            select.distinct_clause(),
            select.from_clause(),
            select.group_clause(),
            select.window_clause(),
            select.values_lists(),
        ] {
            for node in list {
                self.node(node, &names)?;
            }
        }
        for target in select.target_list() {
            self.node(target.val(), &names)?;
        }
        for sort in select.sort_clause() {
            self.node(sort.node(), &names)?;
        }
        for node in
            [select.where_clause(), select.having_clause(), select.limit_offset(), select.limit_count()]
        {
            self.node(node, &names)?;
        }
        for arm in [select.larg(), select.rarg()].into_iter().flatten() {
            self.select(arm, &names)?;
        }
        Ok(())
    }

    fn mention(&mut self, range: &nodes::RangeVar, names: &Names<'_>) -> Result<(), Refusal> {
        if range.schemaname().is_none() && names.has(range.relname().unwrap_or_default()) {
            return Ok(());
        }
        (self.visit)(range)
    }
}

fn writes() -> Refusal {
    Refusal::new(RefusalKind::Unsupported, "a statement in WITH that writes is not mediated by this version")
        .hint("through veilgate, data is read")
}
