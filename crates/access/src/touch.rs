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
}
