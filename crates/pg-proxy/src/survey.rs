//! What an operator asks of a store before the gateway serves it: for `veilgate init`.

use access::RelationName;

use crate::catalog::{CatalogError, read_only, rows};
use crate::upstream::{NO_PASSWORD, UpstreamConfig, UpstreamError};

/// Relations that belong to an extension, and go with it.
const OF_EXTENSIONS: &str = r"
SELECT n.nspname, c.relname FROM pg_depend d
JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'";

const ROLES: &str = "SELECT rolname FROM pg_roles ORDER BY 1";

/// What a draft has to know besides the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ground {
    /// The roles of the server.
    pub roles: Vec<String>,
    /// Relations of extensions.
    pub of_extensions: Vec<RelationName>,
}

/// Asks for it.
///
/// # Errors
/// When the store cannot be reached, or says no.
pub async fn ground(config: &UpstreamConfig) -> Result<Ground, CatalogError> {
    let mut upstream = read_only(config).await?;
    let (roles, relations) = (upstream.query(ROLES).await?, upstream.query(OF_EXTENSIONS).await?);
    upstream.close().await;
    let roles = rows::<1>(&roles)?.into_iter().map(|[role]| role.to_owned()).collect();
    let name = |[schema, name]: [&str; 2]| RelationName::new(schema, name);
    Ok(Ground { roles, of_extensions: rows(&relations)?.into_iter().map(name).collect() })
}

/// Whether the store asks for a password, and there was none to give.
#[must_use]
pub fn asks_for_password(error: &CatalogError) -> bool {
    matches!(error, CatalogError::Upstream(UpstreamError::Login(why)) if *why == NO_PASSWORD)
}
