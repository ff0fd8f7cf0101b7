//! SQL in, guarded SQL out.
//!
//! | stage | from | to | file |
//! |---|---|---|---|
//! | parse | text | [`Batch`] of [`Statement`]s, each of a known kind | `parse.rs`, `statement.rs`, `settings.rs` |
//! | forward | a [`Statement`] that reads nothing | text | `forward.rs` |
//! | print | [`Rewritten`] | [`Printed`]: text, and the tree that it reads back as | `print.rs`, `parens.rs` |
//!
//! Value in, value out: no I/O, no clock. Every stage runs inside [`on_stack`], and whatever a stage does not know it
//! refuses.

mod ffi;
mod forward;
#[expect(dead_code, unused_imports, reason = "not every list is asked by a stage")]
mod lists;
mod nesting;
mod parens;
mod parse;
mod print;
mod settings;
mod stack;
mod statement;

pub use forward::{Forwarded, forward, set_statement, show_path};
pub use parse::{Batch, Limits, parse};
pub use print::{Printed, Rewritten, print};
pub use settings::start_up_setting;
pub use stack::on_stack;
pub use statement::{Effect, Kind, Statement};

#[cfg(test)]
mod tests;
