//! Masks: the `masks` block, and what stands on the right side of its lines and of `show`.

use access::DateUnit;

use super::{Draft, Reader};
use crate::document::{Kind, Node, Scalar};
use crate::mask::{self, Bucket, KEPT_MAX, Number, Written, WrittenDocument};
use crate::policy::{BUILT_IN, MaskLine};

const WORDS: [&str; 6] = ["clear", "shape", "email", "hash", "nullify", "hide"];
const MAPPINGS: [&str; 9] =
    ["json", "array", "date_trunc", "bucket", "partial", "first", "last", "email", "constant"];
const UNITS: [DateUnit; 4] = [DateUnit::Day, DateUnit::Month, DateUnit::Quarter, DateUnit::Year];
/// How many paths a mask of documents may name.
pub(super) const PATHS_MAX: usize = 100;
/// Masks of the language that come later.
const LATER: [&str; 4] = ["withheld", "tokenize", "noise", "regex"];

impl Reader<'_> {
    pub(super) fn masks(&mut self, value: &Node, draft: &mut Draft) {
        for (key, value) in self.mapping(value, "`masks`").unwrap_or_default() {
            let mask = self.mask(value);
            if !self.class_name(key) {
                continue;
            }
            if BUILT_IN.contains(&key.text.split('.').next().unwrap_or_default()) {
                self.error(
                    key.span,
                    format!("`{}` is built in and shown in clear", key.text),
                    "a restrict may cap it",
                );
                continue;
            }
            if let Some(first) = draft.masks.lines.get(&key.text) {
                let help = format!("its first line is in {}", first.place.line());
                self.error(key.span, format!("`{}` stands twice under `masks`", key.text), help);
                continue;
            }
            let place = self.place(value.span);
            if let Some(mask) = mask {
                draft.masks.lines.insert(key.text.clone(), MaskLine { place, mask });
            }
        }
    }

    /// A mask: a word or a mapping.
    pub(super) fn mask(&mut self, value: &Node) -> Option<Written> {
        match &value.kind {
            Kind::Scalar(word) => self.mask_word(word),
            Kind::Mapping(entries) => match entries.as_slice() {
                [(key, value)] => self.mask_mapping(key, value),
                _ => {
                    let message = "a mask is a word, or a mapping with one key";
                    self.error(value.span, message, "both ends are written `{partial: {first: 1, last: 2}}`");
                    None
                }
            },
            Kind::Sequence(_) => {
                self.wrong_kind(value, "a mask", "a word or a mapping");
                None
            }
        }
    }

    fn mask_word(&mut self, word: &Scalar) -> Option<Written> {
        match word.text.as_str() {
            "clear" => Some(Written::Clear),
            "shape" => Some(Written::Shape),
            "email" => Some(Written::Email { domain_only: false }),
            "hash" => Some(Written::Hash),
            "nullify" => Some(Written::Nullify),
            "hide" => Some(Written::Hide),
            _ => self.unknown_mask(word, &WORDS),
        }
    }

    fn mask_mapping(&mut self, key: &Scalar, value: &Node) -> Option<Written> {
        let fill = '*';
        match key.text.as_str() {
            "first" => Some(Written::Partial { first: self.kept(value)?, last: 0, fill }),
            "last" => Some(Written::Partial { first: 0, last: self.kept(value)?, fill }),
            "partial" => self.partial(value),
            "email" => {
                let word = self.text(value, "the part of an address")?;
                if word.text != "domain" {
                    self.plain_error(
                        word.span,
                        "`{email: domain}` is the only one; `email` alone keeps a letter",
                    );
                }
                Some(Written::Email { domain_only: true })
            }
            "constant" => self.constant(value),
            "date_trunc" => self.date_unit(value).map(Written::DateTrunc),
            "bucket" => self.bucket(value).map(Written::Bucket),
            "json" => self.document_mask(value),
            "array" => self.mask(value).map(|element| Written::Array(Box::new(element))),
            _ => self.unknown_mask(key, &MAPPINGS),
        }
    }

    fn unknown_mask(&mut self, word: &Scalar, known: &[&str]) -> Option<Written> {
        if LATER.contains(&word.text.as_str()) {
            self.later(word.span, &word.text);
            return None;
        }
        let error = self.source.error(word.span, format!("unknown mask `{}`", word.text));
        let error = error.help(format!(
            "there are: {}, {{first: 2}}, {{last: 4}}, {{partial: …}}, {{email: domain}}, {{date_trunc: month}}, \
             {{bucket: …}}, {{json: …}}, {{array: …}}, {{constant: …}}",
            WORDS.join(", ")
        ));
        self.errors.push(error.suggest(&word.text, known.iter().copied()));
        None
    }

    fn partial(&mut self, value: &Node) -> Option<Written> {
        let (mut first, mut last, mut fill) = (Some(0), Some(0), Some('*'));
        for (key, value) in self.mapping(value, "`partial`")? {
            match key.text.as_str() {
                "first" => first = self.kept(value),
                "last" => last = self.kept(value),
                "fill" => fill = self.fill(value),
                _ => self.unknown_key(key, "`partial`", &["first", "last", "fill"]),
            }
        }
        Some(Written::Partial { first: first?, last: last?, fill: fill? })
    }

    fn date_unit(&mut self, value: &Node) -> Option<DateUnit> {
        let word = self.text(value, "`date_trunc`")?;
        let unit = UNITS.into_iter().find(|unit| unit.word() == word.text);
        if unit.is_none() {
            let error = self.source.error(word.span, format!("`{}` is no unit of `date_trunc`", word.text));
            let units = UNITS.map(DateUnit::word);
            let error = error.help(format!("there are: {}", units.join(", ")));
            self.errors.push(error.suggest(&word.text, units));
        }
        unit
    }

    fn bucket(&mut self, value: &Node) -> Option<Bucket> {
        const KEYS: [&str; 3] = ["width", "low", "high"];
        let (mut width, mut low, mut high) = (None, None, None);
        for (key, value) in self.mapping(value, "`bucket`")? {
            match key.text.as_str() {
                "width" => width = Some(self.bucket_number(value)),
                "low" => low = Some(self.bucket_number(value)),
                "high" => high = Some(self.bucket_number(value)),
                _ => self.unknown_key(key, "`bucket`", &KEYS),
            }
        }
        let (Some(width), Some(low), Some(high)) = (width, low, high) else {
            let help = "the bucket of a value is the multiple of `width` at or below it, between the ends";
            self.error(value.span, "`bucket` has a `width`, a `low` and a `high`", help);
            return None;
        };
        match Bucket::new(width?, low?, high?) {
            Ok(bucket) => Some(bucket),
            Err(why) => {
                self.plain_error(value.span, why);
                None
            }
        }
    }

    fn bucket_number(&mut self, value: &Node) -> Option<Number> {
        let word = self.text(value, "a number of a bucket")?;
        let number = Number::read(&word.text);
        if number.is_none() {
            let message = format!("`{}` is no number of a bucket", word.text);
            self.error(word.span, message, "at most 19 digits before the point and 15 behind it: `-12.50`");
        }
        number
    }

    fn document_mask(&mut self, value: &Node) -> Option<Written> {
        let entries = self.mapping(value, "`json`")?;
        let mut paths = WrittenDocument::default();
        let mut whole = true;
        for (key, value) in entries {
            let (path, mask) = (self.path(key), self.mask(value));
            let (Some(path), Some(mask)) = (path, mask) else {
                whole = false;
                continue;
            };
            if let Err(why) = mask::inside(&mask) {
                self.plain_error(value.span, why);
            }
            if paths.0.insert(path, mask).is_some() {
                self.plain_error(key.span, format!("`{}` stands twice", key.text));
            }
        }
        if entries.is_empty() || entries.len() > PATHS_MAX {
            self.plain_error(value.span, format!("`json` names 1 to {PATHS_MAX} paths"));
        }
        whole.then_some(Written::Json(paths))
    }

    /// A path inside a document.
    pub(super) fn path(&mut self, key: &Scalar) -> Option<mask::Path> {
        match mask::path(&key.text) {
            Ok(path) => Some(path),
            Err(why) => {
                self.error(key.span, format!("`{}` is not a path inside a document", key.text), why);
                None
            }
        }
    }

    fn kept(&mut self, value: &Node) -> Option<u32> {
        let word = self.text(value, "a number of characters")?;
        let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
        match word.text.parse() {
            Ok(number) if digits && number <= KEPT_MAX => Some(number),
            _ => {
                self.plain_error(word.span, format!("a number of characters is between 0 and {KEPT_MAX}"));
                None
            }
        }
    }

    fn fill(&mut self, value: &Node) -> Option<char> {
        let word = self.text(value, "`fill`")?;
        let mut letters = word.text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() => Some(letter),
            _ => {
                self.plain_error(word.span, "`fill` is exactly one character");
                None
            }
        }
    }

    fn constant(&mut self, value: &Node) -> Option<Written> {
        let Kind::Scalar(text) = &value.kind else {
            self.wrong_kind(value, "a constant", "a text");
            return None;
        };
        if text.is_null() || text.is_empty() {
            self.error(value.span, "a constant is not NULL", "write `nullify`");
            return None;
        }
        if text.text.contains('\0') {
            self.plain_error(value.span, "a text holds a NUL");
            return None;
        }
        Some(Written::Constant(text.text.as_str().into()))
    }
}
