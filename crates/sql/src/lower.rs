//! Guards to Postgres SQL: the subquery that stands for a relation, its filter and its masks.
//!
//! Everything here is immutable, depends on no setting of the session and cannot fail, whatever a row holds
//! (sql-mediation: a guard that fails closes the table for all, and tells). Values become typed literals through
//! [`literal`] alone: a string constant of the tree under a cast, never spliced text.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not named does not fit")]

use access::{
    Catalog, Cell, Column, Comparison, Field, FieldType, Guard, Mask, Operand, Predicate, Refusal,
    RefusalKind, Relation, Value,
};
use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{Node, nodes, raw};

use crate::build::Build;

/// `pg_catalog."default"`.
const DEFAULT_COLLATION: u32 = 100;

/// The subquery that stands for a relation: its visible columns by name, masked, filtered.
///
/// `relation` is the one that the statement names; the guard may be that of its topmost parent. Columns that are not
/// `used` may be left out: no statement can tell.
pub(crate) fn guard_select<'m>(
    mem: MemoryToken<'m>,
    guard: &Guard,
    relation: &Relation,
    only: bool,
    catalog: &Catalog,
    used: impl Fn(&str) -> bool,
) -> Result<Unique<'m, &'m nodes::SelectStmt>, Refusal> {
    let lower = Lower { build: Build(mem), relation, catalog };
    let mut targets = Vec::with_capacity(guard.columns.len());
    for guarded in guard.columns.iter().filter(|guarded| used(&guarded.name)) {
        let Some(column) = relation.column(&guarded.name) else { continue };
        targets.push(lower.target(column, &guarded.cell)?);
    }
    let mut from = mem.make_range_var(Some(&relation.name.schema), Some(&relation.name.name));
    from.as_mut().set_inh(!only);
    let mut select = mem.make_node::<nodes::SelectStmt>();
    let mut edit = select.as_mut();
    edit.set_target_list(mem.make_list(&targets));
    edit.set_from_clause(mem.make_list(&[from.uncast()]));
    if let Some(rows) = &guard.rows {
        edit.set_where_clause(lower.predicate(rows)?);
    }
    edit.set_limit_option(raw::LimitOption::LIMIT_OPTION_DEFAULT);
    Ok(select)
}

/// What lowering reads: where nodes are made, the relation whose columns are named, the types they have.
struct Lower<'m, 'a> {
    build: Build<'m>,
    relation: &'a Relation,
    catalog: &'a Catalog,
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
        let otherwise = self.mask(column, &cell.otherwise)?;
        let mut whens = Vec::with_capacity(cell.branches.len());
        for branch in &cell.branches {
            whens.push((self.predicate(&branch.when)?, self.mask(column, &branch.mask)?));
        }
        if whens.is_empty() {
            return Ok(otherwise);
        }
        Ok(self.build.case(whens, Some(otherwise)))
    }

    fn mask(&self, column: &Column, mask: &Mask) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let value = match mask {
            Mask::Clear if !is_domain(column) => return Ok(build.column(&[&column.name])),
            Mask::Clear => build.column(&[&column.name]),
            Mask::Nullify => build.null(),
            Mask::Constant(value) => {
                let present = build.null_test(build.column(&[&column.name]), false);
                let zoned = self.catalog.field_type(column.base_oid) == FieldType::TimestampTz;
                let ty = if zoned { "timestamptz" } else { "" };
                build.case(vec![(present, build.string(&written(value, ty)))], None)
            }
            Mask::Partial { first, last, fill } => self.partial(column, *first, *last, *fill),
            Mask::Email { domain_only } => self.email(column, *domain_only),
            Mask::Shape => self.shape(column),
        };
        let typed = self.column_type(column)?.cast(build, value);
        Ok(self.in_own_collation(column, typed))
    }

    /// All characters filled where there are no more than the ends, else the ends with the rest filled.
    fn partial(&self, column: &Column, first: u32, last: u32, fill: char) -> Made<'m> {
        let build = &self.build;
        let fill = fill.to_string();
        let ends = build.integer(first.saturating_add(last));
        let length = || build.call("char_length", vec![self.text(column)]);
        let short = build.operator("<=", length(), build.copy(&ends));
        let whole = build.call("repeat", vec![build.text(&fill), length()]);
        let middle = build.call("repeat", vec![build.text(&fill), build.operator("-", length(), ends)]);
        let mut shown = middle;
        if first > 0 {
            let start = build.call("left", vec![self.text(column), build.integer(first)]);
            shown = build.operator("||", start, shown);
        }
        if last > 0 {
            let end = build.call("right", vec![self.text(column), build.integer(last)]);
            shown = build.operator("||", shown, end);
        }
        build.case(vec![(short, whole)], Some(shown))
    }

    /// `a***@example.org`; what has not exactly one `@` between two parts is filled.
    fn email(&self, column: &Column, domain_only: bool) -> Made<'m> {
        let build = &self.build;
        let one = build.like(self.bytes(column), "_%@_%");
        let two = build.negate(build.like(self.bytes(column), "%@%@%"));
        let at = build.call("strpos", vec![self.bytes(column), build.text("@")]);
        let domain = build.call("substr", vec![self.bytes(column), at]);
        let mut shown = build.operator("||", build.text("***"), domain);
        if !domain_only {
            let first = build.call("left", vec![self.bytes(column), build.integer(1)]);
            shown = build.operator("||", first, shown);
        }
        let length = build.call("char_length", vec![self.bytes(column)]);
        let filled = build.call("repeat", vec![build.text("*"), length]);
        build.case(vec![(build.and(vec![one, two]), shown)], Some(filled))
    }

    /// ASCII capitals to `X`, other letters and all that is not ASCII to `x`, digits to `0`.
    fn shape(&self, column: &Column) -> Made<'m> {
        let build = &self.build;
        let from = "abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ123456789";
        let to = "xxxxxxxxxxxxxxxxxxxxxxxxxXXXXXXXXXXXXXXXXXXXXXXXXX000000000";
        let ascii = build.call("translate", vec![self.bytes(column), build.text(from), build.text(to)]);
        let args = vec![ascii, build.text("[^\\x01-\\x7f]"), build.text("x"), build.text("g")];
        build.call("regexp_replace", args)
    }

    /// The column as text: of `char(n)` without its trailing blanks.
    fn text(&self, column: &Column) -> Made<'m> {
        self.build.cast(self.build.column(&[&column.name]), "text")
    }

    /// The column as text, compared byte by byte: pattern functions fail under a nondeterministic collation.
    fn bytes(&self, column: &Column) -> Made<'m> {
        let text = self.text(column);
        if self.has_own_collation(column) { self.build.collate(text, "pg_catalog", "C") } else { text }
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

    fn predicate(&self, predicate: &Predicate) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        Ok(match predicate {
            Predicate::Known(Some(truth)) => build.boolean(*truth),
            Predicate::Known(None) => build.cast(build.null(), "bool"),
            Predicate::Field(field) => build.column(&[&field.name]),
            Predicate::IsNull(field) => build.null_test(build.column(&[&field.name]), true),
            Predicate::Not(inner) => build.negate(self.predicate(inner)?),
            Predicate::And(parts) => {
                self.all(parts)?.map_or_else(|| build.boolean(true), |parts| build.and(parts))
            }
            Predicate::Or(parts) => {
                self.all(parts)?.map_or_else(|| build.boolean(false), |parts| build.or(parts))
            }
            Predicate::Compare(comparison, left, right) => self.compare(*comparison, left, right)?,
            Predicate::In(field, values) => {
                let mut list = Vec::with_capacity(values.len());
                for value in values {
                    list.push(self.value_for(field, value)?);
                }
                build.in_list(self.beside(field, values), list)
            }
            Predicate::StartsWith(field, prefix) => {
                let text = build.cast(self.comparable(field), "text");
                build.like(text, &format!("{}%", escape_pattern(prefix)))
            }
            Predicate::HasAny(field, values) => self.has_any(field, values)?,
        })
    }

    fn all(&self, parts: &[Predicate]) -> Result<Option<Vec<Made<'m>>>, Refusal> {
        let parts: Vec<_> = parts.iter().map(|part| self.predicate(part)).collect::<Result<_, _>>()?;
        Ok((!parts.is_empty()).then_some(parts))
    }

    fn compare(&self, comparison: Comparison, left: &Operand, right: &Operand) -> Result<Made<'m>, Refusal> {
        let (left, right) = match (left, right) {
            (Operand::Field(field), Operand::Value(value)) => {
                (self.beside(field, [value]), self.value_for(field, value)?)
            }
            (Operand::Value(value), Operand::Field(field)) => {
                (self.value_for(field, value)?, self.beside(field, [value]))
            }
            (Operand::Field(left), Operand::Field(right)) => self.fields(left, right)?,
            (Operand::Value(_), Operand::Value(_)) => return Err(unlowered("a comparison of two values")),
        };
        let name = match comparison {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        Ok(self.build.operator(name, left, right))
    }

    /// Two fields on two sides: of one kind, numbers among themselves by casts that cannot fail.
    fn fields(&self, left: &Field, right: &Field) -> Result<(Made<'m>, Made<'m>), Refusal> {
        use FieldType::{Float, Int, Numeric, Text};
        let build = &self.build;
        let (a, b) = (build.column(&[&left.name]), build.column(&[&right.name]));
        match (&left.ty, &right.ty) {
            (Text, Text) => {
                // Two columns may have two collations, which fails when run; text order is then that of bytes.
                let same = self.collation(left) == self.collation(right) && !self.nondeterministic(left);
                let (a, b) = (build.cast(a, "text"), build.cast(b, "text"));
                if same { Ok((a, b)) } else { Ok((build.collate(a, "pg_catalog", "C"), b)) }
            }
            (Int, Numeric) | (Numeric, Int) => Ok((build.cast(a, "numeric"), build.cast(b, "numeric"))),
            (Int, Float) | (Float, Int) => Ok((build.cast(a, "float8"), build.cast(b, "float8"))),
            (one, other) if one == other && !matches!(one, FieldType::Other(_) | FieldType::Array(_)) => {
                Ok((a, b))
            }
            (one, other) => Err(unlowered(&format!("a comparison of {one} with {other}"))),
        }
    }

    fn collation(&self, field: &Field) -> u32 {
        self.relation.column(&field.name).map_or(0, |column| column.collation)
    }

    fn nondeterministic(&self, field: &Field) -> bool {
        self.catalog.collations.get(&self.collation(field)).is_some_and(|collation| !collation.deterministic)
    }

    /// A field where it is compared: text under a nondeterministic collation by bytes, so that a rule that says `EU`
    /// does not admit `eu`.
    fn comparable(&self, field: &Field) -> Made<'m> {
        let column = self.build.column(&[&field.name]);
        if self.nondeterministic(field) { self.build.collate(column, "pg_catalog", "C") } else { column }
    }

    /// A field where it is compared with these values: `char(n)` as text where one of them ends in a blank, which such a
    /// field never does and its own comparison does not see.
    fn beside<'v>(&self, field: &Field, values: impl IntoIterator<Item = &'v Value>) -> Made<'m> {
        let blank = values.into_iter().any(ends_in_blank);
        let comparable = self.comparable(field);
        if blank && self.is_blank_padded(field) { self.build.cast(comparable, "text") } else { comparable }
    }

    /// A value as a literal of a type that the field compares with, without a cast of the field that could fail.
    fn value_for(&self, field: &Field, value: &Value) -> Result<Made<'m>, Refusal> {
        let ty = match (&field.ty, value) {
            (FieldType::Text, Value::Text(_)) if self.is_blank_padded(field) && !ends_in_blank(value) => {
                "bpchar"
            }
            (FieldType::Text, Value::Text(_)) => "text",
            (FieldType::Int, Value::Int(_)) => "int8",
            (FieldType::Int | FieldType::Numeric, Value::Int(_) | Value::Numeric(_)) => "numeric",
            (FieldType::Float, Value::Int(_) | Value::Numeric(_)) => "float8",
            (FieldType::Bool, Value::Bool(_)) => "bool",
            (FieldType::Date, Value::Date(_)) => "date",
            (FieldType::Timestamp, Value::Timestamp(_) | Value::Date(_)) => "timestamp",
            (FieldType::TimestampTz, Value::Timestamp(_) | Value::Date(_)) => "timestamptz",
            (FieldType::Uuid, Value::Uuid(_)) => "uuid",
            (ty, value) => {
                return Err(unlowered(&format!("a comparison of {ty} with {}", value.value_type())));
            }
        };
        Ok(literal(&self.build, value, ty))
    }

    fn is_blank_padded(&self, field: &Field) -> bool {
        const BPCHAR: u32 = 1042;
        self.relation.column(&field.name).is_some_and(|column| column.base_oid == BPCHAR)
    }

    fn has_any(&self, field: &Field, values: &[Value]) -> Result<Made<'m>, Refusal> {
        let FieldType::Array(element) = &field.ty else { return Err(unlowered("`has any` of no array")) };
        let column = self.relation.column(&field.name);
        let array = column.and_then(|column| self.catalog.types.get(&column.base_oid));
        let name = array.and_then(|array| array.name.strip_prefix('_')).unwrap_or_default();
        let of_one: &[&str] = match **element {
            FieldType::Text => &["text", "varchar", "bpchar"],
            FieldType::Int => &["int2", "int4", "int8"],
            FieldType::Numeric => &["numeric"],
            FieldType::Bool => &["bool"],
            FieldType::Date => &["date"],
            FieldType::Uuid => &["uuid"],
            _ => &[],
        };
        if !of_one.contains(&name) {
            return Err(unlowered(&format!("`has any` of {}", field.ty)));
        }
        // A number that the elements' type cannot hold is in no array of it.
        let fits = values.iter().filter(|value| match (name, value) {
            ("int2", Value::Int(number)) => i16::try_from(*number).is_ok(),
            ("int4", Value::Int(number)) => i32::try_from(*number).is_ok(),
            _ => true,
        });
        let elements: Vec<_> = fits.map(|value| literal(&self.build, value, name)).collect();
        let array = TypeSpec { schema: "pg_catalog", name: &format!("_{name}"), modifiers: Vec::new() }
            .cast(&self.build, self.build.array(elements));
        Ok(self.build.operator("&&", self.build.column(&[&field.name]), array))
    }
}

fn ends_in_blank(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.ends_with(' '))
}

/// A domain is shown as its base type, wherever it is shown: a value of it beside a mask would lose its length, and a
/// cast back to it can fail.
fn is_domain(column: &Column) -> bool {
    column.type_oid != column.base_oid
}

/// A value as a literal of a type of `pg_catalog`: the one encoder for each type. All forms read the same under every
/// setting of the session.
pub(crate) fn literal<'m>(build: &Build<'m>, value: &Value, ty: &str) -> Unique<'m, Node<'m>> {
    build.cast(build.string(&written(value, ty)), ty)
}

/// The text of a value. A moment says that it is UTC, or it would be one of the session's time zone.
fn written(value: &Value, ty: &str) -> String {
    let zone = if ty == "timestamptz" { "+00" } else { "" };
    format!("{value}{zone}")
}

/// `%`, `_` and `\` stand for themselves.
fn escape_pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len());
    for c in prefix.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// A type with its length or precision.
struct TypeSpec<'a> {
    schema: &'a str,
    name: &'a str,
    modifiers: Vec<i32>,
}

impl TypeSpec<'_> {
    fn cast<'m>(&self, build: &Build<'m>, value: Unique<'m, Node<'m>>) -> Unique<'m, Node<'m>> {
        build.cast_to(value, self.schema, self.name, &self.modifiers)
    }
}

/// The modifiers as written from `pg_attribute.atttypmod`: `character(11)` has 15, `numeric(10,2)` has 655366.
fn modifiers(name: &str, typmod: i32) -> Vec<i32> {
    if typmod < 0 {
        return Vec::new();
    }
    match name {
        "varchar" | "bpchar" | "_varchar" | "_bpchar" => vec![typmod - 4],
        "numeric" | "_numeric" => {
            let packed = typmod - 4;
            // Since Postgres 15 a scale has 11 bits, the highest its sign.
            vec![packed >> 16, ((packed & 0x7ff) ^ 1024) - 1024]
        }
        "bit" | "varbit" | "_bit" | "_varbit" => vec![typmod],
        "time" | "timetz" | "timestamp" | "timestamptz" if typmod <= 6 => vec![typmod],
        _ => Vec::new(),
    }
}

fn unlowered(what: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Unsupported,
        format!("the policy needs {what}, which cannot be sent to Postgres"),
    )
    .hint("`veilgate check` names the rule")
}
