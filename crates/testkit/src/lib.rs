//! What the tests share: a real PostgreSQL, case files, canaries.
//!
//! Development only: nothing that ships depends on it. It fails by panicking, so that the test that called it fails.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test kit fails by panicking: the test that called it is the one to fail"
)]

pub mod canary;
pub mod case;
pub mod certificate;
mod data_folder;
mod installation;
pub mod plans;
pub mod postgres;
pub mod watchdog;
pub mod workspace;

pub use postgres::{Auth, Database, Options, Postgres, Tls};
