//! Masks as the policy language describes them, computed in Rust.

use super::kind::{Class, Kind};
use super::world::Cell;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mask {
    Clear,
    Shape,
    Partial { first: usize, last: usize, fill: char },
    Email { domain_only: bool },
    Constant(String),
    Nullify,
    Hide,
}

impl Mask {
    /// The mask as a policy writes it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Clear => "clear".to_owned(),
            Self::Shape => "shape".to_owned(),
            Self::Partial { first: 0, last, fill: '*' } => format!("{{last: {last}}}"),
            Self::Partial { first, last: 0, fill: '*' } => format!("{{first: {first}}}"),
            Self::Partial { first, last, fill } => {
                format!("{{partial: {{first: {first}, last: {last}, fill: \"{fill}\"}}}}")
            }
            Self::Email { domain_only: false } => "email".to_owned(),
            Self::Email { domain_only: true } => "{email: domain}".to_owned(),
            Self::Constant(text) => format!("{{constant: {}}}", serde_json::to_string(text).unwrap()),
            Self::Nullify => "nullify".to_owned(),
            Self::Hide => "hide".to_owned(),
        }
    }

    /// Whether it gives a value of the column's type.
    pub(crate) fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Clear | Self::Nullify | Self::Hide => true,
            Self::Shape | Self::Partial { .. } | Self::Email { .. } => kind.class() == Class::Text,
            Self::Constant(text) => match kind.class() {
                Class::Text => kind.length_max().is_none_or(|length| text.chars().count() <= length),
                Class::Int | Class::Numeric | Class::Float => {
                    text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 3
                }
                _ => false,
            },
        }
    }

    /// What a cell shows.
    pub(crate) fn apply(&self, kind: Kind, cell: &Cell) -> Cell {
        let text = cell.as_ref()?;
        let shown = match self {
            Self::Clear => return cell.clone(),
            Self::Nullify | Self::Hide => return None,
            Self::Constant(constant) => constant.clone(),
            Self::Shape => text.chars().map(shape).collect(),
            Self::Partial { first, last, fill } => partial(text, *first, *last, *fill),
            Self::Email { domain_only } => email(text, *domain_only),
        };
        // A mask can be longer than its column.
        Some(match kind.length_max() {
            Some(length) => shown.chars().take(length).collect(),
            None => shown,
        })
    }

    /// The line of the language's table: the greater shows less.
    fn line(&self) -> u8 {
        match self {
            Self::Clear => 0,
            Self::Shape => 1,
            Self::Partial { .. } => 2,
            Self::Email { .. } => 3,
            Self::Constant(_) => 4,
            Self::Nullify => 5,
            Self::Hide => 6,
        }
    }

    /// The greater shows less.
    pub(crate) fn rank(&self) -> (u8, i64, String) {
        let shown = match self {
            Self::Partial { first, last, .. } => first + last,
            Self::Email { domain_only } => usize::from(!domain_only),
            Self::Constant(text) => text.chars().count(),
            Self::Clear | Self::Shape | Self::Nullify | Self::Hide => 0,
        };
        let text = match self {
            // The order of texts is the one of a policy that needs no quotes.
            Self::Constant(text) => text.clone(),
            _ => self.written(),
        };
        (self.line(), -i64::try_from(shown).unwrap(), text)
    }

    /// Whether both show different parts, so that neither can stand for both.
    fn clashes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Partial { first: f1, last: l1, .. }, Self::Partial { first: f2, last: l2, .. }) => {
                (f1 < f2 && l1 > l2) || (f1 > f2 && l1 < l2)
            }
            (Self::Constant(one), Self::Constant(other)) => one != other,
            _ => false,
        }
    }
}

/// What is left of a mask under caps.
pub(crate) fn capped(mask: &Mask, caps: &[Mask]) -> Mask {
    let all: Vec<&Mask> = std::iter::once(mask).chain(caps).collect();
    if all.iter().any(|one| all.iter().any(|other| one.clashes(other))) {
        return Mask::Nullify;
    }
    all.into_iter().max_by_key(|mask| mask.rank()).unwrap().clone()
}

/// ASCII keeps its case; what is beyond it is a letter.
fn shape(letter: char) -> char {
    match letter {
        'A'..='Z' => 'X',
        'a'..='z' => 'x',
        '0'..='9' => '0',
        _ if letter.is_ascii() => letter,
        _ => 'x',
    }
}

fn partial(text: &str, first: usize, last: usize, fill: char) -> String {
    let letters: Vec<char> = text.chars().collect();
    let hidden = |at: usize| letters.len() <= first + last || (at >= first && at < letters.len() - last);
    letters.iter().enumerate().map(|(at, letter)| if hidden(at) { fill } else { *letter }).collect()
}

fn email(text: &str, domain_only: bool) -> String {
    match text.split_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {
            let first = local.chars().next().filter(|_| !domain_only);
            format!("{}***@{domain}", first.map(String::from).unwrap_or_default())
        }
        _ => text.chars().map(|_| '*').collect(),
    }
}
