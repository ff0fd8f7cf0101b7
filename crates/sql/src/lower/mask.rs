//! Masks to expressions: what a cell shows instead of its value, of the column's own type.

use access::{Column, FieldType, Mask, Refusal};

use super::scale::Steps;
use super::types::written;
use super::{Lower, Made, is_domain, unlowered};

/// A value that a mask stands over, and the column that it is of.
pub(super) struct Subject<'m, 'c> {
    pub(super) value: Made<'m>,
    pub(super) column: &'c Column,
}

/// A text that a mask is made from, written as often as the mask needs it.
pub(super) struct Text<'m> {
    pub(super) value: Made<'m>,
    /// Whether its collation is none that pattern functions are known to bear.
    pub(super) collated: bool,
}

impl<'m> Lower<'m, '_> {
    /// The mask over a value, of the type, length and collation of its column.
    pub(super) fn mask(&self, subject: &Subject<'m, '_>, mask: &Mask) -> Result<Made<'m>, Refusal> {
        let (build, column) = (&self.build, subject.column);
        let value = match mask {
            Mask::Clear if !is_domain(column) => return Ok(build.copy(&subject.value)),
            Mask::Clear => build.copy(&subject.value),
            Mask::Nullify => build.null(),
            Mask::Constant(value) => {
                let present = build.null_test(build.copy(&subject.value), false);
                let zoned = self.catalog.field_type(column.base_oid) == FieldType::TimestampTz;
                let ty = if zoned { "timestamptz" } else { "" };
                build.case(vec![(present, build.string(&written(value, ty)))], None)
            }
            Mask::Hash(key) => self.hash(subject, key)?,
            Mask::Json(document) => self.document(subject, document)?,
            Mask::Array(element) => self.array(subject, element)?,
            Mask::DateTrunc(unit) => self.date_trunc(subject, *unit)?,
            Mask::Bucket { width, low, high } => {
                self.bucket_of_column(subject, &Steps { width, low, high })?
            }
            Mask::Shape | Mask::Partial { .. } | Mask::Email { .. } => {
                self.text_mask(&self.text_of(subject), mask)?
            }
        };
        let typed = self.column_type(column)?.cast(build, value);
        Ok(self.in_own_collation(column, typed))
    }

    /// A mask of texts over a text.
    pub(super) fn text_mask(&self, text: &Text<'m>, mask: &Mask) -> Result<Made<'m>, Refusal> {
        match mask {
            Mask::Partial { first, last, fill } => Ok(self.partial(text, *first, *last, *fill)),
            Mask::Email { domain_only } => Ok(self.email(text, *domain_only)),
            Mask::Shape => Ok(self.shape(text)),
            Mask::Clear
            | Mask::Json(_)
            | Mask::Array(_)
            | Mask::DateTrunc(_)
            | Mask::Bucket { .. }
            | Mask::Hash(_)
            | Mask::Constant(_)
            | Mask::Nullify => Err(unlowered("a mask of texts")),
        }
    }

    /// All characters filled where there are no more than the ends, else the ends with the rest filled.
    fn partial(&self, text: &Text<'m>, first: u32, last: u32, fill: char) -> Made<'m> {
        let build = &self.build;
        let fill = fill.to_string();
        let ends = build.integer(first.saturating_add(last));
        let length = || build.call("char_length", vec![self.text(text)]);
        let short = build.operator("<=", length(), build.copy(&ends));
        let whole = build.call("repeat", vec![build.text(&fill), length()]);
        let middle = build.call("repeat", vec![build.text(&fill), build.operator("-", length(), ends)]);
        let mut shown = middle;
        if first > 0 {
            let start = build.call("left", vec![self.text(text), build.integer(first)]);
            shown = build.operator("||", start, shown);
        }
        if last > 0 {
            let end = build.call("right", vec![self.text(text), build.integer(last)]);
            shown = build.operator("||", shown, end);
        }
        build.case(vec![(short, whole)], Some(shown))
    }

    /// `a***@example.org`; what has not exactly one `@` between two parts is filled.
    fn email(&self, text: &Text<'m>, domain_only: bool) -> Made<'m> {
        let build = &self.build;
        let one = build.like(self.bytes(text), "_%@_%");
        let two = build.negate(build.like(self.bytes(text), "%@%@%"));
        let at = build.call("strpos", vec![self.bytes(text), build.text("@")]);
        let domain = build.call("substr", vec![self.bytes(text), at]);
        let mut shown = build.operator("||", build.text("***"), domain);
        if !domain_only {
            let first = build.call("left", vec![self.bytes(text), build.integer(1)]);
            shown = build.operator("||", first, shown);
        }
        let length = build.call("char_length", vec![self.bytes(text)]);
        let filled = build.call("repeat", vec![build.text("*"), length]);
        build.case(vec![(build.and(vec![one, two]), shown)], Some(filled))
    }

    /// ASCII capitals to `X`, other letters and all that is not ASCII to `x`, digits to `0`.
    fn shape(&self, text: &Text<'m>) -> Made<'m> {
        let build = &self.build;
        let from = "abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ123456789";
        let to = "xxxxxxxxxxxxxxxxxxxxxxxxxXXXXXXXXXXXXXXXXXXXXXXXXX000000000";
        let ascii = build.call("translate", vec![self.bytes(text), build.text(from), build.text(to)]);
        let args = vec![ascii, build.text("[^\\x01-\\x7f]"), build.text("x"), build.text("g")];
        build.call("regexp_replace", args)
    }

    /// The subject as text: of `char(n)` without its trailing blanks.
    pub(super) fn text_of(&self, subject: &Subject<'m, '_>) -> Text<'m> {
        let value = self.build.cast(self.build.copy(&subject.value), "text");
        Text { value, collated: self.has_own_collation(subject.column) }
    }

    fn text(&self, text: &Text<'m>) -> Made<'m> {
        self.build.copy(&text.value)
    }

    /// The text compared byte by byte: pattern functions fail under a nondeterministic collation.
    pub(super) fn bytes(&self, text: &Text<'m>) -> Made<'m> {
        let value = self.text(text);
        if text.collated { self.build.collate(value, "pg_catalog", "C") } else { value }
    }
}
