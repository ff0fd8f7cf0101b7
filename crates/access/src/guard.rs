//! A decision about one relation: which rows, and what each cell shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{HashKey, Predicate, RelationName, Value, Visible};

/// The guards of one request: one for each relation that it reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guards {
    /// One a relation, in the order of their names.
    pub relations: Vec<Guard>,
    /// The rules that were applied, by name, sorted.
    pub rules: Vec<Arc<str>>,
    /// What the caller may learn of the store's catalogue, where the request asks it.
    pub visible: Option<Arc<Visible>>,
}

impl Guards {
    /// The guard of this relation.
    #[must_use]
    pub fn of(&self, relation: &RelationName) -> Option<&Guard> {
        self.relations.iter().find(|guard| guard.relation == *relation)
    }
}

/// What a caller may see of one relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The relation.
    pub relation: RelationName,
    /// The rows that are admitted; `None` admits all.
    pub rows: Option<Predicate>,
    /// The visible columns in the relation's order; hidden ones are not there. May be empty.
    pub columns: Vec<GuardedColumn>,
}

impl Guard {
    /// The keys of all hashes that a cell can show, again for each place.
    pub fn hash_keys(&self) -> impl Iterator<Item = &HashKey> {
        self.masks().filter_map(Mask::hash_key)
    }

    /// The same, to be completed.
    pub fn hash_keys_mut(&mut self) -> impl Iterator<Item = &mut HashKey> {
        self.columns.iter_mut().flat_map(|column| {
            let branches = column.cell.branches.iter_mut().map(|branch| &mut branch.mask);
            branches.chain([&mut column.cell.otherwise]).filter_map(Mask::hash_key_mut)
        })
    }

    fn masks(&self) -> impl Iterator<Item = &Mask> {
        self.columns.iter().flat_map(|column| {
            let branches = column.cell.branches.iter().map(|branch| &branch.mask);
            branches.chain([&column.cell.otherwise])
        })
    }
}

/// A visible column and what its cells show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedColumn {
    /// The column's name.
    pub name: Arc<str>,
    /// What a cell shows.
    pub cell: Cell,
}

/// What a cell shows: the mask of the first branch whose predicate is *true* of its row, otherwise `otherwise`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// From the most revealing on.
    pub branches: Vec<Branch>,
    /// Where no branch is true of the row.
    pub otherwise: Mask,
}

impl Cell {
    /// A cell that shows the same in every row.
    #[must_use]
    pub fn always(mask: Mask) -> Self {
        Self { branches: Vec::new(), otherwise: mask }
    }

    /// Whether the stored value is shown in every row.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.branches.is_empty() && self.otherwise == Mask::Clear
    }
}

/// One case of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Where it holds.
    pub when: Predicate,
    /// What the cell shows there.
    pub mask: Mask,
}

/// What is shown instead of a value. NULL stays NULL under each of them; a mask never fails.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mask {
    /// The value.
    Clear,
    /// The document with some of its paths masked. For `json` and `jsonb`.
    Json(Document),
    /// Each element masked. For arrays.
    Array(Box<Mask>),
    /// The start of the day, month, quarter or year in UTC. For dates and timestamps.
    DateTrunc(DateUnit),
    /// `low` up to `low`, `high` from `high` on, between them the multiple of `width` at or below the value. For numbers.
    Bucket {
        /// Above zero.
        width: Value,
        /// The lowest value that is shown.
        low: Value,
        /// The highest value that is shown.
        high: Value,
    },
    /// Letters become `x` and `X`, digits `0`, the rest is kept. Text only.
    Shape,
    /// The first and the last characters; each other one becomes `fill`. All are filled where the text has no more than
    /// `first + last` characters. Text only.
    Partial {
        /// Characters kept at the start.
        first: u32,
        /// Characters kept at the end.
        last: u32,
        /// What stands for each hidden character: exactly one character.
        fill: char,
    },
    /// `a***@example.org`; all filled with `*` where it is no address. Text only.
    Email {
        /// Whether the first character is left out too: `***@example.org`.
        domain_only: bool,
    },
    /// A token of the value under this key. Texts of at least 16 characters, `bytea`, `uuid` and `bigint`.
    Hash(HashKey),
    /// A constant of the column's type.
    Constant(Value),
    /// NULL.
    Nullify,
}

impl Mask {
    /// The key that it makes a hash with, if it makes one.
    #[must_use]
    pub fn hash_key(&self) -> Option<&HashKey> {
        match self {
            Self::Hash(key) => Some(key),
            Self::Clear
            | Self::Json(_)
            | Self::Array(_)
            | Self::DateTrunc(_)
            | Self::Bucket { .. }
            | Self::Shape
            | Self::Partial { .. }
            | Self::Email { .. }
            | Self::Constant(_)
            | Self::Nullify => None,
        }
    }

    /// The key that it makes a hash with, to be completed.
    pub fn hash_key_mut(&mut self) -> Option<&mut HashKey> {
        match self {
            Self::Hash(key) => Some(key),
            Self::Clear
            | Self::Json(_)
            | Self::Array(_)
            | Self::DateTrunc(_)
            | Self::Bucket { .. }
            | Self::Shape
            | Self::Partial { .. }
            | Self::Email { .. }
            | Self::Constant(_)
            | Self::Nullify => None,
        }
    }
}

/// What a moment is cut down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DateUnit {
    /// Its day.
    Day,
    /// The first day of its month.
    Month,
    /// The first day of its quarter.
    Quarter,
    /// The first day of its year.
    Year,
}

impl DateUnit {
    /// The word for it, in policies and in SQL.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// The masked keys of an object, never none; keys that are not here are clear. An array stands for the objects in it;
/// an array directly in an array becomes null. A scalar has no keys, and is clear.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Document(pub BTreeMap<Arc<str>, Inside>);

/// What is shown under a key of a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Inside {
    /// The key is not there.
    Hide,
    /// A scalar is masked, and null where the mask does not fit it; an object or array becomes null. Never `Clear`.
    Masked(Mask),
    /// Further keys are masked.
    Document(Document),
}
