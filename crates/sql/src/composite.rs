//! Fields of composite values: `(c.address).city`, where the column is of a type that was made with `CREATE TYPE … AS (…)`.
//!
//! `(x).f` is a call of `f` where the type has no such field, so the field is looked up here. A table's row type is none
//! of these: it lists its table's columns, hidden ones too.

use access::{Refusal, RefusalKind, RelationKind, RelationName};
use pg_raw_parse::{Node, nodes};

use crate::analyze::Analyzer;
use crate::range::{Collation, Facts, Found, Ty};

impl Analyzer<'_> {
    /// `(c).f`: a column of a whole row, or a field of a column.
    pub(crate) fn field_of_column(
        &mut self,
        column: &nodes::ColumnRef,
        field: &str,
    ) -> Result<Facts, Refusal> {
        let fields: Vec<&str> = column.fields().iter().filter_map(Node::as_str).collect();
        let is_column = match fields.as_slice() {
            [name] => matches!(self.levels.unqualified(name, column.location)?, Some(Found::Column(..))),
            [_, _, ..] => fields.len() == column.fields().len(),
            [] => false,
        };
        if !is_column {
            return self.field_of_row(column, field);
        }
        let value = self.expression(Node::ColumnRef(column))?;
        self.field_of_value(value, field, column.location)
    }

    /// The field of this name. Reading one cannot fail; that of NULL is NULL.
    pub(crate) fn field_of_value(&self, value: Facts, field: &str, location: i32) -> Result<Facts, Refusal> {
        let Some((ty, collation)) = self.type_of_field(value.ty, field) else {
            let message = "a field of a composite value is not mediated by this version";
            return Err(Refusal::new(RefusalKind::Unsupported, message)
                .hint("write functions as f(x), and columns as table.column")
                .at(location));
        };
        let collation = if matches!(ty, Ty::Known(ty) if self.lists.collatable(ty)) {
            collation
        } else {
            Collation::Default
        };
        Ok(Facts { ty, length: None, collation, origin: None, ..value })
    }

    fn type_of_field(&self, ty: Ty, field: &str) -> Option<(Ty, Collation)> {
        let Ty::Known(oid) = ty else { return None };
        let ty = self.catalog.types.get(&oid)?;
        let composite = self.catalog.relation(&RelationName::new(&*ty.schema, &*ty.name))?;
        if composite.row_type != oid || composite.kind != RelationKind::Composite {
            return None;
        }
        let column = composite.column(field)?;
        let collation = match column.collation {
            0 | 100 => Collation::Default,
            other => Collation::Named(other),
        };
        Some((Ty::Known(column.base_oid), collation))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access::{
        Catalog, Cell, Column, Comparison, Field, FieldType, Guard, GuardedColumn, Guards, Mask, Operand,
        Predicate, Relation, SqlType, TypeKind, Value,
    };

    use super::*;
    use crate::{Limits, Session, parse, print, rewrite, scope, verify};

    const ADDRESS: u32 = 30_000;
    const ROW_OF_T: u32 = 30_001;

    fn relation(name: &str, row_type: u32, kind: RelationKind, columns: &[(&str, u32)]) -> Arc<Relation> {
        let column = |(name, oid): &(&str, u32)| Column {
            name: (*name).into(),
            type_oid: *oid,
            base_oid: *oid,
            typmod: -1,
            not_null: false,
            collation: 0,
        };
        Arc::new(Relation {
            name: RelationName::new("public", name),
            oid: row_type + 10_000,
            row_type,
            kind,
            columns: columns.iter().map(column).collect(),
            primary_key: Vec::new(),
            parents: Vec::new(),
            is_partition: false,
            has_rules: false,
            row_security: false,
            definition: None,
            security_barrier: false,
        })
    }

    /// A table `t` of which alice sees some rows, with an address and with a row of its own kind.
    fn mediate(sql: &str) -> Result<String, Refusal> {
        let columns = [("id", 23), ("home", ADDRESS), ("parent", ROW_OF_T)];
        let relations = [
            relation("t", ROW_OF_T, RelationKind::Table, &columns),
            relation("address", ADDRESS, RelationKind::Composite, &[("city", 25), ("number", 23)]),
        ];
        let ty = |oid, schema: &str, name: &str, kind| {
            (oid, SqlType { oid, schema: schema.into(), name: name.into(), kind })
        };
        let types = [
            ty(23, "pg_catalog", "int4", TypeKind::Base),
            ty(25, "pg_catalog", "text", TypeKind::Base),
            ty(ADDRESS, "public", "address", TypeKind::Composite),
            ty(ROW_OF_T, "public", "t", TypeKind::Composite),
        ];
        let catalog = Catalog {
            server_version: 150_018,
            schemas: vec!["public".into()],
            relations: relations.map(|relation| (relation.name.clone(), relation)).into(),
            types: types.into(),
            ..Catalog::default()
        };
        let id = Field { name: "id".into(), ty: FieldType::Int };
        let rows = Predicate::Compare(Comparison::Less, Operand::Field(id), Operand::Value(Value::Int(9)));
        let columns = ["id", "home", "parent"]
            .map(|name| GuardedColumn { name: name.into(), cell: Cell::always(Mask::Clear) });
        let guard =
            Guard { relation: RelationName::new("public", "t"), rows: Some(rows), columns: columns.into() };
        let guards = Guards { relations: vec![guard], ..Guards::default() };
        let path: Vec<Arc<str>> = vec!["public".into()];
        let session = Session { search_path: &path, caller: "alice", parameters: &[] };
        let batch = parse(sql, &Limits::default())?;
        let statement = batch.get(0).expect("one statement");
        let scope = scope(&statement, &catalog, session)?;
        let printed = print(&rewrite(&scope, &guards)?)?;
        verify(&printed, &guards, &catalog)?;
        Ok(printed.text().to_owned())
    }

    #[test]
    fn a_field_of_a_made_type_passes_and_is_safe() {
        for sql in [
            "SELECT (home).city, (t.home).number FROM t",
            "SELECT id FROM t WHERE (home).city = 'Riga' AND (t.home).number > 3",
        ] {
            assert!(mediate(sql).is_ok(), "{sql}: {:?}", mediate(sql));
        }
    }

    #[test]
    fn what_may_be_a_call_or_a_row_of_a_table_does_not() {
        for sql in [
            "SELECT (home).country FROM t",
            "SELECT (home).pg_typeof FROM t",
            "SELECT (home).* FROM t",
            "SELECT (parent).id FROM t",
            "SELECT (id).pg_sleep FROM t",
        ] {
            let kind = mediate(sql).unwrap_err().kind;
            assert!(
                matches!(kind, RefusalKind::Unsupported | RefusalKind::UnknownRelation),
                "{sql}: {kind:?}"
            );
        }
    }
}
