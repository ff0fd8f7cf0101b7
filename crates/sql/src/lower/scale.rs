//! Masks of moments and numbers: the start of a month, the multiple of a width.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not named does not fit")]

use access::{DateUnit, FieldType, Refusal, Value};

use super::mask::Subject;
use super::types::literal;
use super::{Lower, Made, unlowered};

/// The numbers of a bucket.
#[derive(Clone, Copy)]
pub(super) struct Steps<'v> {
    pub(super) width: &'v Value,
    pub(super) low: &'v Value,
    pub(super) high: &'v Value,
}

impl<'m> Lower<'m, '_> {
    /// The start of the unit, in UTC. A moment without a start that the type can hold (before 4713 BC, a date after
    /// 294276) is NULL; one that is infinite stays so.
    pub(super) fn date_trunc(&self, subject: &Subject<'m, '_>, unit: DateUnit) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let value = || build.copy(&subject.value);
        let finite = || build.call("isfinite", vec![value()]);
        let truncated = |moment| build.call("date_trunc", vec![build.text(unit.word()), moment]);
        let typed = |text: &str, ty: &str| build.cast(build.string(text), ty);
        let utc = |moment| build.call("timezone", vec![build.text("UTC"), moment]);
        let (first, last, shown) = match self.catalog.field_type(subject.column.base_oid) {
            FieldType::Date => {
                let last = build.operator("<=", value(), typed("294276-12-31", "date"));
                let shown = build.cast(truncated(build.cast(value(), "timestamp")), "date");
                (typed("4713-01-01 BC", "date"), last, shown)
            }
            FieldType::Timestamp => {
                (typed("4713-01-01 00:00:00 BC", "timestamp"), finite(), truncated(value()))
            }
            FieldType::TimestampTz => {
                let first = typed("4713-01-01 00:00:00+00 BC", "timestamptz");
                (first, finite(), utc(truncated(utc(value()))))
            }
            other => return Err(unlowered(&format!("`date_trunc` over {other}"))),
        };
        let inside = build.and(vec![build.operator(">=", value(), first), last]);
        Ok(build.case(vec![(inside, shown), (build.negate(finite()), value())], None))
    }

    pub(super) fn bucket_of_column(
        &self,
        subject: &Subject<'m, '_>,
        steps: &Steps<'_>,
    ) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let value = || build.copy(&subject.value);
        let (ty, number) = match self.catalog.field_type(subject.column.base_oid) {
            FieldType::Int => ("int8", build.cast(value(), "numeric")),
            FieldType::Numeric => ("numeric", build.cast(value(), "numeric")),
            FieldType::Float => ("float8", build.cast(build.cast(value(), "float8"), "numeric")),
            other => return Err(unlowered(&format!("`bucket` over {other}"))),
        };
        Ok(self.bucket(&subject.value, ty, number, steps))
    }

    /// The bucket of a value that is compared as `ty` and computed with as the numeric `number`, which is exact and is
    /// looked at only between the ends. What is no number is NULL.
    pub(super) fn bucket(&self, value: &Made<'m>, ty: &str, number: Made<'m>, steps: &Steps<'_>) -> Made<'m> {
        let build = &self.build;
        let numeric = |value| literal(build, value, "numeric");
        let compared = |operator, end| build.operator(operator, build.copy(value), literal(build, end, ty));
        let rest = build.call("mod", vec![build.copy(&number), numeric(steps.width)]);
        let rest =
            build.call("mod", vec![build.operator("+", rest, numeric(steps.width)), numeric(steps.width)]);
        let floor = build.operator("-", number, rest);
        let mut nothing = vec![build.null_test(build.copy(value), true)];
        if ty != "int8" {
            let nan = build.cast(build.string("NaN"), ty);
            nothing.push(build.operator("=", build.copy(value), nan));
        }
        let shown = build.case(
            vec![
                (build.or(nothing), build.cast(build.null(), "numeric")),
                (compared(">=", steps.high), numeric(steps.high)),
                (compared("<=", steps.low), numeric(steps.low)),
            ],
            Some(build.greatest(vec![numeric(steps.low), floor])),
        );
        // The digits behind the point are the bucket's: those of the value would tell of it.
        build.call("trunc", vec![shown, build.integer(steps.scale())])
    }
}

impl Steps<'_> {
    /// How many digits are needed behind the point.
    fn scale(&self) -> u32 {
        let digits = |value: &Value| {
            value
                .to_string()
                .split_once('.')
                .map_or(0, |(_, fraction)| u32::try_from(fraction.len()).unwrap_or(0))
        };
        [self.width, self.low, self.high].into_iter().map(digits).max().unwrap_or(0)
    }
}
