//! Tests of the whole crate: the policies that are shipped, and cases.

mod world;
