//! Why a decision is as it is: the rules that applied or not, and what is left of each relation.

use std::fmt;
use std::sync::Arc;

use access::{Action, Caller, Guard, Refusal, RelationName, Request, Touch};

use crate::bind::{Applies, Bound, Relation};
use crate::expr;
use crate::guards::Asked;
use crate::mask;
use crate::policy::{Rule, RuleKind};

/// A decision with its reasons. It is for the owner of a policy: it names rules, conditions and attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One a touch, in their order.
    pub relations: Vec<ExplainedRelation>,
    /// The no, where it is one.
    pub refusal: Option<Refusal>,
}

/// What was decided about one touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRelation {
    /// The relation.
    pub relation: RelationName,
    /// What is done to it.
    pub action: Action,
    /// Whether the policy governs it at all.
    pub governed: bool,
    /// Every rule that covers the relation and the action, by name.
    pub rules: Vec<ExplainedRule>,
    /// What is left of it; none where it is refused, or not read.
    pub guard: Option<Guard>,
}

/// One rule, and whether it applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRule {
    /// Its name.
    pub name: Arc<str>,
    /// `allow`, `restrict` or `deny`.
    pub kind: &'static str,
    /// Whether it applied.
    pub applies: bool,
    /// Why, in a few words.
    pub why: String,
    /// The rows that it admits for this caller; none where it says nothing of rows, or does not apply.
    pub rows: Option<String>,
}

impl Bound {
    /// The decision about a request, with its reasons.
    #[must_use]
    pub fn explain(&self, store: &str, caller: &Caller, request: &Request, touches: &[Touch]) -> Explanation {
        let decided = self.guards(store, caller, request, touches);
        let asked = Asked { caller, request };
        let relation = |touch: &Touch| {
            let relation = self.stores.get(store).and_then(|relations| relations.get(&touch.relation));
            let guards = decided.as_ref().ok().filter(|_| touch.action == Action::Read);
            ExplainedRelation {
                relation: touch.relation.clone(),
                action: touch.action,
                governed: relation.is_some(),
                rules: relation.map(|relation| rules(relation, touch.action, &asked)).unwrap_or_default(),
                guard: guards.and_then(|guards| guards.of(&touch.relation)).cloned(),
            }
        };
        Explanation {
            relations: touches.iter().map(relation).collect(),
            refusal: decided.as_ref().err().cloned(),
        }
    }
}

fn rules(relation: &Relation, action: Action, asked: &Asked<'_>) -> Vec<ExplainedRule> {
    let allows = relation.allows.iter().map(|allow| (&allow.applies, allow.rows.as_ref()));
    let children = relation.children.iter().flat_map(|child| &child.restricts);
    let restricts =
        relation.restricts.iter().chain(children).map(|restrict| (&restrict.applies, restrict.rows.as_ref()));
    let denies = relation.denies.iter().map(|deny| (deny, None));
    let covering = allows.chain(restricts).chain(denies).filter(|(applies, _)| applies.covers(action));
    let mut rules: Vec<_> = covering
        .map(|(applies, rows)| {
            let (does, why) = applies.explain(asked);
            let rows = rows.filter(|_| does).map(|rows| expr::show(&asked.rows(Some(rows))));
            let Rule { name, kind, .. } = &*applies.rule;
            ExplainedRule { name: name.clone(), kind: kind.word(), applies: does, why, rows }
        })
        .collect();
    rules.sort_by(|one, other| one.name.cmp(&other.name));
    rules
}

impl Applies {
    fn explain(&self, asked: &Asked<'_>) -> (bool, String) {
        let truth = asked.truth(&self.to);
        let applies = match self.rule.kind {
            RuleKind::Allow => truth == Some(true),
            RuleKind::Restrict | RuleKind::Deny => truth != Some(false),
        };
        let why = match truth {
            Some(true) => "`to` is true".to_owned(),
            Some(false) => "`to` is false".to_owned(),
            None => format!("`to` is unknown: absent {}", absent(&self.rule, asked.caller)),
        };
        (applies, why)
    }
}

/// The attributes that a rule's `to` names and the caller lacks.
fn absent(rule: &Rule, caller: &Caller) -> String {
    let named = expr::attributes(&rule.to.expr);
    let lacking = named.iter().filter(|(name, _)| *name != "id" && !caller.attributes.contains_key(*name));
    let mut names: Vec<String> = lacking.map(|(name, _)| format!("`caller.{name}`")).collect();
    names.dedup();
    names.join(", ")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for relation in &self.relations {
            write!(f, "{relation}")?;
        }
        match &self.refusal {
            Some(refusal) => writeln!(f, "refused: {refusal}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ExplainedRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.action, self.relation)?;
        if !self.governed {
            writeln!(f, "  no entry under `data:`, or closed: it does not exist for anybody")?;
        }
        for rule in &self.rules {
            let sign = if rule.applies { '+' } else { '-' };
            write!(f, "  {sign} {} {}: {}", rule.kind, rule.name, rule.why)?;
            match &rule.rows {
                Some(rows) => writeln!(f, "; rows: {rows}")?,
                None => writeln!(f)?,
            }
        }
        let Some(guard) = &self.guard else { return Ok(()) };
        let rows = guard.rows.as_ref().map_or_else(|| "all".to_owned(), expr::show);
        writeln!(f, "  rows: {rows}")?;
        for column in &guard.columns {
            write!(f, "  {}: ", access::quote(&column.name))?;
            for branch in &column.cell.branches {
                write!(f, "{} where {}, else ", mask::show(&branch.mask), expr::show(&branch.when))?;
            }
            writeln!(f, "{}", mask::show(&column.cell.otherwise))?;
        }
        Ok(())
    }
}
