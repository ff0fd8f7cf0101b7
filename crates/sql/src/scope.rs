//! Statement to touches: every relation that the statement reads, nested ones too.
//!
//! Names are read here with the server's own scoping of WITH alone; columns come later, when it is decided what this
//! caller may see (`rewrite.rs`).

#![expect(clippy::wildcard_enum_match_arm, reason = "other nodes are walked through")]

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use access::{Action, Catalog, Refusal, RefusalKind, RelationName, Touch};
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{Node, nodes};

use crate::names::{self, Session};
use crate::statement::{Kind, Statement};

/// A statement and what it touches: ready to be decided.
#[derive(Debug)]
pub struct Scope<'a> {
    pub(crate) statement: &'a Statement<'a>,
    pub(crate) catalog: &'a Catalog,
    pub(crate) session: Session<'a>,
    touches: Vec<Touch>,
    mentions: Vec<Mention>,
}

/// One mention of a relation, in the order of the walk.
#[derive(Debug)]
struct Mention {
    /// The relation whose policy decides; none where there is no such relation.
    governing: Option<RelationName>,
    /// What is answered where it is not there for this caller.
    missing: Refusal,
}

impl Scope<'_> {
    /// What the statement touches, each once, in the order of names.
    #[must_use]
    pub fn touches(&self) -> &[Touch] {
        &self.touches
    }

    /// The refusal of the first relation that does not exist, or is not `known` to the policy: the two answer alike, in
    /// the same order, so that nobody learns which of them it was.
    #[must_use]
    pub fn missing(&self, known: impl Fn(&RelationName) -> bool) -> Option<Refusal> {
        let gone = |mention: &&Mention| !mention.governing.as_ref().is_some_and(&known);
        self.mentions.iter().find(gone).map(|mention| mention.missing.clone())
    }
}

/// Finds what a statement touches.
///
/// # Errors
/// What reads or writes in a way that is not mediated. A relation that does not exist is none: see [`Scope::missing`].
pub fn scope<'a>(
    statement: &'a Statement<'a>,
    catalog: &'a Catalog,
    session: Session<'a>,
) -> Result<Scope<'a>, Refusal> {
    let mut finder = Finder { catalog, session: &session, touches: BTreeSet::new(), mentions: Vec::new() };
    if let Some(select) = statement.select() {
        finder.select(select, &Names { names: Vec::new(), outer: None })?;
    }
    let Finder { mut touches, mentions, .. } = finder;
    if statement.kind() == Kind::Explain {
        let explained: Vec<_> =
            touches.iter().map(|touch| Touch { action: Action::Explain, ..touch.clone() }).collect();
        touches.extend(explained);
    }
    Ok(Scope { statement, catalog, session, touches: touches.into_iter().collect(), mentions })
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

struct Finder<'a> {
    catalog: &'a Catalog,
    session: &'a Session<'a>,
    touches: BTreeSet<Touch>,
    mentions: Vec<Mention>,
}

impl Finder<'_> {
    fn visit(&mut self, node: Node<'_>, names: &Names<'_>) -> Result<(), Refusal> {
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
            | Node::MergeStmt(_) => match self.visit(child, names) {
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
                self.visit(cte.ctequery(), &names)?;
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
                self.visit(node, &names)?;
            }
        }
        for target in select.target_list() {
            self.visit(target.val(), &names)?;
        }
        for sort in select.sort_clause() {
            self.visit(sort.node(), &names)?;
        }
        for node in
            [select.where_clause(), select.having_clause(), select.limit_offset(), select.limit_count()]
        {
            self.visit(node, &names)?;
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
        let missing = names::missing(range);
        let relation = match names::relation(range, self.catalog, self.session) {
            Ok(relation) => names::governing(relation, self.catalog),
            Err(refusal) if refusal == missing => None,
            Err(refusal) => return Err(refusal),
        };
        let governing = relation.map(|relation| relation.name.clone());
        if let Some(relation) = &governing {
            self.touches.insert(Touch { relation: relation.clone(), action: Action::Read });
        }
        self.mentions.push(Mention { governing, missing });
        Ok(())
    }
}

fn writes() -> Refusal {
    Refusal::new(RefusalKind::Unsupported, "a statement in WITH that writes is not mediated by this version")
        .hint("through veilgate, data is read")
}
