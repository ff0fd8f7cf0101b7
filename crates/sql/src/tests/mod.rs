//! Tests that go through several stages.

mod generator;
mod large;
mod printing;
