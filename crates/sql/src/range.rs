//! What a query level has in sight: items by alias, columns by name, and what each column stands for.

use std::rc::Rc;
use std::sync::Arc;

use access::{Refusal, RefusalKind};

/// What is known of an expression: enough to say whether it may run over rows that the caller may not see.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Its type.
    pub(crate) ty: Ty,
    /// Its collation.
    pub(crate) collation: Collation,
    /// A relation with a row filter that it reads, by its place among the guards.
    pub(crate) filtered: Option<usize>,
    /// The first part of it that can fail or tell.
    pub(crate) hazard: Option<Rc<Hazard>>,
    /// Whether an aggregate or a window function of this level is in it: then it runs after the rows were filtered.
    pub(crate) aggregated: bool,
    /// Whether it reads a column of any relation.
    pub(crate) reads: bool,
    /// Where it is a plain column of a relation: which mention of it, and which column.
    pub(crate) origin: Option<Origin>,
    /// Whether it hangs on a column that is hidden from the caller, inside an opened view.
    pub(crate) closed: bool,
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
#[derive(Debug)]
pub(crate) struct Hazard {
    /// What it is, in words.
    pub(crate) what: String,
    /// Where it stands in the client's text.
    pub(crate) location: i32,
}

impl Facts {
    /// A harmless expression of this type that reads nothing.
    pub(crate) fn of(ty: Ty) -> Self {
        Self {
            ty,
            collation: Collation::Default,
            filtered: None,
            hazard: None,
            aggregated: false,
            reads: false,
            origin: None,
            closed: false,
        }
    }

    /// Takes in what is known of a part; type and origin stay.
    pub(crate) fn absorb(&mut self, part: &Self) {
        self.filtered = self.filtered.or(part.filtered);
        if self.hazard.is_none() {
            self.hazard.clone_from(&part.hazard);
        }
        self.aggregated |= part.aggregated;
        self.reads |= part.reads;
        self.closed |= part.closed;
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
    pub(crate) facts: Facts,
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
}

impl Sight {
    /// One item alone.
    pub(crate) fn of(item: Item) -> Self {
        let columns = item.columns.clone();
        Self { columns, open: item.open, items: vec![Rc::new(item)] }
    }

    /// Both, side by side.
    pub(crate) fn beside(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self.columns.extend(other.columns);
        self.open |= other.open;
        self
    }
}

/// What a name was found to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// A column.
    Column(Facts),
    /// A whole row of this item.
    Row(Rc<Item>),
    /// Perhaps a column of a function's result.
    Open,
}

/// The levels of a query in sight, outermost first; each is what its FROM clause brings.
#[derive(Debug, Default)]
pub(crate) struct Levels(pub(crate) Vec<Rc<Sight>>);

impl Levels {
    /// A name that stands alone: a column of the innermost level that has it, else a whole row.
    pub(crate) fn unqualified(&self, name: &str, location: i32) -> Result<Option<Found>, Refusal> {
        for level in self.0.iter().rev() {
            let mut columns = level.columns.iter().filter(|column| &*column.name == name);
            if let Some(column) = columns.next() {
                if columns.next().is_some() {
                    return Err(ambiguous(name, location));
                }
                return Ok(Some(Found::Column(column.facts.clone())));
            }
            if level.open {
                return Ok(Some(Found::Open));
            }
        }
        Ok(self.item(None, name, location)?.map(Found::Row))
    }

    /// The item that this qualifier means.
    pub(crate) fn item(
        &self,
        schema: Option<&str>,
        name: &str,
        location: i32,
    ) -> Result<Option<Rc<Item>>, Refusal> {
        for level in self.0.iter().rev() {
            let fits = |item: &&Rc<Item>| {
                &*item.alias == name && schema.is_none_or(|schema| item.schema.as_deref() == Some(schema))
            };
            let mut items = level.items.iter().filter(fits);
            if let Some(item) = items.next() {
                if items.next().is_some() {
                    return Err(ambiguous(name, location));
                }
                return Ok(Some(item.clone()));
            }
        }
        Ok(None)
    }
}

fn ambiguous(name: &str, location: i32) -> Refusal {
    Refusal::new(RefusalKind::AmbiguousColumn, format!("reference \"{name}\" is ambiguous")).at(location)
}
