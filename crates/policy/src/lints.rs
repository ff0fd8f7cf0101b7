//! What is no error but worth a look: where an absent attribute decides, and where two allows meet in one cell.

use access::{Action, Comparison};

use crate::Diagnostic;
use crate::bind::{class_line, own_line};
use crate::expr::{self, Expr, ExprKind, TermKind};
use crate::mask::Written;
use crate::policy::{Block, ClassLine, Expression, Lookup, Policy, Rule, RuleKind, ShowLine};

impl Policy {
    /// Every rule in which an absent attribute can decide, and every two allows that can meet in one cell with different
    /// masks. Neither is wrong: unknown counts against the caller, and the more revealing mask holds.
    #[must_use]
    pub fn lints(&self) -> Vec<Diagnostic> {
        let mut told = Vec::new();
        for rule in &self.rules {
            self.absent_attributes(rule, &rule.to, "whether it applies", &mut told);
            if let Some(rows) = &rule.rows {
                self.absent_attributes(rule, rows, "which rows it admits", &mut told);
            }
        }
        for lookup in &self.lookups {
            self.absent_in_lookup(lookup, &mut told);
        }
        for block in &self.blocks {
            self.meeting_allows(block, &mut told);
        }
        told.sort_by(|one, other| one.order().cmp(&other.order()));
        told
    }

    fn absent_attributes(&self, rule: &Rule, of: &Expression, what: &str, told: &mut Vec<Diagnostic>) {
        let mut seen = Vec::new();
        for (name, span) in expr::attributes(&of.expr) {
            if seen.contains(&name) || !self.schema.get(name).is_some_and(|slot| slot.optional) {
                continue;
            }
            seen.push(name);
            let message =
                format!("{} `{}`: an absent `caller.{name}` decides {what}", rule.kind.word(), rule.name);
            let help = match rule.kind {
                RuleKind::Allow => "a comparison with it is unknown, and only what is true allows",
                RuleKind::Restrict | RuleKind::Deny => {
                    "a comparison with it is unknown, and counts against the caller"
                }
            };
            told.push(of.place(span).warning(message).help(help));
        }
    }

    fn absent_in_lookup(&self, lookup: &Lookup, told: &mut Vec<Diagnostic>) {
        let Some(filter) = &lookup.filter else { return };
        for (name, span) in expr::attributes(&filter.expr) {
            if self.schema.get(name).is_some_and(|slot| slot.optional) {
                let message = format!(
                    "lookup `{}`: an absent `caller.{name}` decides which rows it takes",
                    lookup.name
                );
                let help = "a row of which it is unknown is not taken, and counts as taken for `not in`";
                told.push(filter.place(span).warning(message).help(help));
            }
        }
    }

    fn meeting_allows(&self, block: &Block, told: &mut Vec<Diagnostic>) {
        let reads = |rule: &Rule| rule.kind == RuleKind::Allow && rule.actions.contains(&Action::Read);
        let covering: Vec<&Rule> = self
            .rules
            .iter()
            .map(|rule| &**rule)
            .filter(|rule| reads(rule) && rule.covers(&block.data))
            .collect();
        for (at, one) in covering.iter().enumerate() {
            for other in covering.iter().skip(at + 1).filter(|other| !disjoint(&one.to.expr, &other.to.expr))
            {
                let differing = self.differing(block, one, other);
                if differing.is_empty() {
                    continue;
                }
                let message = format!(
                    "the allows `{}` and `{}` can meet in one row of `{}` and show differently: {}",
                    one.name,
                    other.name,
                    block.data,
                    differing.join(", ")
                );
                told.push(other.place.warning(message).help("a cell shows the more revealing of them"));
            }
        }
    }

    fn differing(&self, block: &Block, one: &Rule, other: &Rule) -> Vec<String> {
        let mut differing = Vec::new();
        for (name, line) in &block.fields {
            let shown = |rule| self.shown(own_line(rule, name, &line.class.name), &line.class);
            differing.extend(different(&format!("`{name}`"), shown(one), shown(other)));
            for (path, class) in &line.paths {
                let shown = |rule| self.shown(class_line(rule, &class.name), class);
                differing.extend(different(&format!("`{path}` in `{name}`"), shown(one), shown(other)));
            }
        }
        differing
    }

    /// What an allow shows of a class, as it is written.
    fn shown<'a>(&'a self, own: Option<&'a ShowLine>, class: &ClassLine) -> Option<&'a Written> {
        own.map(|own| &own.mask).or_else(|| self.masks.of(&class.name).map(|(mask, _)| mask))
    }
}

fn different(what: &str, left: Option<&Written>, right: Option<&Written>) -> Option<String> {
    let (left, right) = (left?, right?);
    (left != right).then(|| format!("{what} ({left} or {right})"))
}

/// Whether two conditions can never hold for one caller: they ask one attribute for different texts.
fn disjoint(one: &Expr, other: &Expr) -> bool {
    let (one, other) = (asked_for(one), asked_for(other));
    one.iter().any(|(name, text)| other.iter().any(|(same, different)| name == same && text != different))
}

/// The texts that a condition asks attributes for, in every case.
fn asked_for(expr: &Expr) -> Vec<(&str, &str)> {
    let arms =
        if let ExprKind::And(arms) = &expr.kind { arms.as_slice() } else { std::slice::from_ref(expr) };
    let mut asked = Vec::new();
    for arm in arms {
        let ExprKind::Compare(Comparison::Equal, left, right) = &arm.kind else { continue };
        if let (TermKind::Caller(name), TermKind::Text(text))
        | (TermKind::Text(text), TermKind::Caller(name)) = (&left.kind, &right.kind)
        {
            asked.push((name.as_str(), text.as_str()));
        }
    }
    asked
}
