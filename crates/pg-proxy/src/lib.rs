//! The Postgres wire protocol: frames and start-up, callers in front, the store behind.

pub mod back;
pub mod cancel;
pub mod catalog;
mod fields;
pub mod frame;
pub mod front;
pub mod login;
pub mod scram;
pub mod startup;
pub mod tls;
pub mod upstream;

#[cfg(test)]
mod tests;
