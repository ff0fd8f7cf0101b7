//! What a caller may carry: the `caller` block, and an identity read by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Attribute, Caller, Identity, Refusal, RefusalKind, Value, ValueType};

use crate::value;

/// The `caller` block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pub(crate) attributes: BTreeMap<Arc<str>, Declared>,
}

/// One declared attribute.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) ty: ValueType,
    /// Whether it is a set.
    pub(crate) set: bool,
    /// Whether an identity may lack it; it is NULL then.
    pub(crate) optional: bool,
    pub(crate) default: Option<Attribute>,
    /// The only values that it takes; text.
    pub(crate) one_of: Option<Vec<Arc<str>>>,
}

/// What an expression knows of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) ty: ValueType,
    pub(crate) set: bool,
    pub(crate) optional: bool,
}

impl Schema {
    /// The attribute of this name; `id` is always there.
    pub(crate) fn get(&self, name: &str) -> Option<Slot> {
        if name == "id" {
            return Some(Slot { ty: ValueType::Text, set: false, optional: false });
        }
        let declared = self.attributes.get(name)?;
        Some(Slot { ty: declared.ty, set: declared.set, optional: declared.optional })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("id").chain(self.attributes.keys().map(|name| &**name))
    }

    pub(crate) fn one_of(&self, name: &str) -> Option<&[Arc<str>]> {
        self.attributes.get(name)?.one_of.as_deref()
    }

    /// An identity with its attributes typed and one purpose picked.
    pub(crate) fn caller(&self, identity: &Identity, purpose: Option<&str>) -> Result<Caller, Refusal> {
        let mut attributes = BTreeMap::new();
        for (name, declared) in &self.attributes {
            if **name == *"purpose" {
                continue;
            }
            let texts = identity.attributes.get(&**name);
            if let Some(attribute) = declared.attribute(identity, name, texts.map(Vec::as_slice))? {
                attributes.insert(name.clone(), attribute);
            }
        }
        if let Some(purpose) = self.purpose(identity, purpose)? {
            attributes.insert("purpose".into(), purpose);
        }
        Ok(Caller { id: identity.id.clone(), attributes })
    }

    fn purpose(&self, identity: &Identity, asked: Option<&str>) -> Result<Option<Attribute>, Refusal> {
        let mut entitled: Vec<&str> = identity.purposes.iter().map(String::as_str).collect();
        entitled.extend(identity.attributes.get("purpose").into_iter().flatten().map(String::as_str));
        let chosen = match (asked, entitled.as_slice()) {
            (Some(asked), all) if all.contains(&asked) => Some(asked),
            (Some(asked), all) => return Err(not_entitled(identity, asked, all)),
            (None, [_, _, ..]) => return Err(none_chosen(&entitled)),
            (None, one) => one.first().copied(),
        };
        let texts = chosen.map(|purpose| [purpose.to_owned()]);
        match self.attributes.get("purpose") {
            Some(declared) => declared.attribute(identity, "purpose", texts.as_ref().map(<[_; 1]>::as_slice)),
            // Undeclared, it decides nothing, but the record has it.
            None => Ok(chosen.map(|purpose| Attribute::One(Value::Text(purpose.into())))),
        }
    }
}

impl Declared {
    fn attribute(
        &self,
        identity: &Identity,
        name: &str,
        texts: Option<&[String]>,
    ) -> Result<Option<Attribute>, Refusal> {
        let wrong = |why: String| {
            let message = format!("`{}` cannot log in: {why}", identity.id);
            Refusal::new(RefusalKind::Login, message).hint("the caller's entry in the configuration says it")
        };
        match texts {
            Some(texts) => {
                self.read(texts).map(Some).map_err(|why| wrong(format!("its attribute `{name}`: {why}")))
            }
            None if self.default.is_some() => Ok(self.default.clone()),
            None if self.optional => Ok(None),
            None => Err(wrong(format!("it has no `{name}`, which the policy requires"))),
        }
    }

    /// The attribute from its source texts.
    pub(crate) fn read<Text: AsRef<str>>(&self, texts: &[Text]) -> Result<Attribute, String> {
        let read = |text: &str| {
            if let Some(allowed) = self.one_of.as_deref()
                && !allowed.iter().any(|value| **value == *text)
            {
                return Err(format!("`{text}` is not one of: {}", allowed.join(", ")));
            }
            value::read(text, self.ty)
        };
        if self.set {
            let values: Result<Vec<Value>, String> = texts.iter().map(|text| read(text.as_ref())).collect();
            return values.map(Attribute::Set);
        }
        match texts {
            [one] => read(one.as_ref()).map(Attribute::One),
            _ => Err(format!("one value is expected, not {}", texts.len())),
        }
    }
}

fn not_entitled(identity: &Identity, asked: &str, entitled: &[&str]) -> Refusal {
    let message = format!("`{}` has no entitlement to the purpose `{asked}`", identity.id);
    Refusal::new(RefusalKind::Purpose, message).hint(match entitled {
        [] => "it has none at all".to_owned(),
        some => format!("it may choose: {}", some.join(", ")),
    })
}

fn none_chosen(entitled: &[&str]) -> Refusal {
    let message = format!("several purposes, and none is chosen: {}", entitled.join(", "));
    let hint = format!("connect with `options=-c veilgate.purpose={}`", entitled.first().unwrap_or(&""));
    Refusal::new(RefusalKind::Purpose, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(ty: ValueType, set: bool) -> Declared {
        Declared { ty, set, optional: false, default: None, one_of: None }
    }

    fn schema() -> Schema {
        let purposes = ["support", "training"].map(Arc::from).to_vec();
        Schema {
            attributes: BTreeMap::from([
                ("region".into(), Declared { optional: true, ..declared(ValueType::Text, false) }),
                (
                    "roles".into(),
                    Declared { default: Some(Attribute::Set(vec![])), ..declared(ValueType::Text, true) },
                ),
                ("level".into(), declared(ValueType::Int, false)),
                ("purpose".into(), Declared { one_of: Some(purposes), ..declared(ValueType::Text, false) }),
            ]),
        }
    }

    fn identity(attributes: &[(&str, &[&str])], purposes: &[&str]) -> Identity {
        Identity {
            id: "alice".into(),
            attributes: attributes
                .iter()
                .map(|(name, texts)| ((*name).to_owned(), texts.iter().map(|t| (*t).to_owned()).collect()))
                .collect(),
            purposes: purposes.iter().map(|purpose| (*purpose).to_owned()).collect(),
        }
    }

    #[test]
    fn an_identity_is_typed_by_the_declarations() {
        let identity =
            identity(&[("level", &["007"]), ("roles", &["a", "b"]), ("other", &["x"])], &["support"]);
        let caller = schema().caller(&identity, None).unwrap();
        assert_eq!(caller.attributes.get("level"), Some(&Attribute::One(Value::Int(7))));
        assert_eq!(caller.text("purpose"), Some("support"));
        assert_eq!(caller.attributes.get("region"), None);
        assert_eq!(caller.attributes.get("other"), None);
        assert!(matches!(caller.attributes.get("roles"), Some(Attribute::Set(roles)) if roles.len() == 2));
    }

    #[test]
    fn what_is_required_or_wrong_stops_the_login() {
        type Case<'a> =
            (&'a [(&'a str, &'a [&'a str])], &'a [&'a str], Option<&'a str>, RefusalKind, &'a str);
        let cases: [Case<'_>; 7] = [
            (&[], &["support"], None, RefusalKind::Login, "no `level`"),
            (&[("level", &["x"])], &["support"], None, RefusalKind::Login, "`x` is not a value of type int"),
            (
                &[("level", &["1", "2"])],
                &["support"],
                None,
                RefusalKind::Login,
                "one value is expected, not 2",
            ),
            (&[("level", &["1"])], &[], None, RefusalKind::Login, "no `purpose`"),
            (
                &[("level", &["1"])],
                &["sales"],
                None,
                RefusalKind::Login,
                "`sales` is not one of: support, training",
            ),
            (&[("level", &["1"])], &["support", "training"], None, RefusalKind::Purpose, "support, training"),
            (&[("level", &["1"])], &["support"], Some("training"), RefusalKind::Purpose, "`training`"),
        ];
        for (attributes, purposes, asked, kind, message) in cases {
            let refusal = schema().caller(&identity(attributes, purposes), asked).unwrap_err();
            assert_eq!(refusal.kind, kind, "{refusal}");
            assert!(refusal.message.contains(message), "{refusal}");
        }
        let several = identity(&[("level", &["1"])], &["support", "training"]);
        assert_eq!(schema().caller(&several, Some("training")).unwrap().text("purpose"), Some("training"));
    }
}
