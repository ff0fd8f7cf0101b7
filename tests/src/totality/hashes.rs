//! Hashes of edge values, by the gateway's own arithmetic instead of the store's.

use access::HashKey;
use gate::{DerivedKey, HashKeys};

use super::edges::Edge;
use super::{Bytes, Kind};

/// The key that the guards name.
pub(super) fn key() -> HashKey {
    HashKey { root: "pii".into(), purpose: Some("training".into()) }
}

fn derived() -> DerivedKey {
    let secret = b"0123456789abcdef0123456789abcdef".to_vec();
    HashKeys::new([(1, secret.into())], 1).unwrap().derived(&key()).unwrap()
}

/// What the store gets as parameters.
pub(super) fn blocks() -> [Vec<u8>; 2] {
    derived().parameters().map(<[u8]>::to_vec)
}

/// The token of each stored value, as the server sends it; none where the type has no tokens.
pub(super) fn wanted(edge: &Edge, stored: &[Bytes]) -> Option<Vec<Bytes>> {
    let key = derived();
    let text = |cell: &[u8]| std::str::from_utf8(cell).unwrap().to_owned();
    let token = |cell: &Bytes| -> Bytes {
        let cell = cell.as_ref()?;
        Some(match (edge.base, edge.kind) {
            ("uuid", _) => digits(&key.uuid(&written(cell))),
            ("bytea", _) => digits(key.bytes(cell).trim_start_matches("\\x")),
            ("int8", _) => {
                let number = i64::from_be_bytes(cell.as_slice().try_into().unwrap());
                key.bigint(number).to_be_bytes().to_vec()
            }
            (_, Kind::Char(length)) => {
                format!("{:length$}", key.text(text(cell).trim_end_matches(' '))).into_bytes()
            }
            _ => key.text(&text(cell)).into_bytes(),
        })
    };
    let has_tokens = matches!(edge.base, "uuid" | "bytea" | "int8" | "text")
        || matches!(edge.kind, Kind::Char(16..) | Kind::Varchar(16..));
    has_tokens.then(|| stored.iter().map(token).collect())
}

/// A UUID as it is written.
fn written(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// The bytes of hexadecimal digits.
fn digits(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}
