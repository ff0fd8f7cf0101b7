//! Guards to Postgres SQL: the subquery that stands for a relation, its filter and its masks.
//!
//! Everything here is immutable, depends on no setting of the session and cannot fail, whatever a row holds
//! (sql-mediation: a guard that fails closes the table for all, and tells). Values become typed literals through
//! [`types::literal`] alone: a string constant of the tree under a cast, never spliced text.

mod array;
mod document;
mod hash;
mod lookup;
mod mask;
mod predicate;
mod scale;
mod types;

use access::{Catalog, Cell, Column, Guard, Mask, Refusal, RefusalKind, Relation, RelationKind};
use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{ConstValue, Node, nodes, raw};

use self::mask::Subject;
use self::types::{TypeSpec, modifiers};
use crate::build::Build;
use crate::hidden::Hidden;
use crate::range::Length;
use crate::sample;

/// `pg_catalog."default"`.
const DEFAULT_COLLATION: u32 = 100;

/// One mention of a relation, for which a guard stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mentioned<'a> {
    /// The relation that the statement names.
    pub(crate) relation: &'a Relation,
    /// Whether it is named with ONLY.
    pub(crate) only: bool,
    /// What takes a sample of it.
    pub(crate) sample: Option<&'a nodes::RangeTableSample>,
    /// The name of one more column, which says whether a row is admitted; for gates.
    pub(crate) admit: Option<&'a str>,
}

/// The subquery that stands for a relation: its visible columns by name, masked, filtered.
///
/// The guard may be that of the topmost parent. Columns that are not `used` may be left out: no statement can tell.
pub(crate) fn guard_select<'m>(
    mem: MemoryToken<'m>,
    guard: &Guard,
    mention: &Mentioned<'_>,
    catalog: &Catalog,
    hidden: &Hidden,
    used: impl Fn(&str) -> bool,
) -> Result<Unique<'m, &'m nodes::SelectStmt>, Refusal> {
    let Mentioned { relation, only, sample, admit } = *mention;
    let lower = Lower { build: Build(mem), relation, catalog, hidden };
    let mut targets = Vec::with_capacity(guard.columns.len());
    for guarded in guard.columns.iter().filter(|guarded| used(&guarded.name)) {
        let Some(column) = relation.column(&guarded.name) else { continue };
        targets.push(lower.target(column, &guarded.cell)?);
    }
    if let (Some(name), Some(rows)) = (admit, &guard.rows) {
        let admitted = lower.build.is_true(lower.predicate(rows)?);
        targets.push(mem.make_res_target(Some(name), mem.empty(), admitted));
    }
    let mut from = mem.make_range_var(Some(&relation.name.schema), Some(&relation.name.name));
    from.as_mut().set_inh(!only);
    let from = match sample {
        Some(sample) => sample::around(mem, sample, from),
        None => from.uncast(),
    };
    let mut select = mem.make_node::<nodes::SelectStmt>();
    let mut edit = select.as_mut();
    edit.set_target_list(mem.make_list(&targets));
    edit.set_from_clause(mem.make_list(&[from]));
    if let Some(rows) = &guard.rows {
        edit.set_where_clause(lower.predicate(rows)?);
    }
    edit.set_limit_option(raw::LimitOption::LIMIT_OPTION_DEFAULT);
    if is_fenced(relation) {
        edit.set_limit_offset(mem.make_a_const(ConstValue::Integer(0)).uncast());
        edit.set_limit_option(raw::LimitOption::LIMIT_OPTION_COUNT);
    }
    Ok(select)
}

/// The length or precision of a column, where it has one.
pub(crate) fn length(column: &Column, catalog: &Catalog) -> Option<Length> {
    let ty = catalog.types.get(&column.base_oid)?;
    let modifiers = modifiers(&ty.name, column.typmod);
    let has_length = !modifiers.is_empty();
    has_length.then(|| Length { schema: ty.schema.clone(), name: ty.name.clone(), modifiers })
}

/// Whether a guard ends in `OFFSET 0`: a view has rows of its own to hide, and unless it is a barrier on the server, what
/// stands around it could run over them.
pub(crate) fn is_fenced(relation: &Relation) -> bool {
    relation.kind == RelationKind::View && !relation.security_barrier
}

/// What lowering reads: where nodes are made, the relation whose columns are named, the types they have.
struct Lower<'m, 'a> {
    build: Build<'m>,
    relation: &'a Relation,
    catalog: &'a Catalog,
    hidden: &'a Hidden,
}

type Made<'m> = Unique<'m, Node<'m>>;

impl<'m> Lower<'m, '_> {
    fn target(&self, column: &Column, cell: &Cell) -> Result<Unique<'m, &'m nodes::ResTarget>, Refusal> {
        let mem = self.build.0;
        if cell.is_clear() && !is_domain(column) {
            return Ok(mem.make_res_target(None, mem.empty(), self.build.column(&[&column.name])));
        }
        let shown = self.cell(column, cell)?;
        Ok(mem.make_res_target(Some(&column.name), mem.empty(), shown))
    }

    /// `CASE WHEN … THEN mask … ELSE mask END`, of the column's type, length and collation.
    fn cell(&self, column: &Column, cell: &Cell) -> Result<Made<'m>, Refusal> {
        let otherwise = self.mask_of(column, &cell.otherwise)?;
        let mut whens = Vec::with_capacity(cell.branches.len());
        for branch in &cell.branches {
            whens.push((self.predicate(&branch.when)?, self.mask_of(column, &branch.mask)?));
        }
        if whens.is_empty() {
            return Ok(otherwise);
        }
        Ok(self.build.case(whens, Some(otherwise)))
    }
    /// The mask over a column.
    fn mask_of(&self, column: &Column, mask: &Mask) -> Result<Made<'m>, Refusal> {
        self.mask(&Subject { value: self.build.column(&[&column.name]), column }, mask)
    }

    fn has_own_collation(&self, column: &Column) -> bool {
        column.collation != 0 && column.collation != DEFAULT_COLLATION
    }

    /// A mask is ordered and compared as its column is.
    fn in_own_collation(&self, column: &Column, value: Made<'m>) -> Made<'m> {
        match self.catalog.collations.get(&column.collation) {
            Some(own) if self.has_own_collation(column) => self.build.collate(value, &own.schema, &own.name),
            _ => value,
        }
    }

    fn column_type(&self, column: &Column) -> Result<TypeSpec<'_>, Refusal> {
        let Some(ty) = self.catalog.types.get(&column.base_oid) else {
            return Err(unlowered(&format!("the type of column `{}`", column.name)));
        };
        Ok(TypeSpec { schema: &ty.schema, name: &ty.name, modifiers: modifiers(&ty.name, column.typmod) })
    }
}

/// A domain is shown as its base type, wherever it is shown: a value of it beside a mask would lose its length, and a
/// cast back to it can fail.
fn is_domain(column: &Column) -> bool {
    column.type_oid != column.base_oid
}

fn unlowered(what: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Unsupported,
        format!("the policy needs {what}, which cannot be sent to Postgres"),
    )
    .hint("`veilgate check` names the rule")
}
