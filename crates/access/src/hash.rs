//! Which key a hash is made with. The key itself never stands here, nor in a policy, a tree or a text.

use std::sync::Arc;

/// Names a derived key: the same names always mean the same key, and two that differ never do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashKey {
    /// The field's root classification: `pii` of `pii.email`.
    pub root: Arc<str>,
    /// The caller's purpose, where the policy declares that callers have one.
    pub purpose: Option<Arc<str>>,
}
