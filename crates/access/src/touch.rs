//! What a request touches: the unit of every decision.

use std::fmt;

use crate::RelationName;

/// What is done to a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Rows are read.
    Read,
    /// The plan of a statement over it is shown.
    Explain,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Explain => "explain",
        })
    }
}

/// One relation that a statement touches, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Touch {
    /// The relation whose policy decides: for a partition or child the topmost parent.
    pub relation: RelationName,
    /// What is done to it.
    pub action: Action,
    /// How the statement comes to it.
    pub via: Via,
}

impl Touch {
    /// A relation that the statement names itself.
    #[must_use]
    pub fn new(relation: RelationName, action: Action) -> Self {
        Self { relation, action, via: Via::Named }
    }
}

/// What a policy has to say of a relation itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nothing: it has no entry. A view then stands for its definition; anything else is not there.
    None,
    /// Rules of its own.
    Governed,
    /// Rules of its own, one of which cannot be read: it is there for nobody.
    Closed,
}

/// How a statement comes to a relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Via {
    /// The statement names it.
    Named,
    /// It names this view, which stands for its definition: the relation needs its rules, and the answers name the view.
    Opened(RelationName),
    /// It names this view, or a view opens to it, and the policy has rules for the view itself: of the relation below
    /// only a deny counts.
    Below(RelationName),
}
