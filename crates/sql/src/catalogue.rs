//! Functions and casts that read the server's catalogue: over what a guarded relation of it shows, and nothing else.
//!
//! Such a function takes the number of an object and tells its name, its definition, its comment. The number must come
//! straight from an oid column of a guarded relation of the catalogue, whose rows are those that the caller may know of: a
//! [`Mark`] says so of an expression, and no operator, no function and no cast to another kind of type keeps it. What takes
//! two columns takes them from one row. What cannot be told whole is NULL; what is asked about the caller itself is answered
//! here.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not named is refused")]

mod asked;
mod how;
mod literal;
mod lookup;
mod wrap;

use std::sync::Arc;

use access::{Cell, Mask, Refusal, RefusalKind, is_catalogue};
use pg_raw_parse::{ConstValue, Node, nodes};

use crate::analyze::Analyzer;
use crate::edits::Edit;
use crate::lists::oid;
use crate::range::{Facts, Found, Origin, Ty};

pub(crate) use how::is_sent;
pub(crate) use wrap::Wrap;

use how::{ABOUT_THE_SERVER, How, Kind, how};
use lookup::is_text;

/// What is known of a value that comes from the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It stands in an oid column of a guarded relation of the catalogue.
    Key,
    /// The full name of a visible relation, made of the `attrelid` of this column where it is one.
    Name(Option<Origin>),
    /// A row of a number and a place, made by `information_schema._pg_expandarray`.
    Expanded,
}

/// `regproc`, `regclass` and their kin, by the name that casts have.
const OBJECT_TYPES: [(&str, u32); 11] = [
    ("regproc", 24),
    ("regprocedure", 2202),
    ("regoper", 2203),
    ("regoperator", 2204),
    ("regclass", REGCLASS),
    ("regtype", REGTYPE),
    ("regconfig", 3734),
    ("regdictionary", 3769),
    ("regnamespace", REGNAMESPACE),
    ("regrole", 4096),
    ("regcollation", 4191),
];

const REGCLASS: u32 = 2205;
const REGTYPE: u32 = 2206;
const REGNAMESPACE: u32 = 4089;
const OID_ARRAY: u32 = 1028;
const OID_VECTOR: u32 = 30;
const NAME_ARRAY: u32 = 1003;

/// Whether the type of a cast names objects of the catalogue.
pub(crate) fn object_type(name: &nodes::TypeName) -> Option<u32> {
    let parts: Vec<&str> = name.names().iter().filter_map(nodes::String::sval).collect();
    let ([last] | ["pg_catalog", last]) = parts[..] else { return None };
    if !name.array_bounds().is_empty() || !name.typmods().is_empty() || name.setof || name.pct_type {
        return None;
    }
    OBJECT_TYPES.iter().find(|(own, _)| *own == last).map(|(_, oid)| *oid)
}

/// The same of a cast.
pub(crate) fn object_type_of(cast: &nodes::TypeCast) -> Option<u32> {
    object_type(cast.type_name()?)
}

/// Whether a statement asks the catalogue beside the relations that it names: what it may know of is then gathered.
pub(crate) fn asks(node: Node<'_>) -> bool {
    match node {
        Node::TypeCast(cast) => cast.type_name().is_some_and(|name| object_type(name).is_some()),
        Node::FuncCall(call) => {
            let name = call.funcname().iter().filter_map(Node::as_str).next_back().unwrap_or_default();
            matches!(name, "to_regclass" | "to_regtype")
                || is_about_privileges(name)
                || how(name, call.args().len()).is_some()
        }
        _ => false,
    }
}

fn is_about_privileges(name: &str) -> bool {
    name == "pg_has_role" || (name.starts_with("has_") && name.ends_with("_privilege"))
}

/// An oid or something that is stored as one.
fn is_key_type(ty: u32) -> bool {
    ty == oid::OID || OBJECT_TYPES.iter().any(|(_, own)| *own == ty)
}

/// A number straight out of the catalogue.
fn is_key(facts: &Facts) -> bool {
    facts.catalogue == Some(Mark::Key) && matches!(facts.ty, Ty::Known(ty) if is_key_type(ty))
}

/// What is known of a column of the catalogue by its type.
pub(crate) fn mark_of_column(ty: u32) -> Option<Mark> {
    (is_key_type(ty) || matches!(ty, OID_ARRAY | OID_VECTOR)).then_some(Mark::Key)
}

/// What a cast leaves of a mark: a number stays one as long as it is an oid.
fn mark_after_cast(facts: &Facts, to: u32) -> Option<Mark> {
    let from = if let Ty::Known(from) = facts.ty { from } else { return None };
    match &facts.catalogue {
        Some(Mark::Key) if is_key_type(from) && is_key_type(to) => Some(Mark::Key),
        Some(Mark::Key) if from == REGCLASS && to == oid::TEXT => Some(Mark::Name(facts.origin.clone())),
        Some(Mark::Name(_)) if to == REGCLASS => Some(Mark::Key),
        _ => None,
    }
}

impl Analyzer<'_> {
    /// A call that asks the catalogue; none where it is a call like others.
    pub(crate) fn catalogue_call(
        &mut self,
        name: &str,
        call: &nodes::FuncCall,
    ) -> Result<Option<Facts>, Refusal> {
        let plain = call.agg_order().is_empty()
            && matches!(call.agg_filter(), Node::None)
            && call.over().is_none()
            && !call.func_variadic
            && !call.agg_distinct
            && !call.agg_star;
        let args: Vec<Node<'_>> = call.args().iter().collect();
        if !plain || args.iter().any(|arg| matches!(arg, Node::NamedArgExpr(_))) {
            return Ok(None);
        }
        match (name, args.as_slice()) {
            ("current_schemas", [implicit]) => return self.current_schemas(call, *implicit).map(Some),
            ("to_regclass" | "to_regtype", [name_of]) => {
                return self.object_of(name, call, *name_of).map(Some);
            }
            ("pg_get_serial_sequence", [relation, column]) => {
                return self.serial_sequence(call, *relation, *column).map(Some);
            }
            (name, args) if is_about_privileges(name) => return self.privilege(name, call, args).map(Some),
            _ => {}
        }
        if let Some((_, _, ty)) =
            ABOUT_THE_SERVER.iter().find(|(own, count, _)| *own == name && *count == args.len())
        {
            let facts = self.all(args.iter().copied(), Ty::Known(*ty))?;
            self.edits.add(call, Edit::Function(name.into()));
            let gives_rows = matches!(name, "pg_get_keywords" | "pg_listening_channels");
            return Ok(Some(Facts { gives_rows, ..facts }));
        }
        let Some(how) = how(name, args.len()) else { return Ok(None) };
        let parts = self.each(args.iter().copied())?;
        if !self.may_be_asked(how, &args, &parts) {
            return Err(self.not_of_the_catalogue(name, call.location));
        }
        Ok(Some(self.answered(name, how, call, &parts)))
    }

    fn not_of_the_catalogue(&self, name: &str, location: i32) -> Refusal {
        let message = format!(
            "`{name}` is answered here only over the oid columns of a catalogue relation, as they are"
        );
        Refusal::new(RefusalKind::UnlistedCall, message)
            .hint("read the relation of pg_catalog that has the object, and give its column")
            .at(location)
    }

    /// Whether the arguments come from the catalogue, as the function needs them.
    fn may_be_asked(&self, how: How, args: &[Node<'_>], parts: &[Facts]) -> bool {
        match (how, parts) {
            (How::SameRow(pairs, _), [one, other, ..]) => {
                self.one_row(pairs, one, other) || self.is_always_null(one)
            }
            // A number that is written out, as psql does: of something that the caller may know of.
            (How::Keys(_) | How::Rows, [_]) if matches!(args, [Node::A_Const(_)]) => args
                .first()
                .and_then(|arg| constant_text(*arg))
                .is_some_and(|text| is_number(&text) && self.object(REGCLASS, &text).is_some()),
            // The answer depends on nothing that the caller may not know, whatever the number is.
            (How::Within(..) | How::OnPath(_) | How::Type | How::Null(..) | How::False, [first, ..])
                if matches!(first.ty, Ty::Known(ty) if is_key_type(ty))
                    || matches!((how, first.ty), (How::Null(..), Ty::Any)) =>
            {
                true
            }
            (How::False, [_]) => matches!(args, [Node::A_Const(_)]),
            (How::OfColumn, [relation, column]) => {
                let number = matches!(column.ty, Ty::Known(oid::INT2 | oid::INT4) | Ty::Number(oid::INT4));
                number && matches!(relation.ty, Ty::Known(ty) if is_key_type(ty))
            }
            (_, [first, ..]) => is_key(first),
            (_, []) => false,
        }
    }

    /// Whether two columns stand in one row of a relation of the catalogue.
    fn one_row(&self, pairs: &[(&str, &str)], one: &Facts, other: &Facts) -> bool {
        let (Some(one), Some(other)) = (&one.origin, &other.origin) else { return false };
        let of_the_catalogue =
            self.mentions.get(one.mention).is_some_and(|mention| is_catalogue(&mention.relation.name.schema));
        let paired = pairs.iter().any(|(first, second)| *first == &*one.column && *second == &*other.column);
        one.mention == other.mention && of_the_catalogue && paired
    }

    /// Whether a column of the catalogue is shown to nobody: then nothing comes of it.
    fn is_always_null(&self, facts: &Facts) -> bool {
        let Some(origin) = &facts.origin else { return false };
        let Some(mention) = self.mentions.get(origin.mention) else { return false };
        let guard = self.guards.relations.get(mention.guard);
        let column = guard.and_then(|guard| guard.columns.iter().find(|column| column.name == origin.column));
        is_catalogue(&mention.relation.name.schema)
            && column.is_some_and(|column| column.cell == Cell::always(Mask::Nullify))
    }

    fn answered(&mut self, name: &str, how: How, call: &nodes::FuncCall, parts: &[Facts]) -> Facts {
        let ty = match how {
            How::Safe(ty)
            | How::Unsafe(ty)
            | How::Keys(ty)
            | How::Within(_, ty)
            | How::SameRow(_, ty)
            | How::Null(_, ty) => ty,
            How::OfColumn | How::Constraint | How::Type => oid::TEXT,
            How::Rows => oid::RECORD,
            How::False | How::OnPath(_) => oid::BOOL,
        };
        let mut facts = Facts::of(Ty::Known(ty));
        for part in parts {
            facts.absorb(part);
        }
        facts.collation = Facts::of(Ty::Any).collation;
        match how {
            How::Safe(_) => self.edits.add(call, Edit::Function(name.into())),
            How::Type => {
                self.edits.add(call, Edit::Function(name.into()));
                if !parts.first().is_some_and(is_key) {
                    let types = |visible: &Arc<access::Visible>| visible.keys(access::CatalogSet::Types);
                    let list = self.guards.visible.as_ref().map_or_else(|| "{}".into(), types);
                    self.edits.wrap(call, Wrap::Type(list));
                }
            }
            How::Unsafe(_) | How::SameRow(..) => {
                self.edits.add(call, Edit::Function(name.into()));
                self.make_unsafe(&mut facts, format!("{name}()"), call.location);
            }
            How::Keys(_) | How::Rows => {
                self.edits.add(call, Edit::Function(name.into()));
                facts.gives_rows = true;
                self.make_unsafe(&mut facts, format!("{name}()"), call.location);
                facts.catalogue = matches!(how, How::Keys(_)).then_some(Mark::Key);
            }
            How::Within(set, _) => {
                self.edits.add(call, Edit::Function(name.into()));
                let list =
                    self.guards.visible.as_ref().map_or_else(|| "{}".into(), |visible| visible.keys(set));
                self.edits.wrap(call, Wrap::Within(list));
                self.make_unsafe(&mut facts, format!("{name}()"), call.location);
            }
            How::OfColumn | How::Constraint => {
                self.edits.add(call, Edit::Function(name.into()));
                let wrap = if how == How::Constraint { self.without_schema() } else { self.told_columns() };
                self.edits.wrap(call, wrap);
                self.make_unsafe(&mut facts, format!("{name}()"), call.location);
            }
            How::Null(ty, _) => self.edits.add(call, Edit::Value { text: None, ty }),
            How::False => self.edits.add(call, Edit::Value { text: Some("false".into()), ty: "bool" }),
            How::OnPath(kind) => {
                self.edits.add(call, Edit::Function(name.into()));
                let wrap = self.on_path(kind);
                self.edits.wrap(call, wrap);
            }
        }
        facts
    }

    /// What of a kind is found along the caller's path, beside the server's own: what is visible under the first schema that
    /// has its name.
    fn on_path(&self, kind: Kind) -> Wrap {
        let Some(visible) = &self.guards.visible else { return Wrap::OnPath("{}".into()) };
        let schemas: Vec<&Arc<str>> = self.session.schemas(self.catalog).collect();
        let mut names: Vec<(&str, &str, u32)> = Vec::new();
        match kind {
            Kind::Relation => {
                names.extend(visible.relations.iter().map(|(name, oid)| (&*name.schema, &*name.name, *oid)));
            }
            Kind::Type => {
                let types = visible.types.iter().filter_map(|oid| self.catalog.types.get(oid));
                names.extend(types.map(|ty| (&*ty.schema, &*ty.name, ty.oid)));
            }
            Kind::Other => {}
        }
        let place = |schema: &str| schemas.iter().position(|own| &***own == schema);
        let first = |name: &str| {
            names.iter().filter(|other| other.1 == name).filter_map(|other| place(other.0)).min()
        };
        let found = names.iter().filter(|(schema, name, _)| {
            let place = place(schema);
            place.is_some() && place == first(name)
        });
        Wrap::OnPath(array(found.map(|(_, _, oid)| *oid)))
    }

    /// A cast to `regclass` or its kin: of a literal that names something visible, or over the catalogue's own oids.
    pub(crate) fn catalogue_cast(&mut self, cast: &nodes::TypeCast) -> Result<Option<Facts>, Refusal> {
        let Some(name) = cast.type_name() else { return Ok(None) };
        let Some(to) = object_type(name) else { return Ok(None) };
        if let Some(text) = constant_text(cast.arg()) {
            return self.literal(cast, to, &text).map(Some);
        }
        let part = self.expression(cast.arg())?;
        let Some(mark) = mark_after_cast(&part, to) else {
            if is_text(&part)
                && let Some(lookup) = self.lookup(to)
            {
                self.edits.wrap(cast, Wrap::Named { lookup, strict: true });
                return Ok(Some(self.looked_up(&part, to, cast.location)));
            }
            let message = "casts to regclass and its kin are for names that are written out, and for the oid columns of \
                           a catalogue relation";
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(cast.location));
        };
        let own = OBJECT_TYPES.iter().find(|(_, oid)| *oid == to).map_or("oid", |(own, _)| own);
        self.edits.add(name, Edit::Type { schema: "pg_catalog".into(), name: own.into() });
        // A number becomes another kind of number; a name is looked up, and could be gone.
        let from_text = matches!(part.catalogue, Some(Mark::Name(_)));
        let mut facts = Facts::of(Ty::Known(to));
        facts.absorb(&part);
        facts.collation = Facts::of(Ty::Any).collation;
        if from_text {
            self.make_unsafe(&mut facts, "a cast", cast.location);
        }
        Ok(Some(Facts { catalogue: Some(mark), origin: part.origin, ..facts }))
    }

    fn literal(&mut self, cast: &nodes::TypeCast, to: u32, text: &str) -> Result<Facts, Refusal> {
        let own = OBJECT_TYPES.iter().find(|(_, oid)| *oid == to).map_or("oid", |(own, _)| own);
        let found = self.object(to, text);
        let answer = match found {
            Some(oid) => oid.to_string(),
            // One of the server's own functions, which every caller may know of; the server resolves it.
            None if to == 24 && self.is_own_function(text) => text.to_owned(),
            None => return Err(self.no_object(to, text, cast.location)),
        };
        self.edits.add(cast, Edit::Value { text: Some(answer.into()), ty: own });
        Ok(Facts { catalogue: Some(Mark::Key), ..Facts::of(Ty::Known(to)) })
    }

    /// What a cast that is already read leaves of the mark, and whether it is one from `regclass` and its kin that cannot
    /// fail.
    pub(crate) fn cast_from_catalogue(&self, from: &Facts, to: Ty) -> (Option<Mark>, bool) {
        let (Ty::Known(source), Ty::Known(to)) = (from.ty, to) else { return (None, false) };
        let shown = source != oid::OID && is_key_type(source) && from.catalogue.is_some();
        (mark_after_cast(from, to), shown && matches!(to, oid::TEXT | oid::OID | oid::INT8))
    }

    /// `tableoid` of a relation of the catalogue: its number, which is the same in every row.
    pub(crate) fn tableoid(&mut self, column: &nodes::ColumnRef, fields: &[&str]) -> Option<Facts> {
        let (last, qualifier) = fields.split_last()?;
        if *last != "tableoid" {
            return None;
        }
        let origin = self.column_beside(qualifier, column.location)?;
        let relation = self.mentions.get(origin.mention).map(|mention| mention.relation.clone())?;
        if !is_catalogue(&relation.name.schema) {
            return None;
        }
        let text = Some(relation.oid.to_string().into());
        self.edits.add(column, Edit::Value { text, ty: "oid" });
        Some(Facts { catalogue: Some(Mark::Key), ..Facts::of(Ty::Known(oid::OID)) })
    }

    /// A column of the relation that a qualifier means; of the only one in sight where there is none.
    fn column_beside(&self, qualifier: &[&str], location: i32) -> Option<Origin> {
        let item = if qualifier.is_empty() {
            match self.levels.0.last()?.sight.items.as_slice() {
                [only] => only.clone(),
                _ => return None,
            }
        } else {
            self.qualifier(qualifier, location).ok()?.0
        };
        item.columns.iter().find_map(|seen| seen.facts.origin.clone())
    }

    fn is_expanded_column(&self, column: &nodes::ColumnRef) -> Result<bool, Refusal> {
        let fields: Vec<&str> = column.fields().iter().filter_map(Node::as_str).collect();
        let Some((name, qualifier)) = fields.split_last().filter(|_| fields.len() == column.fields().len())
        else {
            return Ok(false);
        };
        if qualifier.is_empty() {
            let found = self.levels.unqualified(name, column.location)?;
            return Ok(
                matches!(found, Some(Found::Column(facts, _)) if facts.catalogue == Some(Mark::Expanded)),
            );
        }
        let (item, _) = self.qualifier(qualifier, column.location)?;
        let mut seen = item.columns.iter().filter(|seen| &*seen.name == *name);
        Ok(seen.next().is_some_and(|seen| seen.facts.catalogue == Some(Mark::Expanded))
            && seen.next().is_none())
    }

    /// `(x).n` of what `_pg_expandarray` gives.
    pub(crate) fn expanded(&mut self, indirection: &nodes::A_Indirection) -> Result<Option<Facts>, Refusal> {
        let field = match indirection.indirection().iter().collect::<Vec<_>>().as_slice() {
            [Node::String(field)] => field.sval().unwrap_or_default(),
            _ => return Ok(None),
        };
        let ty = match field {
            "x" => Ty::Any,
            "n" => Ty::Known(oid::INT4),
            _ => return Ok(None),
        };
        let of_call = match indirection.arg() {
            Node::FuncCall(call) => is_expandarray(call),
            Node::ColumnRef(column) => self.is_expanded_column(column)?,
            _ => false,
        };
        if !of_call {
            return Ok(None);
        }
        let facts = self.expression(indirection.arg())?;
        Ok(Some(Facts { ty, length: None, origin: None, catalogue: None, ..facts }))
    }

    /// `information_schema._pg_expandarray(i.indkey)`, which JDBC asks: elements with their places.
    pub(crate) fn expandarray(&mut self, call: &nodes::FuncCall) -> Result<Option<Facts>, Refusal> {
        if !is_expandarray(call) {
            return Ok(None);
        }
        let mut facts = self.all(call.args().iter(), Ty::Any)?;
        facts.gives_rows = true;
        facts.origin = None;
        self.make_unsafe(&mut facts, "_pg_expandarray()", call.location);
        Ok(Some(Facts { catalogue: Some(Mark::Expanded), ..facts }))
    }
}

/// The one function of `information_schema` that is called by a client.
pub(crate) fn is_expandarray(call: &nodes::FuncCall) -> bool {
    let parts: Vec<&str> = call.funcname().iter().filter_map(Node::as_str).collect();
    parts == ["information_schema", "_pg_expandarray"] && call.args().len() == 1
}

/// The name that a function gives to the one column of its rows, where that is not its own.
pub(crate) fn result_column(call: Node<'_>) -> Option<&'static str> {
    let Node::FuncCall(call) = call else { return None };
    let name = call.funcname().iter().filter_map(Node::as_str).next_back();
    (name == Some("pg_partition_ancestors")).then_some("relid")
}

/// The text of a constant, or the digits of a number.
fn constant_text(node: Node<'_>) -> Option<String> {
    match node {
        Node::A_Const(constant) => match constant.val()? {
            ConstValue::String(text) => Some(text.to_owned()),
            ConstValue::Integer(number) => Some(number.to_string()),
            _ => None,
        },
        // 'customers'::text is a constant too.
        Node::TypeCast(cast) => {
            let name = cast.type_name()?;
            let text = name.names().iter().filter_map(nodes::String::sval).next_back() == Some("text");
            if text && name.array_bounds().is_empty() { constant_text(cast.arg()) } else { None }
        }
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn array(oids: impl Iterator<Item = u32>) -> Arc<str> {
    let mut oids: Vec<u32> = oids.collect();
    oids.sort_unstable();
    let oids: Vec<String> = oids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", oids.join(",")).into()
}
