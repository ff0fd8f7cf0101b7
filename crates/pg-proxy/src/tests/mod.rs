//! Tests of the wire half; those with a store start a real Postgres.

mod cancel;
mod catalog;
mod frame;
mod scram;
mod startup;
mod upstream;
