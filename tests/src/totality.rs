//! Guards never fail, whatever a row holds: each mask and each predicate over every edge value of every type that it
//! fits, under settings that a session may have. The answer is that of a model in Rust, NULL stays NULL, the type is the
//! column's, and no notice is heard.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that needs nothing special is not named")]

mod edges;
mod hashes;
mod paths;
mod predicates;
mod scale;
mod shop;

use access::{Cell, Predicate, Value};
use edges::{Edge, edges};
use shop::{SETTINGS, Shop};
use testkit::Postgres;

use crate::property::kind::{Class, Kind};
use crate::property::mask::Mask;

#[tokio::test]
async fn masks_are_total() {
    let server = Postgres::start();
    let edges = edges();
    let mut shop = Shop::open(&server, &edges).await;
    for (at, edge) in edges.iter().enumerate() {
        let stored = shop.stored(at).await;
        for (mask, cell, wanted) in masks(&mut shop, edge, &stored).await {
            let sent = shop.guarded(at, "v", None, Cell::always(cell));
            for settings in SETTINGS {
                let told = format!("{mask} over {} under `{settings}`\n{sent}", edge.declared);
                let answer = shop.answer(&sent, settings, &told).await;
                assert_eq!(answer.ty, shop.types[at], "{told}");
                for (row, (given, wanted)) in answer.cells.iter().zip(&wanted).enumerate() {
                    assert!(given == wanted, "{told}\nrow {row}: {}", shown(&stored[row], given, wanted));
                }
                assert_eq!(answer.cells.len(), wanted.len(), "{told}");
            }
        }
    }
    shop.heard_nothing();
}

#[tokio::test]
async fn predicates_are_total() {
    let server = Postgres::start();
    let edges = edges();
    let mut shop = Shop::open(&server, &edges).await;
    for (at, edge) in edges.iter().enumerate() {
        let rows = edge.rows();
        let forms = predicates::forms(edge).into_iter().chain(predicates::lookups(at, edge));
        for (turn, predicate) in forms.enumerate() {
            let admitted = |(_, row): &(usize, &(Option<String>, Option<String>))| {
                predicates::holds(&predicate, edge, row) == Some(true)
            };
            let wanted: Vec<i32> = rows
                .iter()
                .enumerate()
                .filter(admitted)
                .map(|(place, _)| i32::try_from(place).unwrap())
                .collect();
            let sent = shop.guarded(at, "id", Some(predicate.clone()), Cell::always(access::Mask::Clear));
            // Each under the first settings and, in turns, under one of the others.
            for settings in [SETTINGS[0], SETTINGS[1 + turn % (SETTINGS.len() - 1)]] {
                let told = format!("{predicate:?} over {} under `{settings}`\n{sent}", edge.declared);
                let given = shop.answer(&sent, settings, &told).await.ids;
                assert_eq!(given, wanted, "{told}\n{}", differing(&given, &wanted, &rows));
            }
        }
    }
    shop.heard_nothing();
}

type Bytes = Option<Vec<u8>>;

/// Each mask that fits, and what it has to give for each row.
async fn masks(shop: &mut Shop, edge: &Edge, stored: &[Bytes]) -> Vec<(String, access::Mask, Vec<Bytes>)> {
    let mut masks = vec![
        ("clear".to_owned(), access::Mask::Clear, stored.to_vec()),
        ("nullify".to_owned(), access::Mask::Nullify, vec![None; stored.len()]),
    ];
    for value in edge.constants() {
        let constant = shop.constant(edge, &value).await;
        let wanted = stored.iter().map(|cell| cell.as_ref().map(|_| constant.clone())).collect();
        masks.push((format!("the constant {value:?}"), access::Mask::Constant(value), wanted));
    }
    if let Some(wanted) = hashes::wanted(edge, stored) {
        masks.push(("hash".to_owned(), access::Mask::Hash(hashes::key()), wanted));
    }
    for (mask, wanted) in scale::masks(edge) {
        let wanted = shop.typed(edge.base, &wanted).await;
        masks.push((format!("{mask:?}"), mask, wanted));
    }
    if edge.class == Class::Text {
        for mask in text_masks() {
            let wanted = stored.iter().map(|cell| masked(&mask, edge.kind, cell)).collect();
            masks.push((mask.written(), lowered(&mask), wanted));
        }
    }
    masks
}

fn text_masks() -> Vec<Mask> {
    let mut masks = vec![Mask::Shape, Mask::Email { domain_only: false }, Mask::Email { domain_only: true }];
    for (first, last) in [(0, 0), (1, 0), (0, 1), (0, 4), (2, 2), (3, 10_000), (10_000, 10_000)] {
        masks.push(Mask::Partial { first, last, fill: '*' });
    }
    for fill in ['é', '😀', '\\', '\'', '"', '%'] {
        masks.push(Mask::Partial { first: 1, last: 1, fill });
    }
    masks
}

/// The model's answer: over `char(n)` without its blanks, which it then gets again.
fn masked(mask: &Mask, kind: Kind, cell: &Bytes) -> Bytes {
    let text = String::from_utf8(cell.clone()?).unwrap();
    let padded = match kind {
        Kind::Char(length) => Some(length),
        _ => None,
    };
    let text = if padded.is_some() { text.trim_end_matches(' ').to_owned() } else { text };
    let mut shown = mask.apply(kind, &Some(text))?;
    if let Some(length) = padded {
        let missing = length - shown.chars().count();
        shown.push_str(&" ".repeat(missing));
    }
    Some(shown.into_bytes())
}

fn lowered(mask: &Mask) -> access::Mask {
    let count = |count: &usize| u32::try_from(*count).unwrap();
    match mask {
        Mask::Clear => access::Mask::Clear,
        Mask::Shape => access::Mask::Shape,
        Mask::Partial { first, last, fill } => {
            access::Mask::Partial { first: count(first), last: count(last), fill: *fill }
        }
        Mask::Email { domain_only } => access::Mask::Email { domain_only: *domain_only },
        Mask::Constant(text) => access::Mask::Constant(Value::Text(text.as_str().into())),
        Mask::Nullify | Mask::Hide => access::Mask::Nullify,
    }
}

/// The beginnings of three values.
fn shown(stored: &Bytes, given: &Bytes, wanted: &Bytes) -> String {
    let short = |cell: &Bytes| {
        let text = cell.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        text.map(|text| text.chars().take(80).collect::<String>())
    };
    format!("{:?} is shown as {:?}, not {:?}", short(stored), short(given), short(wanted))
}

fn differing(given: &[i32], wanted: &[i32], rows: &[(Option<String>, Option<String>)]) -> String {
    let wrong = (0_i32..).zip(rows).filter(|(id, _)| given.contains(id) != wanted.contains(id));
    let line = |(id, (one, other)): (i32, &(Option<String>, Option<String>))| {
        let short =
            |cell: &Option<String>| cell.as_ref().map(|text| text.chars().take(60).collect::<String>());
        let verb = if given.contains(&id) { "admitted" } else { "left out" };
        format!("{:?} beside {:?} is {verb}", short(one), short(other))
    };
    wrong.map(line).collect::<Vec<_>>().join("\n")
}

/// The predicate that admits every row, for what needs one.
fn everything() -> Predicate {
    Predicate::Known(Some(true))
}
