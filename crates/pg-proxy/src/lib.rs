//! The Postgres wire protocol: frames and start-up, callers in front, the store behind.

pub mod back;
pub mod frame;
pub mod front;
pub mod login;
pub mod scram;
pub mod startup;
pub mod tls;

#[cfg(test)]
mod tests;
