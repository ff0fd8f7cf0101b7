//! Who asks: a proven identity, what it may carry, and the circumstances of one request.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::Value;

/// A login of the configuration, before the policy has looked at it: attributes are still source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name that the client logs in with; `caller.id` in a policy.
    pub id: Arc<str>,
    /// Attributes as written: one text, or several for a set.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The purposes that this identity may choose from; empty where it has none.
    pub purposes: Vec<String>,
}

/// A proven identity with its attributes typed by the policy's `caller` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name that the client logged in with.
    pub id: Arc<str>,
    /// Typed attributes, `purpose` and `model` among them; one that is absent has no entry.
    pub attributes: BTreeMap<Arc<str>, Attribute>,
}

impl Caller {
    /// The text of a single text attribute, for the record.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)? {
            Attribute::One(Value::Text(text)) => Some(text),
            Attribute::One(_) | Attribute::Set(_) => None,
        }
    }
}

/// One attribute of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A single value.
    One(Value),
    /// A set of values, possibly empty.
    Set(Vec<Value>),
}

/// What holds for one request: read once by the gateway, so that a decision never reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Microseconds since the Unix epoch, UTC.
    pub time_us: i64,
    /// The client's address, as the gateway sees it.
    pub ip: IpAddr,
}
