//! The `lookups` block: mapping tables that `rows` ask.

use super::{Draft, Reader};
use crate::document::{Node, Scalar};
use crate::name;
use crate::policy::Lookup;

const KEYS: [&str; 4] = ["from", "where", "take", "expect"];

impl Reader<'_> {
    pub(super) fn lookups(&mut self, value: &Node, draft: &mut Draft) {
        for (key, value) in self.mapping(value, "`lookups`").unwrap_or_default() {
            if let Some(first) = draft.lookups.iter().find(|lookup| *lookup.name == *key.text) {
                let help = format!("the first one is in {}", first.place.line());
                self.error(key.span, format!("two lookups are called `{}`", key.text), help);
                continue;
            }
            if let Some(lookup) = self.lookup(key, value) {
                draft.lookups.push(lookup);
            } else {
                draft.lookups_are_incomplete = true;
            }
        }
    }

    fn lookup(&mut self, key: &Scalar, value: &Node) -> Option<Lookup> {
        let mut letters = key.text.chars();
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        if !letters.next().is_some_and(plain) || !letters.all(|c| plain(c) || c.is_ascii_digit()) {
            let help = "it is a word of a-z, digits and `_`, as in `id in lookup.assigned`";
            self.error(key.span, format!("`{}` is not the name of a lookup", key.text), help);
            return None;
        }
        let (mut from, mut filter, mut take, mut expect) = (None, None, None, None);
        for (key, value) in self.mapping(value, "a lookup")? {
            match key.text.as_str() {
                "from" => from = Some(self.lookup_table(value)),
                "where" => filter = Some(self.expression(value, "`where`")),
                "take" => take = Some(self.taken(value)),
                "expect" => expect = Some(self.expected(value)),
                _ => self.unknown_key(key, "a lookup", &KEYS),
            }
        }
        for (key, needed, help) in [
            ("from", from.is_none(), "the table that it reads: `from: pg://crm/public.assignments`"),
            ("take", take.is_none(), "the column that it takes: `take: customer_id`"),
        ] {
            if needed {
                self.error(value.span, format!("a lookup has no `{key}`"), help);
            }
        }
        let filter = match filter {
            Some(filter) => Some(filter?),
            None => None,
        };
        let expect = match expect {
            Some(expect) => Some(expect?),
            None => None,
        };
        let (name, place) = (key.text.as_str().into(), self.place(key.span));
        Some(Lookup { name, place, from: from??, filter, take: take??, expect })
    }

    fn lookup_table(&mut self, value: &Node) -> Option<name::DataName> {
        let text = self.text(value, "`from`")?;
        match name::data(&text.text, self.speaks) {
            Ok(name) => Some(name),
            Err(wrong) => {
                self.error(text.span, wrong.message, wrong.help);
                None
            }
        }
    }

    fn taken(&mut self, value: &Node) -> Option<(std::sync::Arc<str>, crate::error::Place)> {
        let text = self.text(value, "`take`")?;
        match name::field(&text.text) {
            Ok(name) => Some((name, self.place(text.span))),
            Err(wrong) => {
                self.error(text.span, wrong.message, wrong.help);
                None
            }
        }
    }

    fn expected(&mut self, value: &Node) -> Option<u64> {
        let text = self.text(value, "`expect`")?;
        let digits = text.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.text.parse().ok().filter(|_| digits);
        if number.is_none() {
            self.error(text.span, format!("`{}` is no number of values", text.text), "write `expect: 5000`");
        }
        number
    }
}
