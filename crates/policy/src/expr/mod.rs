//! The expression language: text to tree, tree to typed tree, typed tree and caller to a predicate over one row.

mod clock;
mod fold;
mod lexer;
pub(crate) mod logic;
mod network;
mod parser;
mod show;
mod tree;
mod typed;
mod typing;

pub(crate) use fold::{fold, truth};
pub(crate) use parser::{Speaks, parse};
pub(crate) use show::predicate as show;
pub(crate) use tree::{Expr, ExprKind, TermKind, attributes};
pub(crate) use typed::{Typed, TypedLookup};
pub(crate) use typing::{FieldLookup, LookupFound, Scope, check};

use crate::Span;

/// What is wrong in an expression; the place is inside its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn suggest<'a>(mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.help =
            crate::did_you_mean(name, candidates).map(|near| format!("did you mean `{near}`?")).or(self.help);
        self
    }
}
