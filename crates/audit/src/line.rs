//! One JSON object on one line, written field by field into a buffer that is used again.
//!
//! Written by hand because a record lies on the path of every request: serde_json only escapes the texts.

use std::fmt::{Debug, Display};
use std::io::Write;
use std::sync::Arc;

use time::OffsetDateTime;

/// A line that has begun.
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Line<'a> {
    /// Begins the line with its time and its name, which every record has.
    pub(crate) fn begin(out: &'a mut Vec<u8>, at_us: i64, event: &str) -> Self {
        out.extend_from_slice(b"{\"at\":\"");
        rfc3339(at_us, out);
        out.push(b'"');
        let mut line = Self { out };
        line.text("event", event);
        line
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        escaped(value, self.out);
    }

    pub(crate) fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub(crate) fn texts(&mut self, key: &str, values: &[Arc<str>]) {
        self.key(key);
        self.out.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            escaped(value, self.out);
        }
        self.out.push(b']');
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        shown(&value, self.out);
    }

    /// A text that needs no escaping by its nature, such as an address.
    pub(crate) fn shown(&mut self, key: &str, value: &impl Display) {
        self.key(key);
        self.out.push(b'"');
        shown(value, self.out);
        self.out.push(b'"');
    }

    /// The name of an enum's variant.
    pub(crate) fn debug(&mut self, key: &str, value: &impl Debug) {
        self.shown(key, &format_args!("{value:?}"));
    }

    pub(crate) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn key(&mut self, key: &str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

#[expect(clippy::expect_used, reason = "writing a text to a Vec cannot fail")]
fn escaped(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a Vec takes every byte");
}

#[expect(clippy::expect_used, reason = "writing to a Vec cannot fail")]
fn shown(value: &impl Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a Vec takes every byte");
}

/// `2026-01-31T23:59:59.000001Z`.
fn rfc3339(at_us: i64, out: &mut Vec<u8>) {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    digits(u32::try_from(at.year()).unwrap_or(0), 4, out);
    for (before, number, width) in [
        (b'-', u32::from(u8::from(at.month())), 2),
        (b'-', u32::from(at.day()), 2),
        (b'T', u32::from(at.hour()), 2),
        (b':', u32::from(at.minute()), 2),
        (b':', u32::from(at.second()), 2),
        (b'.', at.microsecond(), 6),
    ] {
        out.push(before);
        digits(number, width, out);
    }
    out.push(b'Z');
}

/// The last `width` decimal digits, with leading zeros.
fn digits(number: u32, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_rfc_3339_in_utc() {
        let mut out = Vec::new();
        rfc3339(1_767_225_599_000_001, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "2025-12-31T23:59:59.000001Z");
    }

    #[test]
    fn whatever_a_text_holds_it_stays_on_its_line() {
        let text = "a\n\"b\"\\ \u{0}\u{1b}[31m\u{2028}ü";
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, 0, "x");
        line.text("text", text);
        line.texts("list", &[text.into(), "b".into()]);
        line.end();
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read["text"], text);
        assert_eq!(read["list"], serde_json::json!([text, "b"]));
        assert_eq!(read["at"], "1970-01-01T00:00:00.000000Z");
    }
}
