//! The gateway's own login in the database, with no more rights than it needs, as SQL for the owner to run.

use std::collections::BTreeMap;

use access::RelationName;

/// What the login may do.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    pub(crate) name: &'a str,
    pub(crate) database: &'a str,
    /// Of its password; the password itself stands in a file beside the configuration.
    pub(crate) verifier: &'a str,
    /// What it reads.
    pub(crate) relations: Vec<&'a RelationName>,
}

impl Login<'_> {
    /// The statements, in one transaction.
    pub(crate) fn sql(&self) -> String {
        let (name, database) = (identifier(self.name), identifier(self.database));
        let mut by_schema: BTreeMap<&str, Vec<&RelationName>> = BTreeMap::new();
        for relation in &self.relations {
            by_schema.entry(&relation.schema).or_default().push(relation);
        }
        let mut sql = format!(
            "-- The gateway's own login: it reads what the policy governs, and can do nothing else.\n\
             -- Its password was made for it and stands in a file; this holds what proves it, not what it is.\n\
             BEGIN;\n\
             CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS\n  \
             PASSWORD {};\n\
             GRANT CONNECT ON DATABASE {database} TO {name};\n",
            literal(self.verifier)
        );
        for (schema, relations) in by_schema {
            let schema = identifier(schema);
            let names: Vec<String> =
                relations.iter().map(|relation| format!("{schema}.{}", identifier(&relation.name))).collect();
            sql += &format!("GRANT USAGE ON SCHEMA {schema} TO {name};\n");
            sql += &format!("GRANT SELECT ON TABLE\n  {}\n  TO {name};\n", names.join(",\n  "));
        }
        sql + "COMMIT;\n"
    }
}

/// Always in quotes: whether a word is reserved depends on the server. What moves a cursor is escaped.
pub(crate) fn identifier(name: &str) -> String {
    if !name.chars().any(char::is_control) {
        return format!("\"{}\"", name.replace('"', "\"\""));
    }
    let letter = |letter: char| match letter {
        '"' => "\"\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        _ if letter.is_control() => format!("\\{:04X}", u32::from(letter)),
        _ => letter.to_string(),
    };
    format!("U&\"{}\"", name.chars().map(letter).collect::<String>())
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_stays_one_identifier() {
        for (name, written) in [
            ("customers", "\"customers\""),
            ("user", "\"user\""),
            ("a\"; DROP TABLE x; --", "\"a\"\"; DROP TABLE x; --\""),
            ("a\nb\\c\"", "U&\"a\\000Ab\\\\c\"\"\""),
        ] {
            assert_eq!(identifier(name), written);
        }
    }
}
