//! SQL in, guarded SQL out.
//!
//! | stage | from | to | file |
//! |---|---|---|---|
//! | parse | text | [`Batch`] of [`Statement`]s, each of a known kind | `parse.rs`, `statement.rs`, `settings.rs`, `copy.rs`, `cursor.rs`, `prepared.rs`, `set_config.rs` |
//! | scope | a [`Statement`] | [`Scope`]: the relations that it reads | `scope.rs`, `relations.rs`, `views.rs`, `names.rs` |
//! | rewrite | [`Scope`], guards | [`Rewritten`]: every relation inside its guard | `rewrite.rs`, `versions.rs`, `added.rs`, `analyze.rs`, `select.rs`, `from.rs`, `table_functions.rs`, `sample.rs`, `grouping.rs`, `expr.rs`, `json.rs`, `compare.rs`, `calls.rs`, `barrier.rs`, `gates.rs`, `gated.rs`, `views_open.rs`, `views_closed.rs`, `edits.rs`, `written_out.rs`, `lower.rs` |
//! | forward | a [`Statement`] that reads nothing | text | `forward.rs` |
//! | print | [`Rewritten`] | [`Printed`]: text, and the tree that it reads back as | `print.rs`, `parens.rs` |
//! | verify | [`Printed`], guards | the same, proven: no relation outside its guard | `verify.rs` |
//!
//! Value in, value out: no I/O, no clock. Every stage runs inside [`on_stack`], and whatever a stage does not know it
//! refuses.

mod added;
mod analyze;
mod barrier;
mod build;
mod calls;
mod catalogue;
mod compare;
mod composite;
mod copy;
mod cursor;
mod depth;
mod edits;
mod expr;
mod ffi;
mod figure;
mod forward;
mod from;
mod gated;
mod gates;
mod grouping;
mod hidden;
mod json;
mod lists;
mod lower;
mod membership;
mod names;
mod nesting;
mod parens;
mod parse;
mod prepared;
mod print;
mod range;
mod relations;
mod rewrite;
mod rows;
mod sample;
mod scope;
mod select;
mod set_config;
mod settings;
mod stack;
mod statement;
mod table;
mod table_functions;
mod unnest;
mod verify;
mod versions;
mod views;
mod views_closed;
mod views_open;
mod written_out;

pub use compare::is_pattern;
pub use forward::{Forwarded, answer, forward, set_statement, show_path};
pub use hidden::Hidden;
pub use names::Session;
pub use parse::{Batch, Limits, parse};
pub use prepared::{Query, execute, executes, prepared_query};
pub use print::{Printed, Rewritten, print};
pub use rewrite::rewrite;
pub use scope::{Scope, scope};
pub use settings::start_up_setting;
pub use stack::on_stack;
pub use statement::{Effect, Kind, Rights, Statement};
pub use table::table;
pub use verify::verify;

#[cfg(test)]
mod tests;
