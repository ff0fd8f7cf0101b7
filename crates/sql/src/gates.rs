//! Gates: `CASE WHEN <admit> IS NOT FALSE THEN <expression> END` around what can fail or tell.
//!
//! `admit` is one more column of a guard, `(<filter>) IS TRUE`, present only where a gate needs it. The gate travels with
//! its expression wherever the planner moves it, and Postgres keeps the order of a CASE. Through a subquery `admit` is
//! passed up as one more column; where none can be, the subquery is fenced by `OFFSET 0`, which keeps conditions out.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Refusal, RefusalKind};

use crate::analyze::Analyzer;
use crate::barrier;
use crate::range::{AdmitId, Facts, Gates, Hazard, Site};

/// What every name of an `admit` starts with. No caller can write one where a gate stands.
pub(crate) const ADMIT_PREFIX: &str = "veilgate admit";

/// What admits the rows of one item of FROM.
#[derive(Debug)]
pub(crate) struct Admit {
    /// The column's name, unlike any other in the statement.
    pub(crate) name: Arc<str>,
    pub(crate) source: Source,
    /// Whether a gate needs it, so that it is a column of its item.
    pub(crate) wanted: bool,
}

/// Where an `admit` comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// From the guard of this mention of a relation.
    Guard(usize),
    /// From this query.
    Body(BodyId),
}

/// A query, counted over the statement.
pub(crate) type BodyId = usize;

/// How a query lets its surroundings know that a row is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// By one more column, made of what admits the rows of its FROM.
    Column,
    /// By one more column that counts the rows of its group: what reads it stays above the grouping.
    Count,
    /// By one more column of both arms of UNION ALL.
    Arms(BodyId, BodyId),
    /// Not at all: it is fenced.
    Fence,
}

/// What is known of a query, and what is wanted of it.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) passing: Passing,
    /// What admits the rows of its FROM.
    pub(crate) admits: Vec<AdmitId>,
    /// The name of the column that passes it on, where one is wanted.
    pub(crate) admit: Option<Arc<str>>,
    /// Whether it is fenced.
    pub(crate) fenced: bool,
}

/// What stands around a node.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// The columns that must not be false.
    pub(crate) admits: Vec<Arc<str>>,
    /// Whether it is kept above the grouping by a count.
    pub(crate) counted: bool,
}

/// All gates of a statement, by the place of the node.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    /// Around nodes.
    pub(crate) nodes: HashMap<usize, Gate>,
    /// Around the arguments of calls that give rows.
    pub(crate) arguments: HashMap<usize, Gate>,
    /// Nodes that are evaluated once, ahead, by one more condition beside those of this owner.
    pub(crate) once: HashMap<usize, usize>,
}

impl Placed {
    pub(crate) fn any(&self) -> bool {
        !self.nodes.is_empty() || !self.arguments.is_empty()
    }

    /// Whether every gate has been set.
    pub(crate) fn all_stand(&self) -> bool {
        !self.any() && self.once.is_empty()
    }

    /// Whether one more condition is to stand beside those of this owner.
    pub(crate) fn has_once(&self, owner: usize) -> bool {
        self.once.values().any(|known| *known == owner)
    }
}

impl Analyzer<'_> {
    /// One more item of FROM whose rows are filtered.
    pub(crate) fn new_admit(&mut self, source: Source) -> AdmitId {
        let at = self.admits.len();
        let name = format!("{ADMIT_PREFIX} {at}").into();
        self.admits.push(Admit { name, source, wanted: false });
        let id = AdmitId::try_from(at).unwrap_or(Gates::OWN - 1);
        if let Some(owner) = self.owners.last_mut() {
            owner.push(id);
        }
        id
    }

    /// One more query, of which nothing is wanted yet.
    pub(crate) fn new_inside(&mut self, passing: Passing, admits: Vec<AdmitId>) -> BodyId {
        self.insides.push(Inside { passing, admits, admit: None, fenced: false });
        self.insides.len() - 1
    }

    /// What admits the rows of the innermost level.
    pub(crate) fn in_sight(&self) -> Gates {
        self.levels.0.last().map(|level| level.sight.admits.iter().copied().collect()).unwrap_or_default()
    }

    /// The name of the column that says whether a row is admitted; none where a fence does what a gate would.
    fn want(&mut self, id: AdmitId) -> Option<Arc<str>> {
        let at = usize::try_from(id).ok()?;
        let admit = self.admits.get(at)?;
        let (name, source) = (admit.name.clone(), admit.source);
        let passed = match source {
            Source::Guard(mention) => {
                self.mentions.get_mut(mention)?.admit = Some(name.clone());
                true
            }
            Source::Body(body) => self.want_from(body, &name),
        };
        self.admits.get_mut(at)?.wanted |= passed;
        passed.then_some(name)
    }

    /// Whether this query passes it up under this name; otherwise it is fenced.
    fn want_from(&mut self, body: BodyId, name: &Arc<str>) -> bool {
        let Some(inside) = self.insides.get_mut(body) else { return false };
        match inside.passing {
            Passing::Fence => {
                inside.fenced = true;
                return false;
            }
            _ if inside.admit.is_some() => return true,
            Passing::Column | Passing::Count | Passing::Arms(..) => inside.admit = Some(name.clone()),
        }
        let (passing, admits) = (inside.passing, inside.admits.clone());
        match passing {
            Passing::Column => {
                for admit in admits {
                    self.want(admit);
                }
            }
            Passing::Arms(left, right) => {
                self.want_from(left, name);
                self.want_from(right, name);
            }
            Passing::Count | Passing::Fence => {}
        }
        true
    }

    /// Keeps conditions out of a query.
    pub(crate) fn fence(&mut self, body: BodyId) {
        if let Some(inside) = self.insides.get_mut(body) {
            inside.fenced = true;
        }
    }

    /// Sees to every part of an expression that can fail or tell, where the planner may run it on rows before `gates`
    /// have admitted them. `owner` is the clause that it is a condition of, where one more can stand beside it.
    pub(crate) fn at_risk(
        &mut self,
        facts: &Facts,
        gates: &Gates,
        owner: Option<usize>,
    ) -> Result<(), Refusal> {
        if gates.is_empty() {
            return Ok(());
        }
        for hazard in &facts.hazards {
            if gates.has_any(&[Gates::OWN]) {
                return Err(barrier::refusal(hazard));
            }
            if hazard.covered.has_all(gates) {
                continue;
            }
            match (hazard.site, owner) {
                (Site::Node(place), Some(owner)) if hazard.free => {
                    self.gates.once.insert(place, owner);
                }
                (Site::Node(place), _) => {
                    let names = self.want_all(gates);
                    if !names.is_empty() {
                        extend(&mut self.gates.nodes.entry(place).or_default().admits, names);
                    }
                }
                (Site::Arguments(place), _) => {
                    let names = self.want_all(gates);
                    if !names.is_empty() {
                        extend(&mut self.gates.arguments.entry(place).or_default().admits, names);
                    }
                }
                (Site::Nowhere, _) => return Err(barrier::refusal(hazard)),
            }
        }
        Ok(())
    }

    fn want_all(&mut self, gates: &Gates) -> Vec<Arc<str>> {
        gates.iter().filter_map(|admit| self.want(admit)).collect()
    }

    /// A condition of HAVING that could be moved below the grouping stays above it.
    pub(crate) fn keep_above_grouping(&mut self, hazards: &[Hazard]) -> Result<(), Refusal> {
        for hazard in hazards.iter().filter(|hazard| !hazard.aggregated) {
            match hazard.site {
                Site::Node(place) => self.gates.nodes.entry(place).or_default().counted = true,
                Site::Arguments(_) | Site::Nowhere => return Err(barrier::refusal(hazard)),
            }
        }
        Ok(())
    }

    /// Refuses a form that cannot be written where one of these is wanted. It is looked at when all are known.
    pub(crate) fn block(&mut self, admits: &[AdmitId], refusal: Refusal) {
        if !admits.is_empty() {
            self.blocked.push((admits.to_vec(), refusal));
        }
    }

    /// What was blocked and is wanted after all; and names of a client that could be taken for those of gates.
    pub(crate) fn check_gates(&self, text: &str) -> Result<(), Refusal> {
        for (admits, refusal) in &self.blocked {
            if any_present(&self.admits, &self.insides, admits) {
                return Err(refusal.clone());
            }
        }
        let lower = text.to_ascii_lowercase();
        if self.gates.any() && (lower.contains(ADMIT_PREFIX) || lower.contains("u&\"")) {
            let message = format!(
                "names like \"{ADMIT_PREFIX}\" and names written as U&\"…\" cannot stand in this statement"
            );
            return Err(Refusal::new(RefusalKind::Unsupported, message));
        }
        Ok(())
    }
}

/// Whether one of these is a column of its item. One that is wanted through one mention of a name of WITH is a column of
/// every mention.
pub(crate) fn any_present(known: &[Admit], insides: &[Inside], admits: &[AdmitId]) -> bool {
    let known = |id: &AdmitId| usize::try_from(*id).ok().and_then(|at| known.get(at));
    admits.iter().filter_map(known).any(|admit| match admit.source {
        Source::Guard(_) => admit.wanted,
        Source::Body(body) => insides.get(body).is_some_and(|inside| inside.admit.is_some()),
    })
}

fn extend(admits: &mut Vec<Arc<str>>, names: Vec<Arc<str>>) {
    for name in names {
        if !admits.contains(&name) {
            admits.push(name);
        }
    }
}
