//! Canaries: values for hidden cells that cannot turn up by accident, and a search for any trace of them.

use std::collections::{BTreeMap, HashMap};

/// Letters that no word strings together.
const LETTERS: &[u8; 16] = b"bcdfghjkmnpqrtvz";
/// So many characters of a canary in a row count as a trace.
const TRACE: usize = 6;

/// A text of 16 letters for this label and number, always the same.
#[must_use]
pub fn text(label: &str, number: u64) -> String {
    let mut state = seed(label, number);
    (0..16).map(|_| letter(&mut state)).collect()
}

/// A number of nine digits for this label and number, always the same.
#[must_use]
pub fn number(label: &str, number: u64) -> u32 {
    let spread = seed(label, number) % 900_000_000;
    u32::try_from(spread).unwrap_or_default() + 100_000_000
}

/// What must not be found.
#[derive(Debug, Clone, Default)]
pub struct Canaries {
    /// Traces by their length, each with the canary that it is of.
    traces: BTreeMap<usize, HashMap<Vec<u8>, String>>,
}

impl Canaries {
    /// Adds a text: any six characters of it in a row are a trace, in either case and direction, in hexadecimal and in
    /// base64, in one byte or two a character.
    pub fn add_text(&mut self, canary: &str) {
        let lower = canary.to_ascii_lowercase();
        let reversed: String = lower.chars().rev().collect();
        for form in [&lower, &reversed] {
            for window in form.as_bytes().windows(TRACE) {
                self.add(canary, window.to_vec());
                self.add(canary, hex(window).into_bytes());
                self.add(canary, window.iter().flat_map(|byte| [*byte, 0]).collect());
            }
        }
        for form in [canary.to_owned(), canary.to_ascii_uppercase(), lower] {
            for skip in 0..3 {
                self.add(canary, base64_inside(form.as_bytes(), skip));
            }
        }
    }

    /// Adds a number: its digits, and its bytes as an `int4` and an `int8` of the binary format.
    pub fn add_number(&mut self, canary: u32) {
        let name = canary.to_string();
        self.add(&name, name.clone().into_bytes());
        self.add(&name, canary.to_be_bytes().to_vec());
    }

    /// The canaries of which these bytes hold a trace.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let lower = bytes.to_ascii_lowercase();
        let mut found: Vec<&str> = Vec::new();
        for (length, traces) in &self.traces {
            for window in bytes.windows(*length).chain(lower.windows(*length)) {
                if let Some(name) = traces.get(window)
                    && !found.contains(&name.as_str())
                {
                    found.push(name);
                }
            }
        }
        found
    }

    /// Fails where these bytes hold a trace of any.
    pub fn assert_absent(&self, bytes: &[u8], where_from: &str) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{where_from} shows {found:?}:\n{}", String::from_utf8_lossy(bytes));
    }

    fn add(&mut self, name: &str, trace: Vec<u8>) {
        self.traces.entry(trace.len()).or_default().insert(trace, name.to_owned());
    }
}

/// FNV-1a, then one round of SplitMix64.
fn seed(label: &str, number: u64) -> u64 {
    let bytes = label.bytes().chain(number.to_le_bytes());
    let mut state = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    next(&mut state)
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn letter(state: &mut u64) -> char {
    let index = usize::try_from(next(state) % 16).unwrap_or_default();
    LETTERS.get(index).map_or('q', |byte| char::from(*byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The part of the base64 of a longer text that depends on these bytes alone, which start `skip` bytes into a group.
fn base64_inside(bytes: &[u8], skip: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = bytes.get(skip..).unwrap_or_default().chunks_exact(3);
    whole
        .flat_map(|group| {
            let bits = group.iter().fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| ALPHABET.get((bits >> shift) & 63).copied().unwrap_or_default())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> (String, Canaries) {
        let canary = text("customers.notes", 7);
        let mut canaries = Canaries::default();
        canaries.add_text(&canary);
        canaries.add_number(123_456_789);
        (canary, canaries)
    }

    #[test]
    fn finds_every_disguise() {
        let (canary, canaries) = search();
        let reversed: String = canary.chars().rev().collect();
        for bytes in [
            format!("row: {canary}").into_bytes(),
            canary.to_uppercase().into_bytes(),
            canary.as_bytes()[4..11].to_vec(),
            reversed.into_bytes(),
            format!("\\x{}", hex(canary.as_bytes())).into_bytes(),
            [b"x".to_vec(), base64_inside(canary.as_bytes(), 0)].concat(),
        ] {
            assert_eq!(canaries.found_in(&bytes), [canary.as_str()]);
        }
        assert_eq!(canaries.found_in(b"id 123456789"), ["123456789"]);
        assert_eq!(canaries.found_in(&123_456_789_u64.to_be_bytes()), ["123456789"]);
    }

    #[test]
    fn finds_nothing_elsewhere() {
        let (_, canaries) = search();
        let other = text("customers.notes", 8);
        canaries.assert_absent(other.as_bytes(), "another canary");
        canaries.assert_absent(b"SELECT id, name FROM public.customers WHERE region = 'EU'", "a statement");
    }

    #[test]
    fn numbers_have_nine_digits() {
        assert!((0..1000).all(|n| (100_000_000..1_000_000_000).contains(&number("x", n))));
    }
}
