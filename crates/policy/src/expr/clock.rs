//! Whether a condition can change with the time alone.

use super::tree::Part;
use super::typed::{List, Operand, Typed};

impl Typed {
    /// Whether it reads `request.time`, `request.day` or `request.hour`.
    pub(crate) fn reads_clock(&self) -> bool {
        match self {
            Self::Always | Self::InNetworks(_) | Self::InCatalog(..) => false,
            Self::Or(arms) | Self::And(arms) => arms.iter().any(Self::reads_clock),
            Self::Not(inner) => inner.reads_clock(),
            Self::InLookup(_, lookup) => lookup.rows.as_ref().is_some_and(Self::reads_clock),
            Self::Truth(operand) | Self::IsNull(operand) | Self::StartsWith(operand, _) => {
                operand.reads_clock()
            }
            Self::Compare(_, left, right) => left.reads_clock() || right.reads_clock(),
            Self::In(operand, list) | Self::HasAny(operand, list) => {
                let items = match list {
                    List::Items(items) => items.as_slice(),
                    List::Caller(..) => &[],
                };
                operand.reads_clock() || items.iter().any(Operand::reads_clock)
            }
        }
    }
}

impl Operand {
    fn reads_clock(&self) -> bool {
        match self {
            Self::Field(_) | Self::Value(_) | Self::Caller(..) | Self::Request(Part::Ip) => false,
            Self::Request(Part::Time | Part::Day | Part::Hour) => true,
        }
    }
}
