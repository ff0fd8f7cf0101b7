//! The tests of the whole: one binary, a module a subject.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod tidy;
