//! Random callers.

use std::collections::BTreeMap;

use access::Identity;

use super::dice::Dice;
use super::kind::Class;
use super::world::Cell;

/// An attribute that the policy declares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    pub(crate) set: bool,
    values: &'static [&'static str],
}

const fn one(name: &'static str, class: Class, values: &'static [&'static str]) -> Attribute {
    Attribute { name, class, set: false, values }
}

pub(crate) const ATTRIBUTES: [Attribute; 9] = [
    one("region", Class::Text, &["EU", "US", "a"]),
    one("level", Class::Int, &["0", "1", "2"]),
    one("since", Class::Date, &["2024-01-01", "2024-02-29"]),
    one("seen", Class::Timestamp, &["2024-01-01 00:00:00", "2024-02-29 12:30:00"]),
    one("active", Class::Bool, &["true", "false"]),
    one("own", Class::Uuid, &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    one("purpose", Class::Text, &["support", "training"]),
    Attribute { name: "roles", class: Class::Text, set: true, values: &["EU", "a", "b", "staff"] },
    Attribute { name: "levels", class: Class::Int, set: true, values: &["0", "1", "2", "3"] },
];

/// The block that declares them.
pub(crate) const DECLARED: &str = "caller:
  region: {type: text, optional: true}
  level: {type: int, optional: true}
  since: {type: date, optional: true}
  seen: {type: timestamp, optional: true}
  active: {type: bool, optional: true}
  own: {type: uuid, optional: true}
  purpose: {one_of: [support, training], optional: true}
  roles: {type: [text], default: []}
  levels: {type: [int], optional: true}
";

impl Attribute {
    pub(crate) fn value(&self, dice: &mut Dice) -> String {
        (*dice.pick(self.values)).to_owned()
    }
}

/// Somebody who asks.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    attributes: BTreeMap<&'static str, Vec<String>>,
}

impl Person {
    /// Each attribute is absent in a fifth of all cases.
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let mut attributes = BTreeMap::new();
        for attribute in &ATTRIBUTES {
            if dice.chance(20) {
                continue;
            }
            let count = if attribute.set { dice.below(3) } else { 1 };
            let mut values: Vec<String> = (0..count).map(|_| attribute.value(dice)).collect();
            values.dedup();
            attributes.insert(attribute.name, values);
        }
        Self { attributes }
    }

    pub(crate) fn one(&self, name: &str) -> Cell {
        self.attributes.get(name).and_then(|values| values.first().cloned())
    }

    /// A set; none where it is absent and has no default.
    pub(crate) fn set(&self, name: &str) -> Option<Vec<String>> {
        let absent = (name == "roles").then(Vec::new);
        self.attributes.get(name).cloned().or(absent)
    }

    pub(crate) fn identity(&self) -> Identity {
        let attributes = self.attributes.iter().map(|(name, values)| ((*name).to_owned(), values.clone()));
        Identity { id: "alice".into(), attributes: attributes.collect(), purposes: Vec::new() }
    }
}
