//! Texts of others as YAML: a name from a catalogue, or from a command line, stays one scalar whatever is in it.

use std::fmt::Write as _;

/// A scalar of this text: plain where that reads the same, quoted otherwise.
pub(crate) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if !text.chars().any(needs_escape) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if needs_escape(letter) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A text for a comment: one line, with nothing in it that moves a cursor.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|letter| if needs_escape(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Words of letters, digits and what joins them in names of data; none that a reader of YAML could take for another thing.
fn is_plain(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    let inner = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/');
    let reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let rest = text.strip_prefix("pg://").unwrap_or(text);
    first && rest.chars().all(inner) && !reserved.contains(&text.to_ascii_lowercase().as_str())
}

/// What cannot stand in a document as it is, or would not be seen there.
fn needs_escape(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use policy::Source;
    use policy::document::{self, Kind};

    use super::*;

    #[test]
    fn any_text_is_read_as_it_was_written() {
        for text in [
            "customers",
            "pg://crm/public.customers",
            "pg://crm/public.\"Order Items\"",
            "it's",
            "a: b",
            "a #b",
            "- a",
            "null",
            "NULL",
            "no",
            "~",
            "007",
            "",
            " a ",
            "a\nb: c",
            "a\r\nb",
            "tab\there",
            "\"",
            "\\",
            "'",
            "{}",
            "[x]",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "ä",
            "\u{85}",
            "\u{2028}",
            "\u{feff}x",
            "\u{202e}x",
            "\u{7f}",
            "?",
            "a\u{1b}[31m",
            "x: y\n  z: {rows: all}",
            "…",
            "😀",
        ] {
            let source = Source { path: "x".into(), text: format!("{}: {}\n", scalar(text), scalar(text)) };
            let root = document::read(&source)
                .unwrap_or_else(|errors| panic!("{text:?}: {errors:?}\n{}", source.text));
            let Kind::Mapping(entries) = root.kind else { panic!("{text:?}") };
            let [(key, value)] = &entries[..] else { panic!("{text:?}: {entries:?}") };
            let Kind::Scalar(value) = &value.kind else { panic!("{text:?}") };
            assert_eq!((&*key.text, &*value.text), (text, text));
            assert!(!value.is_null(), "{text:?}");
            assert_eq!(comment(text).lines().count(), usize::from(!text.is_empty()), "{text:?}");
        }
    }
}
