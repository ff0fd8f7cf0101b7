//! The tests of the whole: one binary, a module a subject.

#[cfg(test)]
mod tidy;
