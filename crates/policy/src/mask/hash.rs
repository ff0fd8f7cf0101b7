//! `hash`: which columns can show a token, and which key makes it.

use std::sync::Arc;

use access::{Attribute, Caller, Catalog, Column, Guards, HashKey, Mask};

use crate::Diagnostic;
use crate::error::did_you_mean;
use crate::mask::Written;
use crate::policy::Policy;

/// The hexadecimal digits of a token of a text.
const DIGITS: i32 = 16;

/// The mask over a column of this class, still without the caller's purpose.
pub(super) fn hash(class: &str, column: &Column, catalog: &Catalog) -> Result<Mask, String> {
    let name = catalog.types.get(&column.base_oid).map_or("", |ty| &*ty.name);
    match name {
        "text" | "bytea" | "uuid" | "int8" => {}
        // A length is four more in the modifier; without one any text fits.
        "varchar" | "bpchar" if column.typmod < 0 || column.typmod - 4 >= DIGITS => {}
        "varchar" | "bpchar" => {
            let length = column.typmod - 4;
            return Err(format!("`hash` shows {DIGITS} characters, and the column holds {length}"));
        }
        _ => {
            let ty = catalog.field_type(column.type_oid);
            return Err(format!("`hash` fits text, bytea, uuid and bigint, and this is {ty}"));
        }
    }
    Ok(Mask::Hash(HashKey { root: root(class).into(), purpose: None }))
}

/// The topmost class: `pii` of `pii.email`. Fields of one root have tokens that can be joined.
fn root(class: &str) -> &str {
    class.split('.').next().unwrap_or(class)
}

/// Hashes are made for the caller's purpose: the same value has another token under each.
pub(crate) fn for_purpose(guards: &mut Guards, caller: &Caller) {
    let purpose: Option<Arc<str>> = match caller.attributes.get("purpose") {
        Some(Attribute::One(value)) => Some(value.to_string().into()),
        Some(Attribute::Set(values)) => {
            Some(values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",").into())
        }
        None => None,
    };
    for guard in &mut guards.relations {
        for key in guard.hash_keys_mut() {
            key.purpose.clone_from(&purpose);
        }
    }
}

impl Policy {
    /// Which key makes the hashes of a class for callers with this purpose.
    ///
    /// # Errors
    /// No field has such a class, or the purpose is not one that callers can have.
    pub fn hash_key(&self, class: &str, purpose: Option<&str>) -> Result<HashKey, String> {
        let classes =
            self.blocks.iter().flat_map(|block| block.fields.values()).map(|line| line.class.name.as_str());
        if !classes.clone().any(|known| root(known) == root(class)) {
            let near = did_you_mean(class, classes).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!("no field has the class `{class}`{}", near.unwrap_or_default()));
        }
        let declared = self.schema.get("purpose");
        match (declared, purpose) {
            (None, Some(purpose)) => {
                return Err(format!(
                    "the policy declares no `purpose`, so that no hash is made for `{purpose}`"
                ));
            }
            (Some(slot), None) if !slot.optional => {
                return Err(
                    "hashes are made for a purpose, which the policy declares: say for which".to_owned()
                );
            }
            (Some(_), Some(purpose)) => self.check_purpose(purpose)?,
            (_, None) => {}
        }
        Ok(HashKey { root: root(class).into(), purpose: purpose.map(Into::into) })
    }

    fn check_purpose(&self, purpose: &str) -> Result<(), String> {
        match self.schema.one_of("purpose") {
            Some(known) if known.iter().all(|known| **known != *purpose) => {
                Err(format!("`{purpose}` is not one of the purposes: {}", known.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What is wrong where there is no key to make hashes with: each place that says `hash`.
    #[must_use]
    pub fn hashes_without_key(&self) -> Vec<Diagnostic> {
        let defaults = self.masks.lines.values().map(|line| (&line.mask, &line.place));
        let shown = self.rules.iter().flat_map(|rule| &rule.show).map(|line| (&line.mask, &line.place));
        let hashes = defaults.chain(shown).filter(|(mask, _)| mask.makes_hashes());
        let told = hashes.map(|(_, place)| {
            let error = place.error("the mask `hash` has no key to be made with".to_owned());
            error.help("name one under `keys` in the configuration, by a file, a variable or a command")
        });
        let mut told: Vec<Diagnostic> = told.collect();
        told.sort_by(|one, other| one.order().cmp(&other.order()));
        told
    }
}

impl Written {
    /// Whether it needs a key.
    fn makes_hashes(&self) -> bool {
        match self {
            Self::Hash => true,
            Self::Json(document) => document.0.values().any(Self::makes_hashes),
            Self::Array(element) => element.makes_hashes(),
            Self::Clear
            | Self::DateTrunc(_)
            | Self::Bucket(_)
            | Self::Shape
            | Self::Partial { .. }
            | Self::Email { .. }
            | Self::Constant(_)
            | Self::Nullify
            | Self::Hide => false,
        }
    }
}
