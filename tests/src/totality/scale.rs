//! What the masks of moments and numbers have to show, computed in Rust.

use access::{DateUnit, Mask, Value};

use super::edges::Edge;
use crate::property::kind::Class;

/// Each mask that fits, and what it shows of each row.
pub(super) fn masks(edge: &Edge) -> Vec<(Mask, Vec<Option<String>>)> {
    let shown = |mask: Mask, show: &dyn Fn(&str) -> Option<String>| {
        let wanted = edge.rows().iter().map(|(value, _)| show(value.as_ref()?)).collect();
        (mask, wanted)
    };
    match edge.class {
        Class::Date | Class::Timestamp | Class::TimestampTz => {
            [DateUnit::Day, DateUnit::Month, DateUnit::Quarter, DateUnit::Year]
                .into_iter()
                .map(|unit| shown(Mask::DateTrunc(unit), &|text| truncated(edge, text, unit)))
                .collect()
        }
        Class::Int | Class::Numeric | Class::Float => {
            buckets(edge).into_iter().map(|b| shown(b.mask(edge), &|text| b.of(text))).collect()
        }
        _ => Vec::new(),
    }
}

fn truncated(edge: &Edge, text: &str, unit: DateUnit) -> Option<String> {
    if text.contains("infinity") {
        return Some(text.to_owned());
    }
    let (moment, bc) = text.strip_suffix(" BC").map_or((text, false), |moment| (moment, true));
    let day = moment.split(' ').next().unwrap();
    let parts: Vec<u32> = day.split('-').map(|part| part.parse().unwrap()).collect();
    let [year, month, day] = parts[..] else { panic!("{text}") };
    if (bc && year > 4713) || (!bc && year > 294_276) {
        return None;
    }
    let (month, day) = match unit {
        DateUnit::Day => (month, day),
        DateUnit::Month => (month, 1),
        DateUnit::Quarter => ((month - 1) / 3 * 3 + 1, 1),
        DateUnit::Year => (1, 1),
    };
    let time = match edge.class {
        Class::Date => "",
        Class::Timestamp => " 00:00:00",
        _ => " 00:00:00+00",
    };
    Some(format!("{year:04}-{month:02}-{day:02}{time}{}", if bc { " BC" } else { "" }))
}

/// A bucket in texts, and as so many thousandths.
struct Steps {
    width: &'static str,
    low: &'static str,
    high: &'static str,
}

fn buckets(edge: &Edge) -> Vec<Steps> {
    let steps = |width, low, high| Steps { width, low, high };
    match (edge.class, edge.declared) {
        (Class::Int, "int2") => vec![steps("7", "-100", "30000"), steps("1000", "-32768", "32767")],
        (Class::Int, "int4") => vec![steps("1000", "-2147483648", "2147483647"), steps("3", "0", "10")],
        (Class::Int, _) => vec![
            steps("1000", "-9223372036854775808", "9223372036854775807"),
            steps("9223372036854775807", "-10", "10"),
        ],
        (Class::Numeric, "numeric(8,2)") => {
            vec![steps("0.25", "-1", "1"), steps("500", "-999999.99", "999999.99")]
        }
        (Class::Numeric, _) => vec![
            steps("0.5", "-1.5", "2"),
            steps("1000", "0", "90000"),
            steps("0.125", "-3", "9999999999999"),
        ],
        (Class::Float, _) => {
            vec![steps("0.5", "-1.5", "2"), steps("1000", "0", "90000"), steps("2", "-999", "9999999")]
        }
        _ => Vec::new(),
    }
}

impl Steps {
    fn mask(&self, edge: &Edge) -> Mask {
        let value = |text: &str| match edge.class {
            Class::Int => Value::Int(text.parse().unwrap()),
            _ => Value::Numeric(text.into()),
        };
        Mask::Bucket { width: value(self.width), low: value(self.low), high: value(self.high) }
    }

    fn of(&self, text: &str) -> Option<String> {
        let ends = |text| thousandths(text).unwrap();
        let (width, low, high) = (ends(self.width), ends(self.low), ends(self.high));
        let shown = match (thousandths(text), text) {
            (_, "NaN") => return None,
            (None, text) => {
                if text.starts_with('-') {
                    low
                } else {
                    high
                }
            }
            (Some(value), _) if value >= high => high,
            (Some(value), _) => low.max(value.div_euclid(width) * width),
        };
        let scale = [self.width, self.low, self.high]
            .iter()
            .map(|text| text.split_once('.').map_or(0, |(_, f)| f.len()))
            .max()?;
        let (sign, size) = (if shown < 0 { "-" } else { "" }, shown.unsigned_abs());
        let fraction = format!("{:03}", size % 1000);
        let whole = size / 1000;
        Some(if scale == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{}", fraction.get(..scale).unwrap())
        })
    }
}

/// The thousandths at or below a number; none of one that is beyond all of them.
fn thousandths(text: &str) -> Option<i128> {
    if text.contains("Infinity") || text.contains('N') {
        return None;
    }
    if text.contains('e') {
        let number: f64 = text.parse().unwrap();
        return (number.abs() < 1e15).then(|| (number * 1000.0).floor() as i128);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let negative = whole.starts_with('-');
    let whole: i128 = whole.trim_start_matches('-').parse().ok()?;
    let kept: i128 = format!("{fraction:0<3}").get(..3).unwrap().parse().unwrap();
    let more = fraction.get(3..).is_some_and(|rest| rest.contains(|c: char| c != '0'));
    let size = whole.checked_mul(1000)? + kept;
    Some(if negative { -size - i128::from(more) } else { size })
}
