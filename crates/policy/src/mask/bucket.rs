//! The numbers of a bucket: exact, and few enough digits to be computed with.

use std::cmp::{Ordering, Reverse};
use std::fmt;

use access::{Mask, Value};

/// Digits before and behind the point.
const WHOLE_MAX: usize = 19;
const FRACTION_MAX: usize = 15;

/// `{width: 1000, low: 0, high: 90000}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    width: Number,
    low: Number,
    high: Number,
}

/// A decimal number as so many parts of `10^15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Number(i128);

impl Bucket {
    /// A bucket from its numbers.
    ///
    /// # Errors
    /// The width is not above zero, or the ends stand the wrong way round.
    pub(crate) fn new(width: Number, low: Number, high: Number) -> Result<Self, &'static str> {
        if width.0 <= 0 {
            return Err("the width of a bucket is above zero");
        }
        if low >= high {
            return Err("`low` is below `high`");
        }
        Ok(Self { width, low, high })
    }

    pub(super) fn of(width: &Value, low: &Value, high: &Value) -> Self {
        let number = |value: &Value| Number::read(&value.to_string()).unwrap_or_default();
        Self { width: number(width), low: number(low), high: number(high) }
    }

    /// The mask, with each number as a value of the column.
    pub(super) fn fit(&self, value: impl Fn(&str) -> Result<Value, String>) -> Result<Mask, String> {
        let value = |number: Number| value(&number.to_string());
        Ok(Mask::Bucket { width: value(self.width)?, low: value(self.low)?, high: value(self.high)? })
    }

    /// The finer bucket first, then the one with more of them.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let rank = |bucket: &Self| (bucket.width, Reverse(bucket.high.0 - bucket.low.0), bucket.low);
        rank(self).cmp(&rank(other))
    }

    /// Whether the other bucket of every number is known from this one.
    pub(super) fn determines(&self, other: &Self) -> bool {
        let edge = |number: Number, own: Number| number == own || number.0 % self.width.0 == 0;
        self == other
            || (other.width.0 % self.width.0 == 0
                && self.low <= other.low
                && other.high <= self.high
                && edge(other.low, self.low)
                && edge(other.high, self.high))
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{width: {}, low: {}, high: {}}}", self.width, self.low, self.high)
    }
}

impl Number {
    /// Reads `-12.50`; none of what is no such number, or has too many digits.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction_kept = fraction.trim_end_matches('0');
        let whole_kept = whole.trim_start_matches('0');
        if !plain(whole)
            || !plain(fraction)
            || whole_kept.len() > WHOLE_MAX
            || fraction_kept.len() > FRACTION_MAX
        {
            return None;
        }
        let parts: i128 = format!("{whole_kept}{fraction_kept:0<FRACTION_MAX$}").parse().ok()?;
        Some(Self(if text.starts_with('-') { -parts } else { parts }))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ONE: u128 = 10_u128.pow(15);
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.unsigned_abs() / ONE, self.0.unsigned_abs() % ONE);
        let fraction = format!("{fraction:0>FRACTION_MAX$}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(width: &str, low: &str, high: &str) -> Bucket {
        let number = |text| Number::read(text).unwrap();
        Bucket::new(number(width), number(low), number(high)).unwrap()
    }

    #[test]
    fn numbers_have_one_form() {
        for (text, shown) in [
            ("0", Some("0")),
            ("-0.0", Some("0")),
            ("007.50", Some("7.5")),
            ("-0.000000000000001", Some("-0.000000000000001")),
            ("9223372036854775807", Some("9223372036854775807")),
            ("0.0000000000000001", None),
            ("10000000000000000000", None),
            ("", None),
            ("-", None),
            ("1.", None),
            (".5", None),
            ("1e3", None),
            ("+1", None),
        ] {
            assert_eq!(Number::read(text).map(|number| number.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn a_coarser_bucket_is_known_from_a_finer_one() {
        let fine = bucket("10", "0", "95");
        for (other, known) in [
            (bucket("10", "0", "95"), true),
            (bucket("20", "0", "95"), true),
            (bucket("20", "10", "90"), true),
            (bucket("20", "5", "90"), false),
            (bucket("20", "0", "94"), false),
            (bucket("15", "0", "90"), false),
            (bucket("10", "-10", "95"), false),
            (bucket("10", "0", "100"), false),
        ] {
            assert_eq!(fine.determines(&other), known, "{other}");
        }
    }
}
