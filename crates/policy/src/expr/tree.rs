//! An expression as it is written: a tree with the places of its parts, not typed yet.

use access::{CatalogSet, Comparison};

use crate::Span;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expr {
    pub(crate) span: Span,
    pub(crate) kind: ExprKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExprKind {
    /// All callers; alone only.
    Anyone,
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    Truth(Term),
    Compare(Comparison, Term, Term),
    In(Term, Set),
    HasAny(Term, Set),
    /// `(a, b) in catalog.set`: for the shipped policy alone.
    InCatalog(Vec<Term>, CatalogSet),
    IsNull(Term),
    Between(Term, Term, Term),
    Like(Term, Term),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) span: Span,
    pub(crate) kind: TermKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TermKind {
    Field(String),
    Caller(String),
    Request(Part),
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}

/// What a request is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Time,
    Day,
    Hour,
    Ip,
}

/// The right side of `in` and `has any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Set {
    List(Vec<Term>),
    Caller(Term),
    Cidr(Vec<(String, Span)>),
    Lookup(String, Span),
}

impl Term {
    /// The name of a field or an attribute; empty for what has none.
    pub(super) fn name(&self) -> &str {
        match &self.kind {
            TermKind::Caller(name) | TermKind::Field(name) => name,
            TermKind::Request(_)
            | TermKind::Text(_)
            | TermKind::Number(_)
            | TermKind::Bool(_)
            | TermKind::Null => "",
        }
    }
}

/// The attributes that an expression names, in its order.
pub(crate) fn attributes(expr: &Expr) -> Vec<(&str, Span)> {
    let mut found = Vec::new();
    let mut todo = vec![expr];
    while let Some(expr) = todo.pop() {
        let of_caller = |term: &&Term| matches!(term.kind, TermKind::Caller(_));
        let terms: Vec<&Term> = match &expr.kind {
            ExprKind::Anyone => Vec::new(),
            ExprKind::Or(arms) | ExprKind::And(arms) => {
                todo.extend(arms);
                Vec::new()
            }
            ExprKind::Not(inner) => {
                todo.push(inner);
                Vec::new()
            }
            ExprKind::InCatalog(terms, _) => terms.iter().collect(),
            ExprKind::Truth(term) | ExprKind::IsNull(term) => vec![term],
            ExprKind::Compare(_, left, right) | ExprKind::Like(left, right) => vec![left, right],
            ExprKind::Between(term, low, high) => vec![term, low, high],
            ExprKind::In(term, set) | ExprKind::HasAny(term, set) => {
                let items = match set {
                    Set::List(items) => items.as_slice(),
                    Set::Caller(set) => std::slice::from_ref(set),
                    Set::Cidr(_) | Set::Lookup(..) => &[],
                };
                std::iter::once(term).chain(items).collect()
            }
        };
        found.extend(terms.into_iter().filter(of_caller).map(|term| (term.name(), term.span)));
    }
    found.sort_by_key(|(_, span)| *span);
    found
}
