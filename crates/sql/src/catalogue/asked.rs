//! What is asked about the caller itself, and of things by their names: answered here, or over one row of the catalogue.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not named is refused")]

use access::{Refusal, RefusalKind, RelationName, is_catalogue};
use pg_raw_parse::{ConstValue, Node, nodes};

use super::lookup::{Lookup, is_text};
use super::{Mark, NAME_ARRAY, REGCLASS, REGNAMESPACE, REGTYPE, Wrap, constant_text};
use crate::analyze::Analyzer;
use crate::edits::Edit;
use crate::lists::oid;
use crate::range::{Facts, Ty};
use crate::settings;

/// Privileges that a caller has of all that it may know of.
const HELD: [&str; 4] = ["SELECT", "USAGE", "CONNECT", "EXECUTE"];

impl Analyzer<'_> {
    /// `current_schemas(true)`: the caller's path.
    pub(super) fn current_schemas(
        &mut self,
        call: &nodes::FuncCall,
        implicit: Node<'_>,
    ) -> Result<Facts, Refusal> {
        let implicit = match implicit {
            Node::A_Const(constant) => match constant.val() {
                Some(ConstValue::Boolean(implicit)) => Some(implicit),
                _ => None,
            },
            _ => None,
        };
        let Some(implicit) = implicit else {
            let message = "current_schemas() is answered for the constants true and false";
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(call.location));
        };
        let mut names: Vec<String> = Vec::new();
        if implicit {
            names.push("pg_catalog".to_owned());
        }
        for schema in self.session.schemas(self.catalog) {
            names.push(format!("\"{}\"", schema.replace('\\', "\\\\").replace('"', "\\\"")));
        }
        let text = format!("{{{}}}", names.join(","));
        self.edits.add(call, Edit::Value { text: Some(text.into()), ty: "_name" });
        Ok(Facts::of(Ty::Known(NAME_ARRAY)))
    }

    /// `to_regclass('customers')`: NULL for what is not there for the caller.
    pub(super) fn object_of(
        &mut self,
        name: &str,
        call: &nodes::FuncCall,
        of: Node<'_>,
    ) -> Result<Facts, Refusal> {
        let Some(text) = constant_text(of) else { return self.object_of_text(name, call, of) };
        let (ty, oid) = if name == "to_regclass" { ("regclass", REGCLASS) } else { ("regtype", REGTYPE) };
        let found = self.object(oid, &text).map(|oid| oid.to_string().into());
        self.edits.add(call, Edit::Value { text: found, ty });
        Ok(Facts { catalogue: Some(Mark::Key), ..Facts::of(Ty::Known(oid)) })
    }

    /// `to_regclass($1)`: a name that comes later.
    fn object_of_text(&mut self, name: &str, call: &nodes::FuncCall, of: Node<'_>) -> Result<Facts, Refusal> {
        let to = if name == "to_regclass" { REGCLASS } else { REGTYPE };
        let part = self.expression(of)?;
        let lookup = self.lookup(to).filter(|_| is_text(&part));
        let Some(lookup) = lookup else {
            let message = format!("{name}() is answered for a text");
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(call.location));
        };
        self.edits.wrap(call, Wrap::Named { lookup, strict: false });
        Ok(self.looked_up(&part, to, call.location))
    }

    /// `current_setting($1)`: a name that comes later; `current_setting(s.name)` over the settings that `pg_settings` shows
    /// here.
    pub(crate) fn setting_by_value(&mut self, call: &nodes::FuncCall) -> Result<Option<Facts>, Refusal> {
        let [of @ (Node::ColumnRef(_) | Node::ParamRef(_) | Node::TypeCast(_))] =
            call.args().iter().collect::<Vec<_>>()[..]
        else {
            return Ok(None);
        };
        let mut facts = self.expression(of)?;
        if !facts.reads && is_text(&facts) {
            let path = crate::forward::show_path(self.session.search_path);
            self.edits.add(call, Edit::Function("current_setting".into()));
            self.edits.wrap(call, Wrap::Setting { path: path.into(), shown: settings::shown() });
            self.make_unsafe(&mut facts, "current_setting()", call.location);
            let collation = Facts::of(Ty::Any).collation;
            return Ok(Some(Facts { ty: Ty::Known(oid::TEXT), length: None, collation, ..facts }));
        }
        let is_name = facts.origin.as_ref().is_some_and(|origin| {
            let mention = self.mentions.get(origin.mention);
            &*origin.column == "name"
                && mention.is_some_and(|mention| {
                    mention.relation.name == RelationName::new("pg_catalog", "pg_settings")
                })
        });
        if !is_name {
            return Ok(None);
        }
        self.edits.add(call, Edit::Function("current_setting".into()));
        self.make_unsafe(&mut facts, "current_setting()", call.location);
        Ok(Some(Facts { ty: Ty::Known(oid::TEXT), length: None, origin: None, ..facts }))
    }

    /// `pg_get_serial_sequence(attrelid::regclass::text, attname)` of one row: it fails for a column that is not there.
    pub(super) fn serial_sequence(
        &mut self,
        call: &nodes::FuncCall,
        relation: Node<'_>,
        column: Node<'_>,
    ) -> Result<Facts, Refusal> {
        let (relation, column) = (self.expression(relation)?, self.expression(column)?);
        let one_row = match (&relation.catalogue, &column.origin) {
            (Some(Mark::Name(Some(of))), Some(name)) => {
                let own = Facts { origin: Some(of.clone()), ..Facts::of(Ty::Any) };
                let other = Facts { origin: Some(name.clone()), ..Facts::of(Ty::Any) };
                self.one_row(&[("attrelid", "attname")], &own, &other)
            }
            _ => false,
        };
        if !one_row {
            return Err(self.not_of_the_catalogue("pg_get_serial_sequence", call.location));
        }
        self.edits.add(call, Edit::Function("pg_get_serial_sequence".into()));
        let mut facts = Facts::of(Ty::Known(oid::TEXT));
        facts.absorb(&relation);
        facts.absorb(&column);
        facts.collation = Facts::of(Ty::Any).collation;
        self.make_unsafe(&mut facts, "pg_get_serial_sequence()", call.location);
        facts.catalogue = Some(Mark::Name(None));
        Ok(facts)
    }

    /// `has_table_privilege(…)` and its kin: what the caller may know of it may read, and nothing more.
    pub(super) fn privilege(
        &mut self,
        name: &str,
        call: &nodes::FuncCall,
        args: &[Node<'_>],
    ) -> Result<Facts, Refusal> {
        let refused = |this: &Self| Err(this.not_of_the_catalogue(name, call.location));
        let Some((asked, objects)) = args.split_last() else { return refused(self) };
        let Some(asked) = constant_text(*asked) else { return refused(self) };
        let mut objects = objects;
        if let Some((Node::SQLValueFunction(_), rest)) =
            objects.split_first().filter(|(_, rest)| !rest.is_empty())
        {
            objects = rest;
        }
        let held = asked.split(',').any(|one| {
            let one = one.trim().to_ascii_uppercase();
            HELD.contains(&one.as_str()) && name != "pg_has_role"
        });
        let mut facts = Facts::of(Ty::Known(oid::BOOL));
        for object in objects {
            let known = match constant_text(*object) {
                Some(text) => self.names_something(name, &text, objects.len()),
                None => {
                    let part = self.expression(*object)?;
                    facts.absorb(&part);
                    if let [_] = objects
                        && part.origin.is_none()
                        && part.catalogue.is_none()
                        && is_text(&part)
                        && let Some(found) = self.privilege_by_name(name)
                    {
                        self.edits.wrap(call, Wrap::Held { found, held });
                        self.make_unsafe(&mut facts, format!("{name}()"), call.location);
                        return Ok(Facts { collation: Facts::of(Ty::Any).collation, ..facts });
                    }
                    part.catalogue.is_some()
                        || self.is_column_of_the_catalogue(&part)
                        || is_current_database(*object)
                }
            };
            if !known {
                return refused(self);
            }
        }
        self.edits.add(call, Edit::Value { text: Some(held.to_string().into()), ty: "bool" });
        Ok(Facts { collation: Facts::of(Ty::Any).collation, ..facts })
    }

    /// Where a name is looked up that comes later, for a function of this name.
    fn privilege_by_name(&self, function: &str) -> Option<Lookup> {
        match function {
            "has_table_privilege" | "has_any_column_privilege" | "has_sequence_privilege" => {
                self.lookup(REGCLASS)
            }
            "has_schema_privilege" => self.lookup(REGNAMESPACE),
            _ => None,
        }
    }

    /// Whether the text of a constant names something that the caller may know of, for a function of this name.
    fn names_something(&self, function: &str, text: &str, objects: usize) -> bool {
        match function {
            "has_table_privilege" | "has_any_column_privilege" | "has_sequence_privilege" if objects == 1 => {
                self.object(REGCLASS, text).is_some()
            }
            "has_database_privilege" if objects == 1 => text == &*self.catalog.database,
            "has_schema_privilege" if objects == 1 => self.object(REGNAMESPACE, text).is_some(),
            _ => false,
        }
    }

    fn is_column_of_the_catalogue(&self, facts: &Facts) -> bool {
        let Some(origin) = &facts.origin else { return false };
        self.mentions.get(origin.mention).is_some_and(|mention| is_catalogue(&mention.relation.name.schema))
    }
}

fn is_current_database(node: Node<'_>) -> bool {
    match node {
        Node::FuncCall(call) => {
            let name = call.funcname().iter().filter_map(Node::as_str).next_back();
            name == Some("current_database") && call.args().is_empty()
        }
        _ => false,
    }
}
