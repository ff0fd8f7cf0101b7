//! The callers of `fixtures/callers.yaml`, as the gateway knows them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use access::Identity;
use policy::Source;
use policy::document::{self, Kind, Node};
use testkit::workspace;

/// All of them by their names.
pub(crate) fn identities() -> HashMap<Arc<str>, Arc<Identity>> {
    let source = Source { path: "callers.yaml".into(), text: workspace::fixture_text("callers.yaml") };
    let root = document::read(&source).unwrap_or_else(|errors| panic!("{errors:?}"));
    let callers = entries(&root).into_iter().map(|(name, node)| identity(name, node));
    callers.map(|identity| (Arc::clone(&identity.id), Arc::new(identity))).collect()
}

fn identity(name: &str, node: &Node) -> Identity {
    let mut identity = Identity { id: name.into(), attributes: BTreeMap::new(), purposes: Vec::new() };
    for (key, value) in entries(node) {
        match key {
            "purposes" => identity.purposes = texts(value),
            "attributes" => {
                identity.attributes =
                    entries(value).into_iter().map(|(key, node)| (key.to_owned(), texts(node))).collect();
            }
            _ => {}
        }
    }
    identity
}

fn entries(node: &Node) -> Vec<(&str, &Node)> {
    let Kind::Mapping(entries) = &node.kind else { panic!("no mapping: {node:?}") };
    entries.iter().map(|(key, value)| (key.text.as_str(), value)).collect()
}

fn texts(node: &Node) -> Vec<String> {
    match &node.kind {
        Kind::Scalar(scalar) => vec![scalar.text.clone()],
        Kind::Sequence(nodes) => nodes.iter().flat_map(texts).collect(),
        Kind::Mapping(_) => panic!("no text: {node:?}"),
    }
}
