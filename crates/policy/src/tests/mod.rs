//! Tests of the whole crate: the policies that are shipped, cases, and properties.

mod cases;
mod property;
mod world;
