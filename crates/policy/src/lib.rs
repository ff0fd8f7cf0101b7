//! Policy text in, decisions out: the only crate that knows the policy language.
//!
//! ```text
//! sources --parse--> Policy --bind(catalogues)--> Bound --guards(caller, touches)--> Guards
//! ```

mod bind;
mod catalogue;
mod check;
pub mod document;
mod error;
mod explain;
mod expr;
mod guards;
mod lints;
mod lock;
mod mask;
mod name;
mod parse;
mod policy;
mod rights;
mod schema;
mod value;
mod visible;

pub use bind::Bound;
pub use error::{Diagnostic, Severity, Source, Span, did_you_mean};
pub use explain::{ExplainedRelation, ExplainedRule, Explanation};
pub use lock::{LOCK, empty_lock};
pub use parse::parse;
pub use policy::{Expectation, Policy, PolicyTest};
pub use rights::Right;

#[cfg(test)]
mod tests;
