//! The `tests` block: who runs what, and what must come back.

use std::collections::BTreeMap;

use access::Identity;

use super::{Draft, Reader};
use crate::Diagnostic;
use crate::document::{Kind, Node, Scalar};
use crate::error::Place;
use crate::policy::{Expectation, PolicyTest};

/// Where the parts of a test stand.
pub(super) struct Places {
    test: Place,
    store: Option<Place>,
    attributes: Vec<(String, Place, Place)>,
}

#[derive(Default)]
struct Parts<'n> {
    name: Option<&'n Scalar>,
    identity: Option<Identity>,
    store: Option<&'n Scalar>,
    run: Option<&'n Scalar>,
    expect: Option<Expectation>,
}

impl Reader<'_> {
    pub(super) fn tests(&mut self, value: &Node, draft: &mut Draft) {
        for item in self.list(value, "`tests`").unwrap_or_default() {
            let mut attributes = Vec::new();
            if let Some((test, store)) = self.test(item, &mut attributes) {
                let place = self.place(item.span);
                draft.tests.push(test);
                draft.test_places.push(Places { test: place, store, attributes });
            }
        }
    }

    fn test(
        &mut self,
        item: &Node,
        attributes: &mut Vec<(String, Place, Place)>,
    ) -> Option<(PolicyTest, Option<Place>)> {
        let keys = ["name", "as", "store", "run", "gives", "refused"];
        let mut parts = Parts::default();
        let entries = self.mapping(item, "a test")?;
        for (key, value) in entries {
            match key.text.as_str() {
                "name" => parts.name = self.text(value, "a test's name"),
                "as" => parts.identity = self.identity(value, attributes),
                "store" => parts.store = self.text(value, "a store"),
                "run" => parts.run = self.run(value),
                "gives" | "refused" if parts.expect.is_some() => {
                    self.plain_error(key.span, "a test says either `gives` or `refused`");
                }
                "gives" => parts.expect = self.gives(value).map(Expectation::Gives),
                "refused" => {
                    let text = self.text(value, "`refused`");
                    parts.expect = text.map(|text| Expectation::Refused(text.text.clone()));
                }
                _ => self.unknown_key(key, "a test", &keys),
            }
        }
        let has = |key: &str| entries.iter().any(|(other, _)| other.text == key);
        let call = has("call");
        for (present, missing) in [
            (has("name"), "name"),
            (has("as"), "as"),
            (has("run") || call, "run"),
            (has("gives") || has("refused"), "gives` or `refused"),
        ] {
            if !present {
                self.plain_error(item.span, format!("a test has no `{missing}`"));
            }
        }
        let Parts { name, identity, store, run, expect } = parts;
        let place = self.place(name?.span).line();
        let test = PolicyTest {
            name: name?.text.clone(),
            identity: identity?,
            purpose: None,
            store: store.map(|store| store.text.clone()).unwrap_or_default(),
            run: run?.text.clone(),
            expect: expect?,
            place,
        };
        Some((test, store.map(|store| self.place(store.span))))
    }

    fn run<'n>(&mut self, value: &'n Node) -> Option<&'n Scalar> {
        let text = self.text(value, "`run`")?;
        if let Some(error) = text.quote_this(self.source) {
            self.errors.push(error);
            return None;
        }
        Some(text)
    }

    fn identity(&mut self, value: &Node, places: &mut Vec<(String, Place, Place)>) -> Option<Identity> {
        let mut id = None;
        let mut attributes = BTreeMap::new();
        let mut purposes = Vec::new();
        for (key, value) in self.mapping(value, "`as`")? {
            if key.text == "id" {
                id = self.text(value, "`id`");
                continue;
            }
            // A plain `null` is an attribute that is absent.
            let absent = matches!(&value.kind, Kind::Scalar(scalar) if scalar.is_null());
            places.push((key.text.clone(), self.place(key.span), self.place(value.span)));
            let Some(texts) = self.source_texts(value) else { continue };
            let texts: Vec<String> = texts.into_iter().map(|scalar| scalar.text.clone()).collect();
            if absent {
                continue;
            }
            match key.text.as_str() {
                "purpose" => purposes = texts,
                name => drop(attributes.insert(name.to_owned(), texts)),
            }
        }
        let Some(id) = id else {
            self.error(value.span, "a test's caller has no `id`", "write `as: {id: alice, …}`");
            return None;
        };
        Some(Identity { id: id.text.as_str().into(), attributes, purposes })
    }

    fn gives(&mut self, value: &Node) -> Option<Vec<Vec<Option<String>>>> {
        let rows = self.list(value, "`gives`")?;
        let rows: Vec<_> = rows.iter().map(|row| self.given_row(row)).collect();
        rows.into_iter().collect()
    }

    fn given_row(&mut self, row: &Node) -> Option<Vec<Option<String>>> {
        let cells = self.list(row, "a row of `gives`")?;
        let cells: Vec<_> = cells
            .iter()
            .map(|cell| match &cell.kind {
                Kind::Scalar(scalar) if scalar.is_null() => Some(None),
                Kind::Scalar(scalar) => Some(Some(scalar.text.clone())),
                Kind::Sequence(_) | Kind::Mapping(_) => {
                    self.wrong_kind(cell, "a cell", "a text");
                    None
                }
            })
            .collect();
        cells.into_iter().collect()
    }
}

/// What tests share with the rest of the policy: attributes are declared and typed, the store is known.
pub(super) fn check(draft: &mut Draft, errors: &mut Vec<Diagnostic>) {
    let mut stores: Vec<String> = draft.blocks.iter().map(|block| block.data.store.to_string()).collect();
    stores.sort();
    stores.dedup();
    for (test, places) in draft.tests.iter_mut().zip(&draft.test_places) {
        for (name, key, value) in &places.attributes {
            let Some(declared) = draft.schema.attributes.get(name.as_str()) else {
                let error =
                    key.error(format!("unknown attribute `{name}`")).help("declare it under `caller:`");
                errors.push(error.suggest(name, draft.schema.names()));
                continue;
            };
            let texts = match name.as_str() {
                "purpose" => Some(&test.identity.purposes).filter(|purposes| !purposes.is_empty()),
                name => test.identity.attributes.get(name),
            };
            if let Some(Err(message)) = texts.map(|texts| declared.read(texts)) {
                errors.push(value.error(message));
            }
        }
        match (&places.store, stores.as_slice()) {
            (None, [only]) => test.store.clone_from(only),
            (None, _) => errors.push(places.test.error("a test says its store where several are declared")),
            (Some(place), _) if !stores.contains(&test.store) => {
                let error = place.error(format!("unknown store `{}`", test.store));
                errors.push(error.suggest(&test.store, stores.iter().map(String::as_str)));
            }
            (Some(_), _) => {}
        }
    }
}
