//! What a query level has in sight: items by alias, columns by name, and what each column stands for.

use std::rc::Rc;
use std::sync::Arc;

use access::{Refusal, RefusalKind};

use crate::catalogue::Mark;

/// What is known of an expression: enough to say whether it may run over rows that the caller may not see.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Its type.
    pub(crate) ty: Ty,
    /// Its length or precision, where that is known.
    pub(crate) length: Option<Rc<Length>>,
    /// Its collation.
    pub(crate) collation: Collation,
    /// The filtered relations that it reads, by what admits their rows.
    pub(crate) gates: Gates,
    /// Those whose rows have been filtered where it stands.
    pub(crate) settled: Gates,
    /// The outermost parts of it that can fail or tell.
    pub(crate) hazards: Vec<Hazard>,
    /// Whether an aggregate or a window function of this level is in it: then it runs after the rows were filtered.
    pub(crate) aggregated: bool,
    /// Whether an aggregate of this level is in it, which makes its query a grouped one.
    pub(crate) grouped: bool,
    /// Whether it reads a column of any relation.
    pub(crate) reads: bool,
    /// Whether its value differs from call to call.
    pub(crate) volatile: bool,
    /// Whether a function that gives rows is in it.
    pub(crate) gives_rows: bool,
    /// Where it is a plain column of a relation: which mention of it, and which column.
    pub(crate) origin: Option<Origin>,
    /// Whether it hangs on a column that is hidden from the caller, inside an opened view.
    pub(crate) closed: bool,
    /// What is known of it where it comes from the server's catalogue.
    pub(crate) catalogue: Option<Mark>,
}

/// A type with a length or a precision, as it is written: `pg_catalog.varchar(30)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) schema: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) modifiers: Vec<i32>,
}

/// A plain column of one mention of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The mention, counted over the statement.
    pub(crate) mention: usize,
    /// The column's name.
    pub(crate) column: Arc<str>,
}

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ty {
    /// This type, domains taken off.
    Known(u32),
    /// A constant or parameter that has no type of its own.
    Literal,
    /// A constant number of this type.
    Number(u32),
    /// Not known.
    Any,
}

/// The collation of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collation {
    /// None, or the database's default, which gives way to any other.
    Default,
    /// This one.
    Named(u32),
    /// Two that do not agree: comparing fails when it is run.
    Conflict,
}

/// A part of an expression that can fail or tell.
#[derive(Debug, Clone)]
pub(crate) struct Hazard {
    /// What it is, in words.
    pub(crate) what: Rc<str>,
    /// Where it stands in the client's text.
    pub(crate) location: i32,
    /// Where a gate would stand.
    pub(crate) site: Site,
    /// What is gated inside it already.
    pub(crate) covered: Gates,
    /// Whether it reads no column and gives one value for the statement: it may then be evaluated once, ahead.
    pub(crate) free: bool,
    /// Whether it runs above the grouping of its query.
    pub(crate) aggregated: bool,
}

/// Where a gate can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// Around the node at this place.
    Node(usize),
    /// Around the arguments of the call at this place, which gives rows.
    Arguments(usize),
    /// Nowhere inside its query.
    Nowhere,
}

/// What admits the rows of one filtered item of FROM, counted over the statement.
pub(crate) type AdmitId = u32;

/// Several of them, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gates(Vec<AdmitId>);

impl Gates {
    /// Stands in the columns of a query for whatever admits its own rows, until the query has a place in a FROM.
    pub(crate) const OWN: AdmitId = AdmitId::MAX;

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = AdmitId> {
        self.0.iter().copied()
    }

    pub(crate) fn add(&mut self, admit: AdmitId) {
        if !self.0.contains(&admit) {
            self.0.push(admit);
        }
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        others.iter().for_each(|admit| self.add(admit));
    }

    pub(crate) fn has_all(&self, others: &Self) -> bool {
        others.0.iter().all(|admit| self.0.contains(admit))
    }

    pub(crate) fn has_any(&self, others: &[AdmitId]) -> bool {
        self.0.iter().any(|admit| others.contains(admit))
    }

    /// The same with each of `own` taken out; whether there was any.
    pub(crate) fn take(&mut self, own: &[AdmitId]) -> bool {
        let before = self.0.len();
        self.0.retain(|admit| !own.contains(admit));
        self.0.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl FromIterator<AdmitId> for Gates {
    fn from_iter<I: IntoIterator<Item = AdmitId>>(admits: I) -> Self {
        let mut gates = Self::default();
        admits.into_iter().for_each(|admit| gates.add(admit));
        gates
    }
}

/// Adds what can fail or tell, each part once.
pub(crate) fn take_in(hazards: &mut Vec<Hazard>, others: &[Hazard]) {
    for hazard in others {
        if hazards.iter().any(|known| known.site == hazard.site) {
            continue;
        }
        if hazards.len() < HAZARDS_MAX {
            hazards.push(hazard.clone());
        } else {
            let what = format!("more than {HAZARDS_MAX} parts that can fail").into();
            hazards.push(Hazard { what, site: Site::Nowhere, ..hazard.clone() });
        }
    }
}

/// The most gates in one condition.
const HAZARDS_MAX: usize = 1000;

impl Facts {
    /// A harmless expression of this type that reads nothing.
    pub(crate) fn of(ty: Ty) -> Self {
        Self {
            ty,
            length: None,
            collation: Collation::Default,
            gates: Gates::default(),
            settled: Gates::default(),
            hazards: Vec::new(),
            aggregated: false,
            grouped: false,
            reads: false,
            volatile: false,
            gives_rows: false,
            origin: None,
            closed: false,
            catalogue: None,
        }
    }

    /// Leaves the query that reads these rows.
    pub(crate) fn leave(&mut self, own: &[AdmitId]) {
        self.settled.clear();
        if self.gates.take(own) {
            self.gates.add(Gates::OWN);
        }
        for hazard in &mut self.hazards {
            if hazard.covered.take(own) {
                hazard.covered.add(Gates::OWN);
            }
        }
    }

    /// Is a column of an item of FROM, whose rows this admits.
    pub(crate) fn enter(&mut self, admit: Option<AdmitId>) {
        let own = [Gates::OWN];
        if self.gates.take(&own) {
            admit.into_iter().for_each(|admit| self.gates.add(admit));
        }
        for hazard in &mut self.hazards {
            if hazard.covered.take(&own) {
                admit.into_iter().for_each(|admit| hazard.covered.add(admit));
            }
        }
        self.origin = None;
        self.reads = true;
    }

    /// Has been computed when it is read: it needs no gate.
    pub(crate) fn computed(&mut self) {
        self.gates.clear();
        self.hazards.clear();
        self.origin = None;
        self.catalogue = None;
        self.reads = true;
    }

    /// Has got the gates of all that it reads: whoever reads it knows.
    pub(crate) fn gated(&mut self) {
        for hazard in &mut self.hazards {
            hazard.covered.add_all(&self.gates);
            hazard.site = Site::Nowhere;
            hazard.free = false;
        }
    }

    /// What runs only where something else says so cannot be run ahead.
    pub(crate) fn conditional(&mut self) {
        for hazard in &mut self.hazards {
            hazard.free = false;
        }
    }

    /// Takes in what is known of a part; type and origin stay.
    pub(crate) fn absorb(&mut self, part: &Self) {
        self.gates.add_all(&part.gates);
        self.settled.add_all(&part.settled);
        take_in(&mut self.hazards, &part.hazards);
        self.aggregated |= part.aggregated;
        self.grouped |= part.grouped;
        self.reads |= part.reads;
        self.closed |= part.closed;
        self.volatile |= part.volatile;
        self.gives_rows |= part.gives_rows;
        self.collation = self.collation.with(part.collation);
    }
}

impl Collation {
    /// The collation of two that meet in one expression.
    pub(crate) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Default, other) => other,
            (one, Self::Default) => one,
            (Self::Named(one), Self::Named(other)) if one == other => self,
            _ => Self::Conflict,
        }
    }
}

/// A column in sight.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) name: Arc<str>,
    /// How it is written where a star is written out.
    pub(crate) path: Rc<[Arc<str>]>,
    pub(crate) facts: Facts,
}

impl Seen {
    /// A column that is written by its name alone.
    pub(crate) fn new(name: Arc<str>, facts: Facts) -> Self {
        Self { path: Rc::from([name.clone()]), name, facts }
    }
}

/// Something in FROM that has a name of its own.
#[derive(Debug)]
pub(crate) struct Item {
    /// The name that columns are qualified with.
    pub(crate) alias: Arc<str>,
    /// The schema that they may be qualified with too, of a relation without an alias.
    pub(crate) schema: Option<Arc<str>>,
    /// The name that is written into what is sent, where it is not `alias`.
    pub(crate) sent_alias: Option<Arc<str>>,
    pub(crate) columns: Vec<Seen>,
    /// Whether it may have more columns than those known, as a function's result can.
    pub(crate) open: bool,
    /// Whether it is a relation whose columns have other names here: a whole row of it has the relation's own.
    pub(crate) renamed: bool,
    /// What admits its rows, where it is filtered.
    pub(crate) admits: Vec<AdmitId>,
}

/// What one FROM item, or a join of several, brings into sight.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sight {
    /// What may qualify a column.
    pub(crate) items: Vec<Rc<Item>>,
    /// The columns by name alone, in the order of `*`.
    pub(crate) columns: Vec<Seen>,
    /// Whether an open item is among the unqualified columns.
    pub(crate) open: bool,
    /// What admits the rows of all that is in it.
    pub(crate) admits: Vec<AdmitId>,
}

impl Sight {
    /// One item alone.
    pub(crate) fn of(item: Item) -> Self {
        let written = |seen: &Seen| {
            let alias = item.sent_alias.as_ref().unwrap_or(&item.alias);
            Seen { path: Rc::from([alias.clone(), seen.name.clone()]), ..seen.clone() }
        };
        let columns = item.columns.iter().map(written).collect();
        Self { columns, open: item.open, admits: item.admits.clone(), items: vec![Rc::new(item)] }
    }

    /// Both, side by side.
    pub(crate) fn beside(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self.columns.extend(other.columns);
        self.open |= other.open;
        self.admits.extend(other.admits);
        self
    }
}

/// What a name was found to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// A column, of a level so deep.
    Column(Facts, usize),
    /// A whole row of this item, of a level so deep.
    Row(Rc<Item>, usize),
    /// Perhaps a column of a function's result.
    Open,
}

/// The levels of a query in sight, outermost first; each is what its FROM clause brings.
#[derive(Debug, Default)]
pub(crate) struct Levels(pub(crate) Vec<Level>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) sight: Rc<Sight>,
    /// Whether its rows have been filtered where expressions are read now: what they read needs no gate any more.
    pub(crate) settled: bool,
}

impl Levels {
    /// A name that stands alone: a column of the innermost level that has it, else a whole row.
    pub(crate) fn unqualified(&self, name: &str, location: i32) -> Result<Option<Found>, Refusal> {
        for (depth, level) in self.0.iter().enumerate().rev() {
            let mut columns = level.sight.columns.iter().filter(|column| &*column.name == name);
            if let Some(column) = columns.next() {
                if columns.next().is_some() {
                    return Err(ambiguous(name, location));
                }
                return Ok(Some(Found::Column(column.facts.clone(), depth)));
            }
            if level.sight.open {
                return Ok(Some(Found::Open));
            }
        }
        Ok(self.item(None, name, location)?.map(|(item, depth)| Found::Row(item, depth)))
    }

    /// The item that this qualifier means, and the depth of its level.
    pub(crate) fn item(
        &self,
        schema: Option<&str>,
        name: &str,
        location: i32,
    ) -> Result<Option<(Rc<Item>, usize)>, Refusal> {
        for (depth, level) in self.0.iter().enumerate().rev() {
            let fits = |item: &&Rc<Item>| {
                &*item.alias == name && schema.is_none_or(|schema| item.schema.as_deref() == Some(schema))
            };
            let mut items = level.sight.items.iter().filter(fits);
            if let Some(item) = items.next() {
                if items.next().is_some() {
                    return Err(ambiguous(name, location));
                }
                return Ok(Some((item.clone(), depth)));
            }
        }
        Ok(None)
    }
}

fn ambiguous(name: &str, location: i32) -> Refusal {
    Refusal::new(RefusalKind::AmbiguousColumn, format!("reference \"{name}\" is ambiguous")).at(location)
}
