//! What somebody has added where the store looks names up, next to what came with the server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Functions, operators and casts that did not come with the server and that a statement could mean.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// Names of functions in `pg_catalog`.
    pub functions: HashSet<Arc<str>>,
    /// Names of operators in `pg_catalog`.
    pub operators: HashSet<Arc<str>>,
    /// Names of operators in the schemas of trusted extensions.
    pub extension_operators: HashSet<Arc<str>>,
    /// Casts by the oids of their two types, and whether Postgres makes them without being asked. Those from base types
    /// that are not built in are left out: only a superuser makes such a type.
    pub casts: HashMap<(u32, u32), bool>,
    /// Why what operators and comparisons mean is not certain: who could add to them without being trusted with that, or
    /// an added default for the comparisons of a built-in type. Nothing is read from the store then.
    pub untrusted: Option<Arc<str>>,
}

impl Added {
    /// Whether a value of this type may be cast by an added cast without being asked.
    #[must_use]
    pub fn casts_implicitly(&self, from: u32) -> bool {
        self.casts.iter().any(|((source, _), implicit)| *source == from && *implicit)
    }
}
