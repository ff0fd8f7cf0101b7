//! Files to a policy: every key is known or refused, every error of every file is told in one run.

mod caller;
mod data;
mod lock;
mod lookups;
mod masks;
mod policy_tests;
mod rules;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::check;
use crate::document::{self, Kind, Node, Scalar};
use crate::error::Place;
use crate::expr::{self, Speaks};
use crate::policy::{Block, Expression, Lookup, Masks, Policy, PolicyTest, Rule};
use crate::schema::Schema;
use crate::{Diagnostic, Source, Span};

/// Reads the files of one policy; their order does not matter.
///
/// # Errors
/// All that the text alone shows to be wrong, in all files, in the order of files and lines.
pub fn parse(sources: &[Source]) -> Result<Policy, Vec<Diagnostic>> {
    parse_as(sources, Speaks::Policy)
}

/// The same, for the policy of the catalogue too.
pub(crate) fn parse_as(sources: &[Source], speaks: Speaks) -> Result<Policy, Vec<Diagnostic>> {
    let mut sources: Vec<Arc<Source>> = sources.iter().cloned().map(Arc::new).collect();
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let mut draft = Draft::default();
    let mut errors = Vec::new();
    let mut unread = false;
    for source in &sources {
        let (root, found) = document::read_on(source);
        errors.extend(found);
        match root {
            Some(root) if lock::is_lock(&source.path) => {
                Reader { source, speaks, errors: &mut errors }.lock(&root, &mut draft);
            }
            Some(root) => Reader { source, speaks, errors: &mut errors }.file(&root, &mut draft),
            None => unread = true,
        }
    }
    if sources.is_empty() {
        let nothing = Source { path: "policy".into(), text: String::new() };
        errors.push(nothing.error(Span::default(), "a policy without files"));
    }
    // What an unread file declares would only be missed.
    if !unread {
        lock::apply(&mut draft, &mut errors);
        check::check(&draft, &mut errors);
        policy_tests::check(&mut draft, &mut errors);
    }
    if errors.is_empty() {
        return Ok(draft.finish(revision(&sources)));
    }
    errors.sort_by(|one, other| one.order().cmp(&other.order()));
    errors.dedup();
    Err(errors)
}

/// Stands for the texts alone: where the folder lies, and how its files are called, decides nothing.
fn revision(sources: &[Arc<Source>]) -> String {
    let mut texts: Vec<&str> = sources.iter().map(|source| source.text.as_str()).collect();
    texts.sort_unstable();
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What has been read so far.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) caller: Option<Place>,
    pub(crate) schema: Schema,
    /// Whether something is wrong in the `caller` block, so that attributes may be missing.
    pub(crate) schema_is_incomplete: bool,
    pub(crate) blocks: Vec<Block>,
    /// The fields that `"*"` stands for; none where there is no such file.
    pub(crate) lock: Option<lock::Lock>,
    pub(crate) masks: Masks,
    pub(crate) lookups: Vec<Lookup>,
    /// Whether one of them could not be read, so that its name may be missing.
    pub(crate) lookups_are_incomplete: bool,
    pub(crate) rules: Vec<Rule>,
    pub(crate) tests: Vec<PolicyTest>,
    /// Where each test and its values stand, for what is checked last.
    test_places: Vec<policy_tests::Places>,
}

impl Draft {
    fn finish(self, revision: String) -> Policy {
        let mut rules: Vec<Arc<Rule>> = self.rules.into_iter().map(Arc::new).collect();
        rules.sort_by(|one, other| one.name.cmp(&other.name));
        let mut blocks = self.blocks;
        blocks.sort_by(|one, other| one.data.cmp(&other.data));
        let mut lookups = self.lookups;
        lookups.sort_by(|one, other| one.name.cmp(&other.name));
        let Self { schema, masks, tests, lock, .. } = self;
        Policy { revision, schema, blocks, locked: lock.is_some(), masks, lookups, rules, tests }
    }
}

/// Keys that belong to the language and come later.
const LATER: [&str; 8] = ["limits", "check", "set", "sql", "score", "unknown_keys", "hide_counters", "call"];

/// One file at work.
struct Reader<'a> {
    speaks: Speaks,
    source: &'a Arc<Source>,
    errors: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn file(&mut self, root: &Node, draft: &mut Draft) {
        let Some(entries) = self.mapping(root, "a policy file") else { return };
        let keys = ["veilgate", "caller", "data", "masks", "lookups", "rules", "tests"];
        let mut versioned = false;
        for (key, value) in entries {
            match key.text.as_str() {
                "veilgate" => {
                    versioned = true;
                    self.version(value);
                }
                "caller" => self.caller(key, value, draft),
                "data" => self.data(value, draft),
                "masks" => self.masks(value, draft),
                "lookups" => self.lookups(value, draft),
                "rules" => self.rules(value, draft),
                "tests" => self.tests(value, draft),
                _ => self.unknown_key(key, "a policy file", &keys),
            }
        }
        if !versioned {
            let start = Span { start: root.span.start, end: root.span.start };
            self.error(start, "a policy file says its version", "write `veilgate: 1` first");
        }
    }

    fn version(&mut self, value: &Node) {
        let one = matches!(&value.kind, Kind::Scalar(version) if version.text == "1");
        if !one {
            self.error(
                value.span,
                "unknown version of the policy language",
                "this is version 1: `veilgate: 1`",
            );
        }
    }

    fn place(&self, span: Span) -> Place {
        Place { source: self.source.clone(), span }
    }

    fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(self.source.error(span, message).help(help));
    }

    fn plain_error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(self.source.error(span, message));
    }

    fn later(&mut self, span: Span, what: &str) {
        self.plain_error(span, format!("`{what}` is not there in this version"));
    }

    fn unknown_key(&mut self, key: &Scalar, of: &str, known: &[&str]) {
        if LATER.contains(&key.text.as_str()) {
            return self.later(key.span, &key.text);
        }
        let error = self.source.error(key.span, format!("unknown key `{}` of {of}", key.text));
        let error = error.help(format!("there are: {}", known.join(", ")));
        self.errors.push(error.suggest(&key.text, known.iter().copied()));
    }

    fn wrong_kind(&mut self, node: &Node, what: &str, wanted: &str) {
        self.plain_error(node.span, format!("{what} is {wanted}, not {}", node.kind.noun()));
    }

    fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Scalar, Node)]> {
        match &node.kind {
            Kind::Mapping(entries) => Some(entries),
            Kind::Scalar(_) | Kind::Sequence(_) => {
                self.wrong_kind(node, what, "a mapping");
                None
            }
        }
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::Sequence(items) => Some(items),
            Kind::Scalar(_) | Kind::Mapping(_) => {
                self.wrong_kind(node, what, "a list");
                None
            }
        }
    }

    /// A list, or one item in place of a list of one.
    fn one_or_more<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar(_) | Kind::Mapping(_) => std::slice::from_ref(node),
        }
    }

    fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Scalar> {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.is_empty() => Some(scalar),
            Kind::Scalar(_) | Kind::Sequence(_) | Kind::Mapping(_) => {
                self.wrong_kind(node, what, "a text");
                None
            }
        }
    }

    fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        match self.text(node, what)?.text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.plain_error(node.span, format!("{what} is `true` or `false`"));
                None
            }
        }
    }

    fn expression(&mut self, node: &Node, what: &str) -> Option<Expression> {
        let scalar = self.text(node, what)?;
        if let Some(error) = scalar.quote_this(self.source) {
            self.errors.push(error);
            return None;
        }
        let expression = |expr| Expression { source: self.source.clone(), scalar: scalar.clone(), expr };
        match expr::parse(&scalar.text, self.speaks) {
            Ok(expr) => Some(expression(expr)),
            Err(problem) => {
                let span = scalar.locate(self.source, problem.span);
                let error = self.source.error(span, problem.message);
                self.errors.push(match problem.help {
                    Some(help) => error.help(help),
                    None => error,
                });
                None
            }
        }
    }
}
