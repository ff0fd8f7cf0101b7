//! Arrays with every element masked: dimensions, bounds and NULLs stay.

use access::{Column, Mask, Refusal, TypeKind};

use super::mask::Subject;
use super::{Lower, Made, unlowered};

impl<'m> Lower<'m, '_> {
    /// The masked elements as a flat list, computed once, in the shape of the array.
    ///
    /// An array of more than three dimensions is NULL, and so is one of two or three whose outer bounds do not begin at
    /// one: no immutable expression makes such an array.
    pub(super) fn array(&self, subject: &Subject<'m, '_>, mask: &Mask) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let inner = self.inner_name();
        let element = self.element_of(subject.column)?;
        let each = build.select(build.call("unnest", vec![build.copy(&subject.value)]), Some(&inner), None);
        let over = Subject { value: build.column(&["e", &inner]), column: &element };
        let masked = build.select(self.mask(&over, mask)?, None, Some(build.derived(each, "e")));
        let flat = build.once(build.select(build.array_of(masked), Some(&inner), None), "f");
        let shaped = Shape { lower: self, array: &subject.value, inner: &inner }.shaped();
        Ok(build.scalar(build.select(shaped, None, Some(flat))))
    }

    /// A name for columns of subqueries inside a mask: none that the relation has, which it would hide.
    pub(super) fn inner_name(&self) -> String {
        let mut name = "v".to_owned();
        while self.relation.column(&name).is_some() {
            name.push('_');
        }
        name
    }

    /// The elements, as if they were a column.
    fn element_of(&self, column: &Column) -> Result<Column, Refusal> {
        match self.catalog.types.get(&column.base_oid).map(|ty| &ty.kind) {
            Some(TypeKind::Array { element }) => {
                Ok(Column { type_oid: *element, base_oid: *element, ..column.clone() })
            }
            _ => Err(unlowered(&format!("the elements of column `{}`", column.name))),
        }
    }
}

/// The shape of an array, given to the flat list `f` of its masked elements.
struct Shape<'s, 'm, 'a> {
    lower: &'s Lower<'m, 'a>,
    array: &'s Made<'m>,
    inner: &'s str,
}

impl<'m> Shape<'_, 'm, '_> {
    fn shaped(&self) -> Made<'m> {
        let build = &self.lower.build;
        let dimensions = || build.call("array_ndims", vec![build.copy(self.array)]);
        let is = |count| build.operator("=", dimensions(), build.integer(count));
        let from_one = |at| build.operator("=", self.lower_bound(at), build.integer(1));
        let one = || build.integer(1);
        let end = || build.call("cardinality", vec![build.copy(self.array)]);
        let rows = self.rows("g", 1, self.row(self.counter("g"), 2));
        let planes = self.rows(
            "g",
            1,
            self.rows(
                "h",
                2,
                self.row(
                    build.operator(
                        "+",
                        build.operator("*", self.counter("g"), self.length(2)),
                        self.counter("h"),
                    ),
                    3,
                ),
            ),
        );
        build.case(
            vec![
                (build.null_test(dimensions(), true), build.copy(self.array)),
                (build.and(vec![is(1), from_one(1)]), self.flat()),
                (is(1), self.bounded(one(), end(), 1)),
                (build.and(vec![is(2), from_one(1)]), rows),
                (build.and(vec![is(3), from_one(1), from_one(2)]), planes),
            ],
            None,
        )
    }

    fn flat(&self) -> Made<'m> {
        self.lower.build.column(&["f", self.inner])
    }

    fn counter(&self, alias: &str) -> Made<'m> {
        self.lower.build.column(&[alias, self.inner])
    }

    fn lower_bound(&self, dimension: u32) -> Made<'m> {
        let build = &self.lower.build;
        build.call("array_lower", vec![build.copy(self.array), build.integer(dimension)])
    }

    fn length(&self, dimension: u32) -> Made<'m> {
        let build = &self.lower.build;
        build.call("array_length", vec![build.copy(self.array), build.integer(dimension)])
    }

    /// `array_agg` of a value for each place in a dimension, counted from zero.
    fn rows(&self, alias: &str, dimension: u32, row: Made<'m>) -> Made<'m> {
        let build = &self.lower.build;
        let last = build.operator("-", self.length(dimension), build.integer(1));
        let places = build.call("generate_series", vec![build.integer(0), last]);
        let places = build.derived(build.select(places, Some(self.inner), None), alias);
        build.scalar(build.select(build.call("array_agg", vec![row]), None, Some(places)))
    }

    /// One row of the last dimension: the so-many-th, counted from zero.
    fn row(&self, place: Made<'m>, dimension: u32) -> Made<'m> {
        let build = &self.lower.build;
        let before = || build.operator("*", build.copy(&place), self.length(dimension));
        let first = build.operator("+", before(), build.integer(1));
        self.bounded(first, build.operator("+", before(), self.length(dimension)), dimension)
    }

    /// These elements of the flat list, with the lower bound of a dimension.
    fn bounded(&self, first: Made<'m>, last: Made<'m>, dimension: u32) -> Made<'m> {
        let build = &self.lower.build;
        let ints = |value| build.cast(build.array(vec![value]), "_int4");
        let one = build.element(self.flat(), build.copy(&first));
        let filled =
            build.call("array_fill", vec![one, ints(build.integer(1)), ints(self.lower_bound(dimension))]);
        let second = build.operator("+", first, build.integer(1));
        build.operator("||", filled, build.slice(self.flat(), second, Some(last)))
    }
}
