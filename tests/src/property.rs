//! The property that is the product: for every policy, caller, rows and query, what the rewritten query gives over all
//! rows is what the query gives over the rows that the caller may see, already masked.
//!
//! The right side is a model: rows are filtered and cells masked in Rust, by the policy's words and not by its code, and
//! loaded into a second database, where the query runs as it was asked. `VEILGATE_SEED` starts at another world,
//! `VEILGATE_PROPERTY_SECONDS` goes on for so long, `VEILGATE_PROPERTY_FAILURES` until so many worlds have failed.

#![expect(clippy::wildcard_enum_match_arm, reason = "a kind that needs nothing special is not named")]

mod condition;
pub(crate) mod dice;
pub(crate) mod kind;
pub(crate) mod mask;
mod model;
mod people;
mod query;
mod rules;
mod side;
mod trial;
mod world;

use std::time::{Duration, Instant};

use testkit::Postgres;
use trial::{Sides, Strength, Tally};

/// Worlds where nobody says how long to go on, and queries in each.
const WORLDS: u64 = 80;
const FAILURES_MAX: u64 = 3;
/// At most so many queries of a hundred are refused, or the generator asks for what is not there.
const REFUSED_MAX: usize = 35;

#[tokio::test]
async fn the_answer_is_that_of_the_visible_masked_rows() {
    let seconds = number("VEILGATE_PROPERTY_SECONDS");
    let seed = number("VEILGATE_SEED").unwrap_or(1);
    let server = Postgres::start();
    let (store, model) = (server.database(), server.database());
    let mut sides = Sides::connect(&store, &model).await;
    let mut tally = Tally::default();
    let failures_max = number("VEILGATE_PROPERTY_FAILURES").unwrap_or(FAILURES_MAX);
    let (began, mut world) = (Instant::now(), seed);
    loop {
        let over = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => world - seed >= WORLDS,
        };
        if over || tally.failures.len() as u64 >= failures_max {
            break;
        }
        trial::world(&mut sides, world, Strength::Whole, &mut tally).await;
        world += 1;
    }
    eprintln!("{} worlds in {:?}\n{tally}", world - seed, began.elapsed());
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n\n"));
    assert!(tally.spares_few(), "too many queries answer where the model fails");
    let share = tally.refused_share();
    assert!(!tally.is_large() || share <= REFUSED_MAX, "{share} of a hundred are refused");
}

/// What is compared must be felt: without filters, or without masks, a few worlds are enough to see it.
#[tokio::test]
async fn a_weaker_gateway_is_found_out() {
    let server = Postgres::start();
    let (store, model) = (server.database(), server.database());
    let mut sides = Sides::connect(&store, &model).await;
    for strength in [Strength::WithoutFilters, Strength::WithoutMasks] {
        let mut tally = Tally::default();
        for seed in 1..=5 {
            trial::world(&mut sides, seed, strength, &mut tally).await;
        }
        assert!(tally.failures.len() >= 2, "{strength:?} is wrong in {} worlds of 5", tally.failures.len());
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}
