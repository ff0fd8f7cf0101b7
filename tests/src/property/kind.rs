//! Kinds of columns: how each is declared, which values it takes, and how its values are ordered.

use std::cmp::Ordering;

use super::dice::Dice;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int2,
    Int4,
    Int8,
    /// `numeric(8,2)`.
    Money,
    Numeric,
    Float8,
    Text,
    /// Text under a collation that takes two cases for one.
    Folded,
    Varchar(usize),
    Char(usize),
    Bool,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Texts,
    Jsonb,
    Mood,
    /// A domain with a CHECK over `varchar(8)`.
    Code,
    /// A domain over `int4`.
    Count,
}

/// What a policy sees of a kind: what can be compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Text,
    Int,
    Numeric,
    Float,
    Bool,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Texts,
    Other,
}

pub(crate) const ALL: [Kind; 21] = [
    Kind::Int2,
    Kind::Int4,
    Kind::Int8,
    Kind::Money,
    Kind::Numeric,
    Kind::Float8,
    Kind::Text,
    Kind::Folded,
    Kind::Varchar(3),
    Kind::Varchar(12),
    Kind::Char(5),
    Kind::Bool,
    Kind::Date,
    Kind::Timestamp,
    Kind::TimestampTz,
    Kind::Uuid,
    Kind::Texts,
    Kind::Jsonb,
    Kind::Mood,
    Kind::Code,
    Kind::Count,
];

/// The types that [`Kind::Mood`], [`Kind::Code`] and [`Kind::Count`] stand for.
pub(crate) const TYPES: &str = "create type shop.mood as enum ('low', 'mid', 'high');
create domain shop.code as varchar(8) check (value <> 'forbidden');
create domain shop.counter as int4;
create collation shop.folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);";

impl Kind {
    /// The type of a column.
    pub(crate) fn declared(self) -> String {
        match self {
            Self::Code => "shop.code".to_owned(),
            Self::Count => "shop.counter".to_owned(),
            _ => self.base(),
        }
    }

    /// The type without domains: what a caller sees.
    pub(crate) fn base(self) -> String {
        match self {
            Self::Int2 => "int2".to_owned(),
            Self::Int4 | Self::Count => "int4".to_owned(),
            Self::Int8 => "int8".to_owned(),
            Self::Money => "numeric(8,2)".to_owned(),
            Self::Numeric => "numeric".to_owned(),
            Self::Float8 => "float8".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Folded => "text collate shop.folded".to_owned(),
            Self::Varchar(length) => format!("varchar({length})"),
            Self::Char(length) => format!("char({length})"),
            Self::Bool => "bool".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Timestamp => "timestamp".to_owned(),
            Self::TimestampTz => "timestamptz".to_owned(),
            Self::Uuid => "uuid".to_owned(),
            Self::Texts => "text[]".to_owned(),
            Self::Jsonb => "jsonb".to_owned(),
            Self::Mood => "shop.mood".to_owned(),
            Self::Code => "varchar(8)".to_owned(),
        }
    }

    pub(crate) fn class(self) -> Class {
        match self {
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Count => Class::Int,
            Self::Money | Self::Numeric => Class::Numeric,
            Self::Float8 => Class::Float,
            Self::Text | Self::Folded | Self::Varchar(_) | Self::Char(_) | Self::Code => Class::Text,
            Self::Bool => Class::Bool,
            Self::Date => Class::Date,
            Self::Timestamp => Class::Timestamp,
            Self::TimestampTz => Class::TimestampTz,
            Self::Uuid => Class::Uuid,
            Self::Texts => Class::Texts,
            Self::Jsonb | Self::Mood => Class::Other,
        }
    }

    /// The longest text that the column takes.
    pub(crate) fn length_max(self) -> Option<usize> {
        match self {
            Self::Varchar(length) | Self::Char(length) => Some(length),
            Self::Code => Some(8),
            _ => None,
        }
    }

    /// A value as source text; few, so that many are equal.
    pub(crate) fn value(self, dice: &mut Dice) -> String {
        let edge = dice.chance(8);
        let values: &[&str] = match (self, edge) {
            (Self::Int2, true) => &["32767", "-32768"],
            (Self::Int4 | Self::Count, true) => &["2147483647", "-2147483648"],
            (Self::Int8, true) => &["9223372036854775807", "-9223372036854775808"],
            (Self::Int2 | Self::Int4 | Self::Int8 | Self::Count, false) => &["0", "1", "2", "3", "-1", "10"],
            (Self::Money, true) => &["999999.99", "-999999.99", "NaN"],
            (Self::Money, false) => &["0.00", "1.00", "2.00", "2.50", "-1.00", "10.00"],
            (Self::Numeric, true) => &["NaN", "Infinity", "-Infinity", HUGE],
            (Self::Numeric, false) => &["0", "1", "2", "2.5", "-1", "10"],
            (Self::Float8, true) => &["NaN", "Infinity", "-Infinity", "1e+300"],
            (Self::Float8, false) => &["0", "1", "2", "2.5", "-1", "10"],
            (Self::Bool, _) => &["t", "f"],
            (Self::Date, true) => &["infinity", "-infinity", "4714-11-24 BC", "0001-01-01", "9999-12-31"],
            (Self::Date, false) => &["2024-01-01", "2024-02-29", "2025-06-30"],
            (Self::Timestamp | Self::TimestampTz, true) => {
                &["infinity", "-infinity", "0001-01-01 00:00:00", "9999-12-31 23:59:59"]
            }
            (Self::Timestamp | Self::TimestampTz, false) => {
                &["2024-01-01 00:00:00", "2024-02-29 12:30:00", "2025-06-30 23:59:59"]
            }
            (Self::Uuid, _) => UUIDS,
            (Self::Texts, true) => &["{}", "{NULL}", "{{a,EU},{b,US}}"],
            (Self::Texts, false) => &["{a}", "{a,b}", "{EU,1}", "{x,NULL}"],
            (Self::Jsonb, true) => &["null", "[]", "{}", "\"a\""],
            (Self::Jsonb, false) => &["{\"k\": \"a\", \"n\": 1}", "{\"k\": null, \"n\": 0}", "{\"n\": 2}"],
            (Self::Mood, _) => &["low", "mid", "high"],
            (Self::Text | Self::Varchar(_) | Self::Char(_) | Self::Code, true) => {
                &["", "😀é", "it's", "a\\b", "%_", "a\nb", "a@b@c", "@", "İ"]
            }
            // No two of them are equal under the collation, or either could stand for both.
            (Self::Folded, _) => &["a", "b", "EU", "US", "x@y", "0", "", "😀"],
            (Self::Varchar(3), false) => &["a", "ab", "EU", "US", "1", "a@b", "0"],
            (Self::Char(_), false) => &["a", "EU", "US", "abcd", "12345", "a@b"],
            (Self::Text | Self::Varchar(_) | Self::Code, false) => {
                &["a", "b", "EU", "US", "abc", "12", "0", "a@x.org", "Zoë"]
            }
        };
        let value = *dice.pick(values);
        // An edge value that is too long for the column.
        let fits = self.length_max().is_none_or(|length| value.chars().count() <= length);
        if fits { value.to_owned() } else { "a".to_owned() }
    }

    /// A value that a policy can write.
    pub(crate) fn literal(self, dice: &mut Dice) -> String {
        loop {
            let value = self.value(dice);
            let outside = ["NaN", "Infinity", "infinity", "BC", "e+"];
            if value != HUGE && !outside.iter().any(|part| value.contains(part)) {
                return value;
            }
        }
    }
}

/// Beyond every float: a cast of it fails.
pub(crate) const HUGE: &str = "1000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

const UUIDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

impl Class {
    /// Whether a policy may compare it.
    pub(crate) fn compares(self) -> bool {
        !matches!(self, Self::Texts | Self::Other)
    }

    /// Whether `<` is meant for it.
    pub(crate) fn has_order(self) -> bool {
        self.compares() && !matches!(self, Self::Text | Self::Bool)
    }

    /// The order of two values in their source texts.
    pub(crate) fn order(self, left: &str, right: &str) -> Ordering {
        match self {
            Self::Int | Self::Numeric => Number::read(left).cmp(&Number::read(right)),
            Self::Float => float(left).total_cmp(&float(right)),
            Self::Date | Self::Timestamp | Self::TimestampTz => moment(left).cmp(&moment(right)),
            Self::Bool => truth(left).cmp(&truth(right)),
            Self::Text | Self::Uuid | Self::Texts | Self::Other => left.cmp(right),
        }
    }
}

/// `t`, `true`: true.
pub(crate) fn truth(text: &str) -> bool {
    text.starts_with('t')
}

/// A number of any size, without an exponent in its text; infinity is above all of them, and NaN above that.
#[derive(Debug, PartialEq, Eq)]
enum Number {
    BelowAll,
    /// Whether it is negative, how many digits stand before the point, and the digits without zeros at either end.
    Finite(bool, i64, String),
    AboveAll,
    NaN,
}

impl Number {
    fn read(text: &str) -> Self {
        match text {
            "-Infinity" => return Self::BelowAll,
            "Infinity" => return Self::AboveAll,
            "NaN" => return Self::NaN,
            _ => {}
        }
        let plain = text.trim_start_matches('-');
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let places =
            i64::try_from(whole.len()).unwrap() - i64::try_from(digits.len() - significant.len()).unwrap();
        let significant = significant.trim_end_matches('0').to_owned();
        let zero = significant.is_empty();
        Self::Finite(!zero && text.starts_with('-'), if zero { i64::MIN } else { places }, significant)
    }

    fn rank(&self) -> u8 {
        match self {
            Self::BelowAll => 0,
            Self::Finite(..) => 1,
            Self::AboveAll => 2,
            Self::NaN => 3,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Finite(true, ..), Self::Finite(false, ..)) => Ordering::Less,
            (Self::Finite(false, ..), Self::Finite(true, ..)) => Ordering::Greater,
            (Self::Finite(negative, places, digits), Self::Finite(_, other_places, other)) => {
                let order = places.cmp(other_places).then_with(|| digits.cmp(other));
                if *negative { order.reverse() } else { order }
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// NaN is equal to itself and above all, and the two zeros are one.
fn float(text: &str) -> f64 {
    let number: f64 = text.parse().unwrap();
    if number.is_nan() { f64::NAN } else { number + 0.0 }
}

/// A moment's place: the infinities around all years, and years before Christ below zero.
fn moment(text: &str) -> (u8, i64, &str) {
    match text {
        "-infinity" => return (0, 0, ""),
        "infinity" => return (2, 0, ""),
        _ => {}
    }
    let (year, rest) = text.split_once('-').unwrap();
    let year: i64 = year.parse().unwrap();
    match rest.strip_suffix(" BC") {
        Some(rest) => (1, 1 - year, rest),
        None => (1, year, rest),
    }
}
