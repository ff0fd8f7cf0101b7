//! The tests of the whole: one binary, a module a subject.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod barrier;
#[cfg(test)]
mod book;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod differ;
#[cfg(test)]
mod first_hour;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod hash;
#[cfg(test)]
mod health;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod property;
#[cfg(test)]
mod regress;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod safe_list;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod totality;
