//! Tests of the wire half; those with a store start a real Postgres.

mod frame;
