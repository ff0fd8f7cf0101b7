//! The Postgres wire protocol: frames and start-up, callers in front, the store behind.

pub mod back;
pub mod frame;
pub mod front;

#[cfg(test)]
mod tests;
