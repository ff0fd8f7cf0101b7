//! Source text to typed values, and their order: what a literal, an attribute or a constant can be.

use std::cmp::Ordering;

use access::{FieldType, Value, ValueType};

/// How many digits a number may have.
const DIGITS_MAX: usize = 1000;

/// Reads a value of this type from its source text.
pub(crate) fn read(text: &str, ty: ValueType) -> Result<Value, String> {
    let wrong = || format!("`{text}` is not a value of type {ty}");
    match ty {
        ValueType::Text if text.contains('\0') => Err("a text holds a NUL".into()),
        ValueType::Text => Ok(Value::Text(text.into())),
        ValueType::Int => whole(text).ok_or_else(wrong),
        ValueType::Numeric => decimal(text).map(|text| Value::Numeric(text.into())).ok_or_else(wrong),
        ValueType::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        ValueType::Date => date(text).map(|text| Value::Date(text.into())).ok_or_else(wrong),
        ValueType::Timestamp => timestamp(text).map(|text| Value::Timestamp(text.into())).ok_or_else(wrong),
        ValueType::Uuid => uuid(text).map(|text| Value::Uuid(text.into())).ok_or_else(wrong),
    }
}

/// The type of the values that a field of this type is compared with; none where there is no such comparison.
pub(crate) fn value_type(field: &FieldType) -> Option<ValueType> {
    match field {
        FieldType::Text => Some(ValueType::Text),
        FieldType::Int => Some(ValueType::Int),
        FieldType::Numeric | FieldType::Float => Some(ValueType::Numeric),
        FieldType::Bool => Some(ValueType::Bool),
        FieldType::Date => Some(ValueType::Date),
        FieldType::Timestamp | FieldType::TimestampTz => Some(ValueType::Timestamp),
        FieldType::Uuid => Some(ValueType::Uuid),
        FieldType::Array(_) | FieldType::Other(_) => None,
    }
}

/// Reads a value that a field of this type is compared with.
pub(crate) fn read_for(text: &str, field: &FieldType) -> Result<Value, String> {
    let Some(ty) = value_type(field) else { return Err(format!("no value of type {field} can be written")) };
    let value = read(text, ty)?;
    if *field == FieldType::Float && !text.parse::<f64>().is_ok_and(|number| in_range(text, number)) {
        return Err(format!("`{text}` is out of the range of type {field}"));
    }
    Ok(value)
}

/// Whether a store takes this text for a float, given what it rounds to: neither too large, nor so small that nothing
/// is left of it.
pub(crate) fn in_range(text: &str, number: f64) -> bool {
    let zero = !text.contains(|c: char| matches!(c, '1'..='9'));
    number.is_finite() && (zero || number != 0.0)
}

/// A whole number as a decimal one; any other value as it is.
pub(crate) fn widen(value: Value, to: ValueType) -> Value {
    match (value, to) {
        (Value::Int(number), ValueType::Numeric) => Value::Numeric(number.to_string().into()),
        (value, _) => value,
    }
}

/// The order of two values of one type; none where their type has none.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Numeric(left), Value::Numeric(right)) => Some(compare_decimals(left, right)),
        _ if left.value_type() == right.value_type() => Some(left.cmp(right)),
        _ => None,
    }
}

fn whole(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok().map(Value::Int) } else { None }
}

/// A decimal number in its one form: no leading zeros, no sign before zero. The scale stays as written.
fn decimal(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) || digits.len() > DIGITS_MAX {
        return None;
    }
    let zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if text.starts_with('-') && !zero { "-" } else { "" };
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    Some(match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    })
}

fn compare_decimals(left: &str, right: &str) -> Ordering {
    let split = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        (whole.to_owned(), fraction.trim_end_matches('0').to_owned())
    };
    let magnitude = |left: (String, String), right: (String, String)| {
        left.0.len().cmp(&right.0.len()).then_with(|| left.cmp(&right))
    };
    match (left.starts_with('-'), right.starts_with('-')) {
        (false, false) => magnitude(split(left), split(right)),
        (true, true) => magnitude(split(right), split(left)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

fn date(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let valid = parts.next().is_none() && year >= 1 && (1..=days(year, month)).contains(&day);
    valid.then(|| text.to_owned())
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    }
}

/// A date with or without a time of day; `T` between them and `Z` behind them are read over.
fn timestamp(text: &str) -> Option<String> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let day = date(day)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let (h, m, s) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let plain = fraction.len() <= 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if h > 23 || m > 59 || s > 59 || parts.next().is_some() || !plain || time.ends_with('.') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{day} {hour}:{minute}:{second}{dot}{fraction}"))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn uuid(text: &str) -> Option<String> {
    let lengths = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let plain = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    (lengths && plain).then(|| text.to_ascii_lowercase())
}

/// A moment, in microseconds since the Unix epoch, as a value; none outside of the years 0001 to 9999.
pub(crate) fn moment(time_us: i64) -> Option<Value> {
    let (date, seconds, micros) = parts(time_us)?;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    let fraction = fraction.trim_end_matches('0');
    Some(Value::Timestamp(format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}").into()))
}

/// The day of a moment, UTC.
pub(crate) fn day(time_us: i64) -> Option<Value> {
    parts(time_us).map(|(date, ..)| Value::Date(date.into()))
}

/// The hour of a moment, UTC.
pub(crate) fn hour(time_us: i64) -> Value {
    Value::Int(time_us.div_euclid(3_600_000_000).rem_euclid(24))
}

/// The date, the seconds of its day, and the microseconds of its second.
fn parts(time_us: i64) -> Option<(String, i64, i64)> {
    let (seconds, micros) = (time_us.div_euclid(1_000_000), time_us.rem_euclid(1_000_000));
    let (days, seconds) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's civil_from_days: years start in March, so that the leap day is the last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (1..=9999).contains(&year).then(|| (format!("{year:04}-{month:02}-{day:02}"), seconds, micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_form() {
        for (text, ty, expected) in [
            ("007", ValueType::Text, Some("007")),
            ("a\0", ValueType::Text, None),
            ("007", ValueType::Int, Some("7")),
            ("-9223372036854775808", ValueType::Int, Some("-9223372036854775808")),
            ("9223372036854775808", ValueType::Int, None),
            ("+1", ValueType::Int, None),
            ("", ValueType::Int, None),
            ("-0.00", ValueType::Numeric, Some("0.00")),
            ("-007.50", ValueType::Numeric, Some("-7.50")),
            ("1e5", ValueType::Numeric, None),
            (".5", ValueType::Numeric, None),
            ("true", ValueType::Bool, Some("true")),
            ("yes", ValueType::Bool, None),
            ("2024-02-29", ValueType::Date, Some("2024-02-29")),
            ("2023-02-29", ValueType::Date, None),
            ("0000-01-01", ValueType::Date, None),
            ("2024-13-01", ValueType::Date, None),
            ("2024-02-29", ValueType::Timestamp, Some("2024-02-29 00:00:00")),
            ("2024-02-29T23:59:59.120Z", ValueType::Timestamp, Some("2024-02-29 23:59:59.12")),
            ("2024-02-29 24:00:00", ValueType::Timestamp, None),
            ("2024-02-29 10:00:00+02", ValueType::Timestamp, None),
            (
                "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                ValueType::Uuid,
                Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            ),
            ("a0eebc999c0b4ef8bb6d6bb9bd380a11", ValueType::Uuid, None),
        ] {
            let value = read(text, ty).ok().map(|value| value.to_string());
            assert_eq!(value.as_deref(), expected, "{text} as {ty}");
        }
        assert!(read_for(&"9".repeat(400), &FieldType::Float).is_err());
        assert!(read_for("1.5", &FieldType::Float).is_ok());
        assert!(read_for("-0.0", &FieldType::Float).is_ok());
    }

    #[test]
    fn a_float_too_small_to_be_read_is_out_of_range() {
        let tiny = format!("0.{}1", "0".repeat(400));
        assert!(read_for(&tiny, &FieldType::Float).is_err());
        assert!(read_for(&tiny, &FieldType::Numeric).is_ok());
    }

    #[test]
    fn decimals_are_ordered_by_what_they_are_worth() {
        let ordered = ["-10.5", "-10", "-9", "-0.1", "0", "0.09", "0.1", "0.11", "9", "10.00", "100"];
        for (at, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                let value = |text: &str| Value::Numeric(text.into());
                assert_eq!(compare(&value(left), &value(right)), Some(at.cmp(&other)), "{left} {right}");
            }
        }
        assert_eq!(
            compare(&Value::Numeric("1.50".into()), &Value::Numeric("1.5".into())),
            Some(Ordering::Equal)
        );
        assert_eq!(compare(&Value::Int(1), &Value::Text("1".into())), None);
    }

    #[test]
    fn moments_are_utc() {
        let text = |time_us| moment(time_us).map(|value| value.to_string());
        assert_eq!(text(0).as_deref(), Some("1970-01-01 00:00:00"));
        assert_eq!(text(-1).as_deref(), Some("1969-12-31 23:59:59.999999"));
        assert_eq!(text(951_782_400_500_000).as_deref(), Some("2000-02-29 00:00:00.5"));
        assert_eq!(text(1_795_528_799_000_000).as_deref(), Some("2026-11-24 13:59:59"));
        assert_eq!(text(i64::MAX), None);
        assert_eq!(day(1_795_528_799_000_000), Some(Value::Date("2026-11-24".into())));
        assert_eq!(hour(1_795_528_799_000_000), Value::Int(13));
        assert_eq!(hour(-1), Value::Int(23));
    }
}
