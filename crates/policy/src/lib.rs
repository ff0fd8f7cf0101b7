//! Policy text in, decisions out: the only crate that knows the policy language.

pub mod document;
mod error;

pub use error::{Diagnostic, Severity, Source, Span, did_you_mean};
