//! The Postgres wire protocol: frames and start-up, callers in front, the store behind.
//!
//! | what | file |
//! |---|---|
//! | the listener, its limits, its end | `serve.rs` |
//! | one client, from login to goodbye; how long it may wait | `open.rs`, `session.rs`, `client.rs`, `clock.rs` |
//! | its queries, in the simple protocol and in the extended one | `simple.rs`, `extended.rs` |
//! | keys of hashes, which it does not see | `hidden.rs` |
//! | its prepared statements and portals, its settings | `statements.rs`, `settings.rs` |
//! | names that it gives in SQL | `names.rs` |
//! | bytes out and in, answers in their order | `relay.rs` |
//! | refusals, and errors of the store made safe | `answer.rs` |
//! | connections to the store | `pool.rs`, `upstream.rs` |
//! | cancels that hit nobody else | `cancel.rs` |
//! | what a store holds; what its operator asks of it | `catalog.rs`, `survey.rs`, `roads.rs` |
//! | messages, and how they are read | `frame.rs`, `front.rs`, `back.rs` |
//! | a client's first packets and its proof | `startup.rs`, `tls.rs`, `login.rs`, `scram.rs` |

mod answer;
pub mod back;
pub mod cancel;
pub mod catalog;
mod client;
mod clock;
mod extended;
mod fields;
pub mod frame;
pub mod front;
mod hidden;
pub mod login;
mod names;
mod objects;
mod open;
mod pool;
mod relay;
pub mod roads;
pub mod scram;
mod serve;
mod session;
mod settings;
mod simple;
pub mod startup;
mod statements;
pub mod survey;
pub mod tls;
pub mod upstream;

pub use pool::{Pool, PoolLimits};
pub use serve::{Limits, Proxy, serve};

#[cfg(test)]
mod tests;
