//! Tests of both halves; those with a store start a real Postgres.

mod cancel;
mod catalog;
mod extended;
mod frame;
mod gateway;
mod hidden;
mod hostile;
mod parity;
mod policy;
mod pool;
mod scram;
mod simple;
mod startup;
mod upstream;
