//! Documents with some of their paths masked. An array stands for the objects in it; an array directly in an array, and
//! an object or array under a mask, becomes null.
//!
//! A `json` is masked as the `jsonb` that it reads as, or is NULL where it cannot be read without failing. So a key that
//! stands twice in it is shown once, by its last value, as every reader takes it.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not named does not fit")]

use access::{Document, FieldType, Inside, Mask, Refusal};

use super::mask::{Subject, Text};
use super::scale::Steps;
use super::{Lower, Made, unlowered};

/// A `json` of so many bytes cannot be nested deeper than half of it.
const SHALLOW_BYTES: u32 = 8_000;
/// How many brackets may be left of a larger one without its strings and its innermost objects. It is nested no deeper
/// than this and four; reading it fails at some 13,000, by the depth of the stack.
const BRACKETS_MAX: u32 = 4_000;

impl<'m> Lower<'m, '_> {
    pub(super) fn document(
        &self,
        subject: &Subject<'m, '_>,
        document: &Document,
    ) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        match self.catalog.field_type(subject.column.base_oid) {
            FieldType::Other(name) if *name == *"jsonb" => self.masked(&subject.value, document, 0),
            FieldType::Other(name) if *name == *"json" => {
                let inner = self.inner_name();
                let read = build.cast(build.copy(&subject.value), "jsonb");
                let once = build.once(build.select(read, Some(&inner), None), "d");
                let masked = self.masked(&build.column(&["d", &inner]), document, 0)?;
                let masked = build.cast(build.scalar(build.select(masked, None, Some(once))), "json");
                Ok(build.case(vec![(self.is_readable(&subject.value), masked)], None))
            }
            other => Err(unlowered(&format!("`json` over {other}"))),
        }
    }

    /// A value with the keys of its objects masked.
    fn masked(&self, value: &Made<'m>, document: &Document, depth: u32) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let (inner, alias) = (self.inner_name(), format!("e{depth}"));
        let element = build.column(&[&alias, &inner]);
        let nested = document.0.values().any(|inside| matches!(inside, Inside::Document(_)));
        let mut whens = Vec::with_capacity(2);
        let elements = if nested {
            // Written once: an object goes through the list of itself alone.
            let alone = build.operator("||", self.constant("[]"), build.copy(value));
            build.case(vec![(self.is(value, "array"), build.copy(value))], Some(alone))
        } else {
            whens.push((self.is(value, "object"), self.object(value, document, depth)?));
            build.copy(value)
        };
        let each = build.call("jsonb_array_elements", vec![elements]);
        let each = build.derived(build.select(each, Some(&inner), None), &alias);
        let shown = vec![
            (self.is(&element, "object"), self.object(&element, document, depth + 1)?),
            (self.is(&element, "array"), self.constant("null")),
        ];
        let shown = build.case(shown, Some(build.copy(&element)));
        let list = build.coalesce(vec![build.call("jsonb_agg", vec![shown]), self.constant("[]")]);
        if nested {
            let list = build.derived(build.select(list, Some(&inner), Some(each)), &format!("l{depth}"));
            let made = build.column(&[&format!("l{depth}"), &inner]);
            let first = build.operator("->", build.copy(&made), build.integer(0));
            let own = build.case(vec![(self.is(value, "object"), first)], Some(made));
            let one_or_more = build.or(vec![self.is(value, "object"), self.is(value, "array")]);
            whens.push((one_or_more, build.scalar(build.select(own, None, Some(list)))));
        } else {
            whens.push((self.is(value, "array"), build.scalar(build.select(list, None, Some(each)))));
        }
        Ok(build.case(whens, Some(build.copy(value))))
    }

    /// An object with its keys masked.
    fn object(&self, object: &Made<'m>, document: &Document, depth: u32) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let mut shown = build.copy(object);
        for (key, inside) in &document.0 {
            let child = || build.operator("->", build.copy(object), build.text(key));
            let masked = match inside {
                Inside::Hide => {
                    shown = build.operator("-", shown, build.text(key));
                    continue;
                }
                Inside::Masked(mask) => self.scalar(&child(), mask)?,
                Inside::Document(document) => self.masked(&child(), document, depth + 1)?,
            };
            let path = build.cast(build.array(vec![build.text(key)]), "_text");
            // A key that is not there is not made; `jsonb_set` is NULL where any of its arguments is.
            let masked = build.coalesce(vec![masked, self.constant("null")]);
            shown = build.call("jsonb_set", vec![shown, path, masked, build.boolean(false)]);
        }
        Ok(shown)
    }

    /// A scalar under a mask; what the mask does not fit is null.
    fn scalar(&self, value: &Made<'m>, mask: &Mask) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let (fits, shown) = match mask {
            Mask::Nullify => return Ok(self.constant("null")),
            Mask::Constant(constant) => {
                let scalars = ["string", "number", "boolean"].map(|kind| self.is(value, kind));
                (build.or(scalars.into()), self.string(build.text(&constant.to_string())))
            }
            Mask::Shape | Mask::Partial { .. } | Mask::Email { .. } => {
                let root = build.cast(build.string("{}"), "_text");
                let text = build.operator("#>>", build.copy(value), root);
                let masked = self.text_mask(&Text { value: text, collated: false }, mask)?;
                (self.is(value, "string"), self.string(masked))
            }
            Mask::Bucket { width, low, high } => {
                let number = build.cast(build.copy(value), "numeric");
                let steps = Steps { width, low, high };
                let bucket = self.bucket(&number, "numeric", build.copy(&number), &steps);
                (self.is(value, "number"), build.cast(build.cast(bucket, "text"), "jsonb"))
            }
            Mask::Clear | Mask::Json(_) | Mask::Array(_) | Mask::DateTrunc(_) | Mask::Hash(_) => {
                return Err(unlowered("a mask that fits nothing in a document"));
            }
        };
        Ok(build.case(vec![(fits, shown)], Some(self.constant("null"))))
    }

    /// `{"v": text} -> 'v'`: `to_jsonb` is not immutable.
    fn string(&self, text: Made<'m>) -> Made<'m> {
        let build = &self.build;
        let pair = build.cast(build.array(vec![build.text("v"), text]), "_text");
        build.operator("->", build.call("jsonb_object", vec![pair]), build.text("v"))
    }

    fn constant(&self, document: &str) -> Made<'m> {
        self.build.cast(self.build.string(document), "jsonb")
    }

    fn is(&self, value: &Made<'m>, kind: &str) -> Made<'m> {
        let build = &self.build;
        let found = build.call("jsonb_typeof", vec![build.copy(value)]);
        build.operator("=", found, build.text(kind))
    }

    /// Whether a `json` reads as a `jsonb` without failing: no `\\u0000` and no half of a pair, no number of more than
    /// 254 digits or an exponent of four, and nested not too deep. It may say no of one that would not fail, for what
    /// looks like a number in no string.
    fn is_readable(&self, json: &Made<'m>) -> Made<'m> {
        let build = &self.build;
        let text = build.cast(build.copy(json), "text");
        let text = build.collate(text, "pg_catalog", "C");
        let replaced = |text, pattern: &str, by: &str| {
            build.call("regexp_replace", vec![text, build.text(pattern), build.text(by), build.text("g")])
        };
        let has_not = |text, pattern: &str| build.operator("!~", text, build.text(pattern));
        let no_escape = build.operator(
            "=",
            build.call("strpos", vec![build.copy(&text), build.text("\\u")]),
            build.integer(0),
        );
        let unescaped = build.call("replace", vec![build.copy(&text), build.text("\\\\"), build.text("")]);
        let paired =
            replaced(unescaped, "\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}", " ");
        let good_escapes = has_not(paired, "\\\\u(?:0000|[dD][89a-fA-F])");
        let bare = replaced(build.copy(&text), "\"(?:[^\"\\\\]|\\\\.)*\"", "\"\"");
        let digits = has_not(build.copy(&bare), "[0-9.]{255}");
        let exponents = has_not(build.copy(&bare), "[eE][+-]?0*[1-9][0-9]{3}");
        let innermost = "\\{[^][{}]*\\}|\\[[^][{}]*\\]";
        let outer = (0..3).fold(bare, |text, _| replaced(text, innermost, ""));
        let length = |text| build.call("char_length", vec![text]);
        let none = build.call("translate", vec![build.copy(&outer), build.text("[{"), build.text("")]);
        let brackets = build.operator("-", length(outer), length(none));
        let bytes = build.call("octet_length", vec![text]);
        build.and(vec![
            build.or(vec![no_escape, good_escapes]),
            digits,
            exponents,
            build.or(vec![
                build.operator("<=", bytes, build.integer(SHALLOW_BYTES)),
                build.operator("<=", brackets, build.integer(BRACKETS_MAX)),
            ]),
        ])
    }
}
