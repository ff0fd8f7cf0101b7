//! `veilgate check --bypass`: who can go round the gateway.

use std::collections::BTreeSet;
use std::sync::Arc;

use access::{Catalog, Entry};
use pg_proxy::roads::{self, Road, Roads};
use policy::Bound;

use crate::config::Config;
use crate::error::{Error, count};
use crate::{gateway, output, yaml};

/// Prints a table a store. The roads of who is trusted are in it, and do not count.
pub(super) async fn report(
    config: &Config,
    catalogs: &[Arc<Catalog>],
    bound: &Bound,
    trusted: &[String],
) -> Result<(), Error> {
    let (mut open, mut seen) = (0, BTreeSet::new());
    for store in &config.stores {
        // One that did not answer has been told.
        let Some(catalog) = catalogs.iter().find(|catalog| *catalog.store == *store.name) else { continue };
        let governed = |relation: &&Arc<access::Relation>| {
            !access::is_catalogue(&relation.name.schema)
                && bound.entry(&store.name, &relation.name) == Entry::Governed
        };
        let oids: Vec<u32> =
            catalog.relations.values().filter(governed).map(|relation| relation.oid).collect();
        let found = roads::roads(&gateway::upstream(store)?, &oids).await.map_err(|error| {
            Error::Message(format!(
                "store `{}`: cannot look for roads round the gateway: {error}",
                store.name
            ))
        })?;
        open += table(&store.name, oids.len(), &found, trusted);
        seen.extend(found.roads.into_iter().map(|road| road.who));
    }
    for name in trusted.iter().filter(|name| !seen.contains(*name)) {
        output::line(format_args!("--trust {}: there is no such road\n", yaml::comment(name)));
    }
    if open == 0 {
        output::line("nobody who is not trusted can go round the gateway, as far as this could look");
        return Ok(());
    }
    output::line(format_args!(
        "{} round the gateway; close them, or name who is meant to have one with --trust",
        count(open, "road")
    ));
    Err(Error::Problems)
}

/// Prints what was found at one store, and counts the roads of who is not trusted.
fn table(store: &str, governed: usize, found: &Roads, trusted: &[String]) -> usize {
    output::line(format_args!("store `{store}`, {} governed", count(governed, "relation")));
    let width = found.roads.iter().map(|road| road.who.chars().count()).max().unwrap_or(0).min(40);
    let mut open = 0;
    for Road { who, what } in &found.roads {
        let is_trusted = trusted.contains(who);
        open += usize::from(!is_trusted);
        let sign = if is_trusted { "trusted" } else { "OPEN" };
        output::line(format_args!("  {sign:<7}  {:<width$}  {}", yaml::comment(who), yaml::comment(what)));
    }
    for fact in &found.facts {
        output::line(format_args!("  note     {}", yaml::comment(fact)));
    }
    for unseen in &found.unseen {
        output::line(format_args!("  UNSEEN   {}", yaml::comment(unseen)));
    }
    for beyond in BEYOND {
        output::line(format_args!("  UNSEEN   {beyond}"));
    }
    output::line("");
    open
}

/// What no catalogue shows.
const BEYOND: [&str; 3] = [
    "firewalls and networks: whether anybody but the gateway reaches the server's port",
    "backups, standbys, disks, and who administers the machines",
    "copies that were made elsewhere, and other databases with foreign servers that lead here",
];
