//! Hidden parameters: the keys of hashes, which the gateway appends to the parameters of the client.
//!
//! A key is two parameters of type `bytea`, the blocks of HMAC. They are numbered after all that the client has: those
//! that its text names and those that it declares, so that none of its own is one of them.

use std::collections::BTreeSet;

use access::{Guards, HashKey, Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes};

use crate::statement::query;

/// The most parameters that a statement can have.
const PARAMETERS_MAX: usize = 65_535;

/// The parameters of one statement that its client does not know of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    after: u16,
    keys: Vec<HashKey>,
    withheld: bool,
}

/// How a key is written where a hash is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// As these two parameters: the key under the inner pad of HMAC, and under the outer one.
    Parameters([i32; 2]),
    /// As nothing: what is sent makes plans, but no hashes.
    Withheld,
}

impl Hidden {
    /// How many parameters the client has.
    #[must_use]
    pub fn after(&self) -> u16 {
        self.after
    }

    /// The keys in the order of their parameters, two of which are one key's.
    #[must_use]
    pub fn keys(&self) -> &[HashKey] {
        if self.withheld { &[] } else { &self.keys }
    }

    /// The keys of all guards, for a statement with these parameters of its own.
    pub(crate) fn of(guards: &Guards, statement: &nodes::RawStmt, declared: usize) -> Result<Self, Refusal> {
        let keys: BTreeSet<&HashKey> = guards.relations.iter().flat_map(access::Guard::hash_keys).collect();
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let own = usize::try_from(highest(statement)).unwrap_or(usize::MAX).max(declared);
        let after =
            u16::try_from(own).ok().filter(|own| usize::from(*own) + 2 * keys.len() <= PARAMETERS_MAX);
        let after = after.ok_or_else(|| {
            let message = format!("statement has more than {} parameters", PARAMETERS_MAX - 2 * keys.len());
            Refusal::new(RefusalKind::TooComplex, message)
        })?;
        let withheld = matches!(statement.stmt(), Node::ExplainStmt(explain) if !may_analyze(explain));
        Ok(Self { after, keys: keys.into_iter().cloned().collect(), withheld })
    }

    /// Without the keys that the statement does not use. Those of an EXPLAIN that runs its query are refused: a plan
    /// prints what parameters hold.
    pub(crate) fn used_by(mut self, statement: &nodes::RawStmt) -> Result<Self, Refusal> {
        if self.keys.is_empty() || self.withheld {
            return Ok(self);
        }
        let highest = highest(statement);
        let hidden = usize::try_from(highest).unwrap_or(0).saturating_sub(usize::from(self.after));
        self.keys.truncate(hidden.div_ceil(2));
        if matches!(statement.stmt(), Node::ExplainStmt(_)) && !self.keys.is_empty() {
            let message = "EXPLAIN ANALYZE over a hashed column would print the key";
            return Err(Refusal::new(RefusalKind::Unsupported, message)
                .hint("leave ANALYZE out; the plan is then shown without the key"));
        }
        Ok(self)
    }

    pub(crate) fn form(&self, key: &HashKey) -> Option<KeyForm> {
        let place = self.keys.iter().position(|own| own == key)?;
        if self.withheld {
            return Some(KeyForm::Withheld);
        }
        let first = i32::from(self.after) + i32::try_from(2 * place).ok()? + 1;
        Some(KeyForm::Parameters([first, first + 1]))
    }

    /// Whether this parameter is one of them.
    pub(crate) fn holds(&self, parameter: i32) -> bool {
        !self.keys.is_empty() && parameter > i32::from(self.after)
    }
}

/// Whether an EXPLAIN runs its query. Of an option that is written in any way but `off` it is taken that it does.
fn may_analyze(explain: &nodes::ExplainStmt) -> bool {
    explain.options().iter().any(|option| {
        let off = option.arg().as_str().is_some_and(|value| matches!(value, "off" | "false"));
        option.defname() == Some("analyze") && !off
    })
}

/// The highest number of a parameter of the query; 0 where there is none.
fn highest(statement: &nodes::RawStmt) -> i32 {
    let mut highest = 0;
    let Some(query) = query(statement) else { return highest };
    pg_raw_parse::walk::walk(Node::SelectStmt(query), |node| {
        if let Node::ParamRef(parameter) = node {
            highest = highest.max(parameter.number);
        }
    });
    highest
}
