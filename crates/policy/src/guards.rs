//! Caller and touches to guards: which rows, which fields, and what each cell shows.

use std::sync::Arc;

use access::{
    Action, Attribute, Branch, Caller, CatalogSet, Cell, Entry, Field, FieldType, Guard, GuardedColumn,
    Guards, InCatalog, Mask, Predicate, Refusal, RefusalKind, RelationName, Request, Touch, Value, Via,
    Visible, is_catalogue,
};

use crate::bind::{Allow, Applies, Bound, Cap, Relation, Restrict};
use crate::expr::{self, Typed, logic};
use crate::mask;
use crate::policy::{Because, Piece};

impl Bound {
    /// The guards of a request.
    ///
    /// # Errors
    /// A relation does not exist for anybody, a deny matches, or no rule allows what is done.
    pub fn guards(
        &self,
        store: &str,
        caller: &Caller,
        request: &Request,
        touches: &[Touch],
    ) -> Result<Guards, Refusal> {
        let asked = Asked { caller, request };
        let known = self.known(store, touches)?;
        if let Some(deny) = first_deny(&known, &asked) {
            return Err(denied(&deny.rule.name, deny.rule.because.as_ref(), caller));
        }
        let mut guards = Guards::default();
        if touches.iter().any(|touch| is_catalogue(&touch.relation.schema)) {
            guards.visible = Some(self.visible(store, &asked));
        }
        for (touch, relation) in known {
            if matches!(touch.via, Via::Below(_)) {
                continue;
            }
            let decision = relation.decide(touch, &asked)?;
            guards.rules.extend(decision.rules().cloned());
            if touch.action == Action::Read {
                let mut guard = decision.guard();
                if let Some(visible) = &guards.visible {
                    fill(&mut guard, visible);
                    count_checks(&mut guard, visible);
                }
                guards.relations.push(guard);
            }
        }
        guards.rules.sort_unstable();
        guards.rules.dedup();
        guards.relations.sort_by(|one, other| one.relation.cmp(&other.relation));
        guards.relations.dedup_by(|one, other| one.relation == other.relation);
        if self.has_purpose {
            mask::for_purpose(&mut guards, caller);
        }
        Ok(guards)
    }

    /// What the policy says of this relation itself.
    #[must_use]
    pub fn entry(&self, store: &str, relation: &RelationName) -> Entry {
        if self.stores.get(store).is_some_and(|relations| relations.contains_key(relation)) {
            Entry::Governed
        } else if self.closed.get(store).is_some_and(|closed| closed.contains(relation)) {
            Entry::Closed
        } else {
            Entry::None
        }
    }

    /// The governed relations among what is touched. Below a view that has rules of its own a relation needs none; but
    /// one that is closed may have a deny that could not be read.
    pub(crate) fn known<'a>(
        &'a self,
        store: &str,
        touches: &'a [Touch],
    ) -> Result<Vec<(&'a Touch, &'a Relation)>, Refusal> {
        let mut known = Vec::with_capacity(touches.len());
        for touch in touches {
            let relation = self.stores.get(store).and_then(|relations| relations.get(&touch.relation));
            match (relation, &touch.via) {
                (Some(relation), _) => known.push((touch, relation)),
                (None, Via::Below(_)) if self.entry(store, &touch.relation) == Entry::None => {}
                (None, _) => return Err(missing(touch)),
            }
        }
        Ok(known)
    }
}

/// A relation that is not governed, or closed, looks like one that is not there.
fn missing(touch: &Touch) -> Refusal {
    let message = format!("relation \"{}\" does not exist", named(touch).name);
    Refusal::new(RefusalKind::UnknownRelation, message)
}

/// What the caller named: of what stands below a view nothing but the view is told.
fn named(touch: &Touch) -> &RelationName {
    match &touch.via {
        Via::Named => &touch.relation,
        Via::Opened(view) | Via::Below(view) => view,
    }
}

/// Puts in the keys of what this caller may learn of the catalogue.
fn fill(guard: &mut Guard, visible: &Visible) {
    let branches = guard.columns.iter_mut().flat_map(|column| &mut column.cell.branches);
    let mut todo: Vec<&mut Predicate> = branches.map(|branch| &mut branch.when).collect();
    todo.extend(&mut guard.rows);
    while let Some(predicate) = todo.pop() {
        match predicate {
            Predicate::InCatalog(membership) => membership.keys = Some(visible.keys(membership.set)),
            Predicate::Not(inner) => todo.push(inner),
            Predicate::And(parts) | Predicate::Or(parts) => todo.extend(parts),
            Predicate::Known(_)
            | Predicate::Field(_)
            | Predicate::Compare(..)
            | Predicate::In(..)
            | Predicate::IsNull(_)
            | Predicate::StartsWith(..)
            | Predicate::HasAny(..)
            | Predicate::InLookup(..) => {}
        }
    }
}

/// `relchecks` of `pg_class` counts those CHECKs that the caller may know of: tools look for them only where there is any.
fn count_checks(guard: &mut Guard, visible: &Visible) {
    if guard.relation != RelationName::new("pg_catalog", "pg_class") {
        return;
    }
    let listed = |set, keys: &Arc<str>| {
        let oid = Field { name: "oid".into(), ty: FieldType::Other("oid".into()) };
        Predicate::InCatalog(InCatalog { fields: vec![oid], set, keys: Some(Arc::clone(keys)) })
    };
    for column in guard.columns.iter_mut().filter(|column| &*column.name == "relchecks") {
        // What the server itself made is in each set, and so comes first.
        let own = Branch { when: listed(CatalogSet::BuiltIn, &"{}".into()), mask: Mask::Clear };
        let counted = visible.checks.iter().map(|(count, relations)| Branch {
            when: listed(CatalogSet::Relations, relations),
            mask: Mask::Constant(Value::Int(*count)),
        });
        column.cell = Cell {
            branches: std::iter::once(own).chain(counted).collect(),
            otherwise: Mask::Constant(Value::Int(0)),
        };
    }
}

/// Rows of an allow that admits none.
const NO_ROWS: Predicate = Predicate::Known(Some(false));

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a Request,
}

impl Asked<'_> {
    pub(crate) fn truth(&self, to: &Typed) -> Option<bool> {
        expr::truth(to, self.caller, self.request)
    }

    /// The rows that a rule admits: only where its condition is true.
    pub(crate) fn rows(&self, rows: Option<&Typed>) -> Predicate {
        match rows {
            Some(rows) => logic::admits(expr::fold(rows, self.caller, self.request)),
            None => Predicate::Known(Some(true)),
        }
    }
}

/// The first matching deny by name, so that the answer does not depend on the order of anything.
fn first_deny<'a>(known: &[(&Touch, &'a Relation)], asked: &Asked<'_>) -> Option<&'a Applies> {
    let matching = known.iter().flat_map(|(touch, relation)| {
        let matches = |deny: &&Applies| deny.covers(touch.action) && asked.truth(&deny.to) != Some(false);
        relation.denies.iter().find(matches)
    });
    matching.min_by(|one, other| one.rule.name.cmp(&other.rule.name))
}

fn denied(rule: &Arc<str>, because: Option<&Because>, caller: &Caller) -> Refusal {
    let message = match because {
        Some(because) => format!("`{rule}`: {}", reason(because, caller)),
        None => format!("`{rule}` denies this"),
    };
    Refusal::new(RefusalKind::Denied, message)
        .hint(format!("the rule `{rule}` of the policy says no"))
        .rule(rule.clone())
}

fn reason(because: &Because, caller: &Caller) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Attribute(name) if **name == *"id" => caller.id.to_string(),
        Piece::Attribute(name) => match caller.attributes.get(name) {
            Some(Attribute::One(value)) => value.to_string(),
            Some(Attribute::Set(values)) => {
                values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            None => "(none)".to_owned(),
        },
    };
    because.0.iter().map(piece).collect()
}

/// What applies to one relation and action for one caller.
pub(crate) struct Decision<'a> {
    relation: &'a Relation,
    /// The allows that apply, each with the rows that it admits.
    allows: Vec<(&'a Allow, Predicate)>,
    restricts: Vec<(&'a Restrict, Predicate)>,
    /// Restricts of children, and what they leave of the rows.
    children: Vec<(Vec<&'a Restrict>, Predicate)>,
}

impl Relation {
    /// Whether a rule denies this caller to read it.
    pub(crate) fn denies(&self, asked: &Asked<'_>) -> bool {
        let matches = |deny: &Applies| deny.covers(Action::Read) && asked.truth(&deny.to) != Some(false);
        self.denies.iter().any(matches)
    }

    pub(crate) fn decide(&self, touch: &Touch, asked: &Asked<'_>) -> Result<Decision<'_>, Refusal> {
        let action = touch.action;
        let mut allows = Vec::with_capacity(self.allows.len());
        for allow in self.allows.iter().filter(|allow| allow.applies.covers(action)) {
            if asked.truth(&allow.applies.to) == Some(true) {
                allows.push((allow, asked.rows(allow.rows.as_ref())));
            }
        }
        if allows.is_empty() {
            let name = named(touch);
            return Err(Refusal::new(
                RefusalKind::Denied,
                format!("no rule allows you to {action} `{name}`"),
            )
            .hint(match &touch.via {
                Via::Named => {
                    format!("ask for an `allow` rule of the policy with `do: {action}` on `{name}`")
                }
                Via::Opened(_) | Via::Below(_) => {
                    format!(
                        "ask for an `allow` rule of the policy with `do: {action}` on all that `{name}` reads"
                    )
                }
            }));
        }
        let mut restricts = Vec::with_capacity(self.restricts.len());
        for restrict in self.restricts.iter().filter(|restrict| restrict.applies.covers(action)) {
            if asked.truth(&restrict.applies.to) != Some(false) {
                restricts.push((restrict, asked.rows(restrict.rows.as_ref())));
            }
        }
        let children = self.children.iter().map(|child| {
            let restricts: Vec<_> = child.matching(action, asked).collect();
            (restricts, child.rows(action, asked))
        });
        let children = children.filter(|(restricts, _)| !restricts.is_empty()).collect();
        Ok(Decision { relation: self, allows, restricts, children })
    }
}

impl<'a> Decision<'a> {
    pub(crate) fn rules(&self) -> impl Iterator<Item = &'a Arc<str>> {
        let allows = self.allows.iter().map(|(allow, _)| &allow.applies.rule.name);
        let children = self.children.iter().flat_map(|(restricts, _)| restricts.iter().copied());
        let restricts = self.restricts.iter().map(|(restrict, _)| *restrict).chain(children);
        allows.chain(restricts.map(|restrict| &restrict.applies.rule.name))
    }

    pub(crate) fn guard(&self) -> Guard {
        let fields = self.relation.fields.iter().enumerate();
        let columns =
            fields.filter_map(|(at, name)| Some(GuardedColumn { name: name.clone(), cell: self.cell(at)? }));
        Guard { relation: self.relation.name.clone(), rows: self.rows(), columns: columns.collect() }
    }

    /// A row is there where any allow admits it and every restrict does.
    fn rows(&self) -> Option<Predicate> {
        let any = logic::or(self.allows.iter().map(|(_, rows)| rows.clone()));
        let children = self.children.iter().map(|(_, rows)| rows.clone());
        let every = self.restricts.iter().map(|(_, rows)| rows.clone()).chain(children);
        let rows = logic::and(std::iter::once(any).chain(every));
        (rows != Predicate::Known(Some(true))).then_some(rows)
    }

    /// What a field shows; none where it does not exist for this caller.
    fn cell(&self, field: usize) -> Option<Cell> {
        let caps = self.caps(field)?;
        let mut shown: Vec<(Mask, Predicate)> = Vec::with_capacity(self.allows.len());
        // Where each row that is there is admitted by an allow that shows the field, no cell is empty.
        let mut everywhere = true;
        for (allow, rows) in &self.allows {
            match allow.shows.get(field)? {
                Some(mask) => shown.push((mask::capped(mask, &caps), rows.clone())),
                None => everywhere &= *rows == NO_ROWS,
            }
        }
        let (first, rest) = shown.split_first()?;
        // Most cells: one allow, or several that show the same.
        if everywhere && first.1 != NO_ROWS && rest.iter().all(|(mask, _)| *mask == first.0) {
            return Some(Cell::always(first.0.clone()));
        }
        Some(cell(together(shown), everywhere))
    }

    /// Every cap of every matching restrict; none where one of them hides the field.
    fn caps(&self, field: usize) -> Option<Vec<&'a Mask>> {
        let mut caps = Vec::new();
        for (restrict, _) in &self.restricts {
            match restrict.caps.get(field)? {
                Cap::Hidden => return None,
                Cap::AtMost(masks) => caps.extend(masks),
            }
        }
        Some(caps)
    }
}

/// What the allows show, and, where two of them show different paths of a document, what they show together in the rows
/// that both admit.
fn together(shown: Vec<(Mask, Predicate)>) -> Vec<(Mask, Predicate)> {
    let meets = |one: &Mask, other: &Mask| {
        let joined = mask::joined(one, other);
        (joined != *one && joined != *other).then_some(joined)
    };
    if !shown.iter().any(|(one, _)| shown.iter().any(|(other, _)| meets(one, other).is_some())) {
        return shown;
    }
    let mut alone = Vec::with_capacity(shown.len());
    shown.into_iter().for_each(|(mask, rows)| add(&mut alone, mask, rows));
    let mut all: Vec<(Mask, Predicate)> = Vec::new();
    for (mask, rows) in alone {
        let meeting: Vec<_> = all
            .iter()
            .filter_map(|(other, also)| {
                Some((meets(&mask, other)?, logic::and([rows.clone(), also.clone()])))
            })
            .collect();
        add(&mut all, mask, rows);
        meeting.into_iter().for_each(|(mask, rows)| add(&mut all, mask, rows));
    }
    all
}

/// One entry for each mask.
fn add(all: &mut Vec<(Mask, Predicate)>, mask: Mask, rows: Predicate) {
    match all.iter_mut().find(|(other, _)| *other == mask) {
        Some((_, before)) => *before = logic::or([before.clone(), rows]),
        None => all.push((mask, rows)),
    }
}

/// The fewest branches that give each row the most revealing mask of the allows that admit it.
fn cell(mut shown: Vec<(Mask, Predicate)>, everywhere: bool) -> Cell {
    shown.sort_by(|(one, _), (other, _)| mask::order(one, other));
    let mut branches: Vec<Branch> = Vec::new();
    let mut seen: Vec<Predicate> = Vec::new();
    for (mask, rows) in shown {
        // Rows that a more revealing allow admits already are not asked for again.
        if rows == NO_ROWS || seen.contains(&rows) {
            continue;
        }
        seen.push(rows.clone());
        match branches.last_mut() {
            Some(last) if last.mask == mask => {
                let before = std::mem::replace(&mut last.when, Predicate::Known(None));
                last.when = logic::or([before, rows]);
            }
            _ => branches.push(Branch { when: rows, mask }),
        }
    }
    let all = branches.iter().position(|branch| branch.when == Predicate::Known(Some(true)));
    if let Some(all) = all {
        branches.truncate(all + 1);
    }
    let covers_the_rest =
        all.is_some() || everywhere || branches.last().is_some_and(|b| b.mask == Mask::Nullify);
    let otherwise = if covers_the_rest { branches.pop().map(|branch| branch.mask) } else { None };
    Cell { branches, otherwise: otherwise.unwrap_or(Mask::Nullify) }
}
