//! The policy of `pg_catalog` and `information_schema`: it ships with the gateway and is part of every policy.
//!
//! No rule of a policy names these relations, and `"*"` does not cover them; this file alone decides what is told of them,
//! and it alone may say `oid in catalog.visible_relations`.

use std::sync::LazyLock;

use access::{Catalog, is_catalogue};

use crate::bind::{self, Bound};
use crate::expr::Speaks;
use crate::parse::parse_as;
use crate::policy::Policy;
use crate::{Diagnostic, Source};

const TEXT: &str = include_str!("../../../policies/postgres-catalog.yaml");

/// Read once. One that cannot be read, which a test rules out, opens nothing.
static SHIPPED: LazyLock<Result<Policy, Vec<Diagnostic>>> = LazyLock::new(|| {
    parse_as(&[Source { path: "postgres-catalog.yaml".into(), text: TEXT.to_owned() }], Speaks::Catalogue)
});

/// Adds what the shipped policy says of a store's catalogue.
pub(crate) fn bind(catalog: &Catalog, bound: &mut Bound) {
    let Ok(policy) = SHIPPED.as_ref() else { return };
    let relations = bound.stores.entry(catalog.store.clone()).or_default();
    for block in policy.blocks.iter().filter(|block| is_catalogue(&block.data.relation.schema)) {
        if let Some(relation) = bind::shipped(policy, block, catalog) {
            relations.insert(relation.name.clone(), relation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_that_ships_can_be_read() {
        let policy = SHIPPED.as_ref().unwrap();
        assert!(policy.blocks.iter().all(|block| is_catalogue(&block.data.relation.schema)));
        assert!(policy.blocks.len() > 80, "{}", policy.blocks.len());
    }

    #[test]
    fn what_holds_passwords_settings_and_values_is_not_in_it() {
        let policy = SHIPPED.as_ref().unwrap();
        for closed in [
            "pg_authid",
            "pg_shadow",
            "pg_statistic",
            "pg_statistic_ext_data",
            "pg_stats",
            "pg_stats_ext",
            "pg_stat_activity",
            "pg_user_mapping",
            "pg_file_settings",
            "pg_hba_file_rules",
            "pg_largeobject",
            "pg_locks",
        ] {
            let there = policy.blocks.iter().any(|block| &*block.data.relation.name == closed);
            assert!(!there, "{closed}");
        }
    }
}
