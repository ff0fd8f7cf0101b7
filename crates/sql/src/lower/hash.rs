//! `hash` to an expression: HMAC-SHA-256 out of the built-in `sha256`, under a key that two parameters hold.
//!
//! ```sql
//! encode(substr(sha256($2 || sha256($1 || decode(replace(email::text, '\', '\\'), 'escape'))), 1, 8), 'hex')
//! ```

use access::{HashKey, Refusal};

use super::mask::Subject;
use super::{Lower, Made, unlowered};
use crate::hidden::KeyForm;

impl<'m> Lower<'m, '_> {
    /// The token of a value, in the form that its type shows: the first 16 digits of a text, all bytes, the first 16 or
    /// the first 8 bytes as a UUID or a number.
    pub(super) fn hash(&self, subject: &Subject<'m, '_>, key: &HashKey) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let name = self.catalog.types.get(&subject.column.base_oid).map_or("", |ty| &*ty.name);
        let message = match name {
            "text" | "varchar" | "bpchar" => {
                // Each byte stands for itself once no backslash escapes the next.
                let text = self.bytes(&self.text_of(subject));
                let plain = build.call("replace", vec![text, build.text("\\"), build.text("\\\\")]);
                build.call("decode", vec![plain, build.text("escape")])
            }
            "uuid" | "int8" => {
                let text = build.cast(build.copy(&subject.value), "text");
                build.call("decode", vec![text, build.text("escape")])
            }
            "bytea" => build.copy(&subject.value),
            _ => return Err(unlowered("a hash of another type than text, bytea, uuid and bigint")),
        };
        let mac = self.hmac(key, message)?;
        let first = |bytes: u32| {
            let start = build.call("substr", vec![build.copy(&mac), build.integer(1), build.integer(bytes)]);
            build.call("encode", vec![start, build.text("hex")])
        };
        Ok(match name {
            "bytea" => mac,
            "uuid" => first(16),
            "int8" => {
                let digits = build.operator("||", build.text("x"), first(8));
                build.cast_to(digits, "pg_catalog", "bit", &[64])
            }
            _ => first(8),
        })
    }

    fn hmac(&self, key: &HashKey, message: Made<'m>) -> Result<Made<'m>, Refusal> {
        let build = &self.build;
        let form = self.hidden.form(key).ok_or_else(|| unlowered("a hash without a key"))?;
        let [inner, outer] = match form {
            KeyForm::Parameters(numbers) => numbers.map(|number| build.parameter(number)),
            KeyForm::Withheld => [(); 2].map(|()| build.string("")),
        }
        .map(|block| build.cast(block, "bytea"));
        let digest = build.call("sha256", vec![build.operator("||", inner, message)]);
        Ok(build.call("sha256", vec![build.operator("||", outer, digest)]))
    }
}
