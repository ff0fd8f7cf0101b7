//! The query shapes under `fixtures/plans`, and what a plan is made of, so that two can be compared.

use serde_json::Value;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::workspace;

/// One query, and the same by hand.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// What a client asks.
    pub asked: String,
    /// What somebody would write who knew the policy.
    pub hand: String,
}

/// The shapes of one file: each begins with `--- name: what it is`, and `--- hand` parts its two queries.
#[must_use]
pub fn shapes(file: &str) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    let mut by_hand = false;
    for line in workspace::fixture_text(&format!("plans/{file}")).lines() {
        let title = line.strip_prefix("--- ");
        if let Some((name, about)) = title.and_then(|title| title.split_once(": ")) {
            let (name, about) = (name.to_owned(), about.to_owned());
            shapes.push(Shape { name, about, asked: String::new(), hand: String::new() });
            by_hand = false;
        } else if title == Some("hand") {
            by_hand = true;
        } else if let Some(shape) = shapes.last_mut() {
            let query = if by_hand { &mut shape.hand } else { &mut shape.asked };
            query.push_str(line);
            query.push('\n');
        }
    }
    assert!(shapes.iter().all(|shape| !shape.hand.is_empty()), "{file}: a shape is not written by hand");
    shapes
}

/// A file under `fixtures/plans` for tables of so many rows.
#[must_use]
pub fn text(file: &str, rows: u32) -> String {
    let text = workspace::fixture_text(&format!("plans/{file}"));
    text.replace("{rows}", &rows.to_string()).replace("{step}", &(1_000_000 / rows).to_string())
}

/// What a plan is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its nodes with their indexes, each with those below it in parentheses.
    pub nodes: String,
    /// The indexes that it reads.
    pub indexes: Vec<String>,
}

/// The plan of a query. Nodes that pass on what is below them are left out: a subquery that stands for a relation is
/// none, unless something is filtered there.
///
/// # Errors
/// What the server says.
pub async fn plan(client: &Client, query: &str) -> Result<Plan, tokio_postgres::Error> {
    let messages = client.simple_query(&format!("explain (format json) {query}")).await?;
    let mut text = String::new();
    for message in &messages {
        if let SimpleQueryMessage::Row(row) = message {
            text.push_str(row.get(0).unwrap_or_default());
        }
    }
    let value: Value = serde_json::from_str(&text).expect("EXPLAIN gives a document");
    let mut plan = Plan { nodes: String::new(), indexes: Vec::new() };
    plan.nodes = plan.node(value.pointer("/0/Plan").unwrap_or(&Value::Null));
    plan.indexes.sort_unstable();
    plan.indexes.dedup();
    Ok(plan)
}

impl Plan {
    fn node(&mut self, node: &Value) -> String {
        let text = |key: &str| node.get(key).and_then(Value::as_str).unwrap_or_default();
        let below: Vec<&Value> = node.get("Plans").and_then(Value::as_array).into_iter().flatten().collect();
        let kind = text("Node Type");
        if kind == "Subquery Scan"
            && node.get("Filter").is_none()
            && let [only] = below.as_slice()
        {
            return self.node(only);
        }
        let mut words: Vec<&str> = Vec::new();
        if !matches!(text("Parent Relationship"), "Outer" | "Inner" | "Member" | "Subquery" | "") {
            words.push(text("Parent Relationship"));
        }
        words.extend(["Partial Mode", "Strategy", "Join Type"].map(text));
        words.retain(|word| !word.is_empty() && !matches!(*word, "Simple" | "Plain" | "Inner"));
        words.push(kind);
        let index = text("Index Name");
        if index.is_empty() {
            words.push(text("Relation Name"));
        } else {
            self.indexes.push(index.to_owned());
            words.push(index);
        }
        words.retain(|word| !word.is_empty());
        let mut said = words.join(" ");
        if !below.is_empty() {
            let below: Vec<String> = below.into_iter().map(|node| self.node(node)).collect();
            said = format!("{said} ({})", below.join(", "));
        }
        said
    }
}
