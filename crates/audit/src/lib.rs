//! The record of every decision: one JSON line each, in the log before anything is sent.
//!
//! This is the only crate that knows the log's format. A log that cannot be written refuses: a request that cannot be
//! recorded does not happen.

mod error;
mod event;
mod line;
mod log;

pub use error::Error;
pub use event::{Decided, Event, Finished, Outcome, Phase, Refused, Session};
pub use log::{Durability, Log, RecordId};
