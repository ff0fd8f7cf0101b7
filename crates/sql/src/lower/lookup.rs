//! Membership in a mapping table: a condition of the scan itself, never a join that the planner sets above others.

use access::{Field, FieldType, Lookup, Refusal};
use pg_raw_parse::make::Unique;
use pg_raw_parse::nodes;

use super::{Lower, Made, unlowered};

impl<'m> Lower<'m, '_> {
    /// `x = ANY (ARRAY(SELECT …))` for few values, which an index on `x` finds; `(x IN (SELECT …)) IS TRUE` for many,
    /// which are hashed, and whose `IS TRUE` keeps the planner from making a join of it. Below a negation it is
    /// `IS NOT FALSE`: unknown counts against the row there too.
    pub(super) fn in_lookup(
        &self,
        field: &Field,
        lookup: &Lookup,
        admits: bool,
    ) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let Some(relation) = self.catalog.relation(&lookup.relation) else {
            return Err(unlowered(&format!("the table of the lookup `{}`", lookup.name)));
        };
        let inner = Lower { build: *build, relation, catalog: self.catalog, hidden: self.hidden };
        let (value, taken) = self.looked_up(field, &inner, &lookup.take)?;
        let select = inner.taken(lookup, taken)?;
        if !lookup.many {
            return Ok(build.equal_any(value, build.array_of(select)));
        }
        Ok(build.truth_of(build.in_select(value, select), admits))
    }

    /// `SELECT take FROM table WHERE rows`.
    fn taken(&self, lookup: &Lookup, taken: Made<'m>) -> Result<Unique<'m, &'m nodes::SelectStmt>, Refusal> {
        let mem = self.build.0;
        let name = &self.relation.name;
        let mut from = mem.make_range_var(Some(&name.schema), Some(&name.name));
        from.as_mut().set_inh(true);
        let mut select = self.build.select(taken, None, Some(from.uncast()));
        if let Some(rows) = &lookup.rows {
            select.as_mut().set_where_clause(self.predicate(rows)?);
        }
        Ok(select)
    }

    /// The field and the column that is taken as values of one type, by casts that cannot fail; of the field none where
    /// its index would be lost for nothing.
    fn looked_up(
        &self,
        field: &Field,
        inner: &Lower<'m, '_>,
        take: &Field,
    ) -> Result<(Made<'m>, Made<'m>), Refusal> {
        use FieldType::{Array, Float, Int, Numeric, Other, Text};
        let build = &self.build;
        let (value, taken) = (build.column(&[&field.name]), build.column(&[&take.name]));
        let both =
            |ty| (build.cast(build.column(&[&field.name]), ty), build.cast(build.column(&[&take.name]), ty));
        match (&field.ty, &take.ty) {
            (Text, Text) => Ok(self.looked_up_text(field, inner, take)),
            (Int, Int) | (Float, Float) => Ok((value, taken)),
            (Int, Numeric) | (Numeric, Int) => Ok(both("numeric")),
            (Int, Float) | (Float, Int) => Ok(both("float8")),
            (one, other) if one == other && !matches!(one, Other(_) | Array(_)) => Ok((value, taken)),
            (one, other) => Err(unlowered(&format!("a lookup of {one} in {other}"))),
        }
    }

    /// Texts in the collation of the field, or byte by byte where that takes two texts for one; `char(n)` without its
    /// blanks where only one side is padded.
    fn looked_up_text(&self, field: &Field, inner: &Lower<'m, '_>, take: &Field) -> (Made<'m>, Made<'m>) {
        let build = &self.build;
        let (mut value, mut taken) = (build.column(&[&field.name]), build.column(&[&take.name]));
        let padded = (self.is_blank_padded(field), inner.is_blank_padded(take));
        if padded.0 && !padded.1 {
            value = build.cast(value, "text");
        }
        if !(padded.0 && padded.1) {
            taken = build.cast(taken, "text");
        }
        if self.nondeterministic(field) {
            value = build.collate(value, "pg_catalog", "C");
        } else if self.collation(field) != inner.collation(take) {
            let (schema, name) = match self.catalog.collations.get(&self.collation(field)) {
                Some(own) => (&*own.schema, &*own.name),
                None => ("pg_catalog", "default"),
            };
            taken = build.collate(taken, schema, name);
        }
        (value, taken)
    }
}
