//! Names in literals, as `regclass` and its kin read them: found along the caller's path among what it may know of.

use access::{FIRST_USER_OID, Refusal, RefusalKind, RelationName, is_catalogue};

use super::{REGCLASS, REGNAMESPACE, REGTYPE};
use crate::analyze::Analyzer;

/// Types by the names that the standard has for them.
pub(super) const STANDARD_TYPES: [(&str, &str); 12] = [
    ("integer", "int4"),
    ("int", "int4"),
    ("bigint", "int8"),
    ("smallint", "int2"),
    ("boolean", "bool"),
    ("real", "float4"),
    ("double precision", "float8"),
    ("character varying", "varchar"),
    ("character", "bpchar"),
    ("decimal", "numeric"),
    ("timestamp with time zone", "timestamptz"),
    ("timestamp without time zone", "timestamp"),
];

impl Analyzer<'_> {
    /// The number of what a literal names, where the caller may know of it.
    pub(super) fn object(&self, ty: u32, text: &str) -> Option<u32> {
        let visible = self.guards.visible.as_ref()?;
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            let oid: u32 = text.parse().ok()?;
            let known = match ty {
                REGCLASS => visible.relations.values().any(|known| *known == oid),
                REGTYPE => visible.types.contains(&oid),
                _ => false,
            };
            return (known || oid < FIRST_USER_OID).then_some(oid);
        }
        let parts = parts(text)?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (ty, parts.as_slice()) {
            (REGCLASS, [name]) => self.relation_on_path(name),
            (REGCLASS, [schema, name]) => self.relation_of(schema, name),
            (REGTYPE, parts) => self.type_oid(text, parts),
            (REGNAMESPACE, [name]) => self.schema_oid(name),
            _ => None,
        }
    }

    /// What is answered for one that is not there for the caller, whether or not it is there.
    pub(super) fn no_object(&self, ty: u32, text: &str, location: i32) -> Refusal {
        let (kind, what) = match ty {
            REGCLASS => (RefusalKind::UnknownRelation, "relation"),
            REGTYPE => (RefusalKind::UnlistedCall, "type"),
            REGNAMESPACE => (RefusalKind::UnlistedCall, "schema"),
            _ => (RefusalKind::UnlistedCall, "object"),
        };
        Refusal::new(kind, format!("{what} \"{text}\" does not exist")).at(location)
    }

    pub(super) fn relation_on_path(&self, name: &str) -> Option<u32> {
        self.relation_of("pg_catalog", name)
            .or_else(|| self.session.schemas(self.catalog).find_map(|schema| self.relation_of(schema, name)))
    }

    fn relation_of(&self, schema: &str, name: &str) -> Option<u32> {
        let name = RelationName::new(schema, name);
        if is_catalogue(schema) {
            return self.catalog.relation(&name).map(|relation| relation.oid);
        }
        self.guards.visible.as_ref()?.relations.get(&name).copied()
    }

    fn type_oid(&self, text: &str, parts: &[&str]) -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some((_, own)) = STANDARD_TYPES.iter().find(|(standard, _)| *standard == lower) {
            return self.catalog.type_named("pg_catalog", own).map(|ty| ty.oid);
        }
        let visible = self.guards.visible.as_ref()?;
        let of = |schema: &str, name: &str| {
            let ty = self.catalog.type_named(schema, name)?;
            (ty.oid < FIRST_USER_OID || visible.types.contains(&ty.oid)).then_some(ty.oid)
        };
        match parts {
            [name] => of("pg_catalog", name)
                .or_else(|| self.session.schemas(self.catalog).find_map(|schema| of(schema, name))),
            [schema, name] => of(schema, name),
            _ => None,
        }
    }

    pub(super) fn schema_oid(&self, name: &str) -> Option<u32> {
        let (oid, _) = self.catalog.objects.schemas.get(name)?;
        let visible = self.guards.visible.as_ref()?;
        let seen = is_catalogue(name) || *oid < FIRST_USER_OID;
        (seen || visible.relations.keys().any(|relation| &*relation.schema == name)).then_some(*oid)
    }

    /// Whether a text names functions of the server itself and nothing else.
    pub(super) fn is_own_function(&self, text: &str) -> bool {
        let Some(name) = text.strip_prefix("pg_catalog.") else { return false };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(plain)
    }
}

/// The parts of a name, folded to lower case where they are not quoted; none where it is no name.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        let mut part = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next()? {
                    '"' if letters.next_if_eq(&'"').is_some() => part.push('"'),
                    '"' => break,
                    letter => part.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != '.' && *letter != '"') {
                part.extend(letter.to_lowercase());
            }
            part = part.trim().to_owned();
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match letters.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        let read = |text| parts(text).map(|parts| parts.join("|"));
        assert_eq!(read("Customers").as_deref(), Some("customers"));
        assert_eq!(read("public.\"A.b\"\"c\"").as_deref(), Some("public|A.b\"c"));
        assert_eq!(read("a. b").as_deref(), Some("a|b"));
        for odd in ["", ".", "a.", "\"a", "\"a\"b"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
