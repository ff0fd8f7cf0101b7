//! A policy as its text alone shows it: checked, not yet bound to a catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Action, Caller, Identity, Refusal};

use crate::document::Scalar;
use crate::error::Place;
use crate::expr::{Expr, Problem};
use crate::mask::{Path, Written};
use crate::name::{DataName, Pattern};
use crate::schema::Schema;
use crate::{Diagnostic, Source, Span};

/// A policy: all files of a folder, read as one.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) revision: String,
    pub(crate) schema: Schema,
    pub(crate) blocks: Vec<Block>,
    /// Whether there is a lock of fields.
    pub(crate) locked: bool,
    pub(crate) masks: Masks,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) tests: Vec<PolicyTest>,
}

impl Policy {
    /// Sixteen hexadecimal digits that stand for the text of all files.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The identity as a caller: attributes typed by the `caller` block, one purpose picked.
    ///
    /// # Errors
    /// A required attribute is missing, a value is not of its type, or the purpose is not one that it may choose.
    pub fn caller(&self, identity: &Identity, purpose: Option<&str>) -> Result<Caller, Refusal> {
        self.schema.caller(identity, purpose)
    }

    /// The purposes that an identity may choose from.
    pub fn purposes<'a>(&self, identity: &'a Identity) -> impl Iterator<Item = &'a str> + use<'a> {
        let listed = identity.purposes.iter();
        listed.chain(identity.attributes.get("purpose").into_iter().flatten()).map(String::as_str)
    }

    /// The attributes that the `caller` block declares, and `id`.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.schema.names()
    }

    /// The tests that the policy brings.
    #[must_use]
    pub fn tests(&self) -> &[PolicyTest] {
        &self.tests
    }

    /// The stores that the policy names under `data:`, sorted.
    #[must_use]
    pub fn stores(&self) -> Vec<&str> {
        let mut stores: Vec<&str> = self.blocks.iter().map(|block| &*block.data.store).collect();
        stores.sort_unstable();
        stores.dedup();
        stores
    }
}

/// One test of a policy: what a caller must get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTest {
    /// What it shows.
    pub name: String,
    /// Who asks; its purpose, where it has one, is its only one.
    pub identity: Identity,
    /// The purpose that is asked for; none where the identity has at most one.
    pub purpose: Option<String>,
    /// The store that is asked.
    pub store: String,
    /// The statement.
    pub run: String,
    /// What must come back.
    pub expect: Expectation,
    /// Where it stands: `file:line`.
    pub place: String,
}

/// What must come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// These rows, as text; `None` is NULL.
    Gives(Vec<Vec<Option<String>>>),
    /// A refusal by the rule of this name, or with this text in its message.
    Refused(String),
}

/// A relation's block under `data:`.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) place: Place,
    pub(crate) data: DataName,
    pub(crate) fields: BTreeMap<Arc<str>, FieldLine>,
    /// `"*"`: there are more fields. Those that the lock names stand under `fields`, the others are hidden.
    pub(crate) more: Option<FieldLine>,
}

/// A field's line of a block.
#[derive(Debug, Clone)]
pub(crate) struct FieldLine {
    pub(crate) class: ClassLine,
    /// Paths inside a document, each with a class of its own.
    pub(crate) paths: BTreeMap<Path, ClassLine>,
}

impl FieldLine {
    /// Whether the other line gives the same classes.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let names = |line: &Self| -> Vec<(Option<Path>, String)> {
            let paths = line.paths.iter().map(|(path, class)| (Some(path.clone()), class.name.clone()));
            std::iter::once((None, line.class.name.clone())).chain(paths).collect()
        };
        names(self) == names(other)
    }

    /// The field's class and those of its paths.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &ClassLine> {
        std::iter::once(&self.class).chain(self.paths.values())
    }
}

/// A class where it is given.
#[derive(Debug, Clone)]
pub(crate) struct ClassLine {
    pub(crate) place: Place,
    pub(crate) name: String,
}

/// The `masks` block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Masks {
    pub(crate) lines: BTreeMap<String, MaskLine>,
}

/// A line of `masks`.
#[derive(Debug, Clone)]
pub(crate) struct MaskLine {
    pub(crate) place: Place,
    pub(crate) mask: Written,
}

/// The class and its ancestors, from the most specific on: `pii.email`, `pii`.
pub(crate) fn lineage(class: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(class), |class| class.rsplit_once('.').map(|(parent, _)| parent))
}

/// Classes that every policy has: shown in clear.
pub(crate) const BUILT_IN: [&str; 2] = ["open", "key"];

impl Masks {
    /// What a class shows when no rule says more; none where it has no line.
    pub(crate) fn of(&self, class: &str) -> Option<(&Written, Option<&Place>)> {
        if BUILT_IN.contains(&class) {
            return Some((&Written::Clear, None));
        }
        let line = lineage(class).find_map(|class| self.lines.get(class))?;
        Some((&line.mask, Some(&line.place)))
    }
}

/// A mapping table that `rows` ask.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    pub(crate) from: DataName,
    pub(crate) filter: Option<Expression>,
    pub(crate) take: (Arc<str>, Place),
    /// How many values it takes, about.
    pub(crate) expect: Option<u64>,
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) kind: RuleKind,
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    pub(crate) to: Expression,
    pub(crate) data: Vec<(Pattern, Place)>,
    pub(crate) actions: Vec<Action>,
    pub(crate) rows: Option<Expression>,
    pub(crate) show: Vec<ShowLine>,
    pub(crate) because: Option<Because>,
}

impl Rule {
    pub(crate) fn covers(&self, data: &DataName) -> bool {
        self.data.iter().any(|(pattern, _)| pattern.covers(data))
    }

    /// Whether the rule names this very relation, rather than covering it by a star.
    pub(crate) fn names(&self, data: &DataName) -> bool {
        self.data.iter().any(|(pattern, _)| pattern.exactly().as_ref() == Some(data))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RuleKind {
    Allow,
    Restrict,
    Deny,
}

impl RuleKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Restrict => "restrict",
            Self::Deny => "deny",
        }
    }
}

/// A line of a rule's `show`.
#[derive(Debug, Clone)]
pub(crate) struct ShowLine {
    pub(crate) place: Place,
    pub(crate) key: ShowKey,
    pub(crate) mask: Written,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShowKey {
    Class(String),
    Field(Arc<str>),
}

/// An expression with its text and place.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) source: Arc<Source>,
    pub(crate) scalar: Scalar,
    pub(crate) expr: Expr,
}

impl Expression {
    /// A part of it in its file.
    pub(crate) fn place(&self, span: Span) -> Place {
        Place { source: self.source.clone(), span: self.scalar.locate(&self.source, span) }
    }

    pub(crate) fn diagnose(&self, problem: Problem) -> Diagnostic {
        let Problem { span, message, help } = problem;
        let diagnostic = self.place(span).error(message);
        match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

/// The reason of a deny: text with the values of attributes between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Because(pub(crate) Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Attribute(Arc<str>),
}
