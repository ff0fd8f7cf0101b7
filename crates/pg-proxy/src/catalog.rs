//! The store's catalogue: loaded in one snapshot, and a fingerprint that shows when it has changed.

use std::collections::HashMap;
use std::sync::Arc;

use access::{
    Added, Catalog, Collation, Column, Relation, RelationDetail, RelationKind, RelationName, SqlType,
    TypeKind,
};
use gate::SqlPermit;

use crate::frame::FrameError;
use crate::upstream::{self, Rows, StoreError, Upstream, UpstreamConfig, UpstreamError};

/// Loads the catalogue of a store.
///
/// # Errors
/// When the store cannot be reached or asked, or its catalogue is not as expected.
pub async fn load(config: &UpstreamConfig, store: &str) -> Result<Catalog, CatalogError> {
    let mut upstream = upstream::connect(config).await?;
    let catalog = load_over(&mut upstream, store).await?;
    upstream.close().await;
    Ok(catalog)
}

/// Loads the catalogue over a connection that is idle, and leaves it idle.
///
/// # Errors
/// When the store cannot be asked, or its catalogue is not as expected.
pub async fn load_over(upstream: &mut Upstream, store: &str) -> Result<Catalog, CatalogError> {
    // One snapshot for all of it: a relation is never there without its columns.
    upstream.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let loaded = Loaded::read(upstream).await;
    upstream.query("ROLLBACK").await?;
    loaded?.catalog(store)
}

/// A text that is the same as long as the catalogue is. Tables of a session's own do not count.
///
/// # Errors
/// When the store cannot be asked.
pub async fn fingerprint(upstream: &mut Upstream) -> Result<String, CatalogError> {
    let rows = upstream.query(FINGERPRINT).await?;
    let fingerprint = rows.iter().next().ok_or(CatalogError::Value)?.map_err(UpstreamError::from)?;
    fingerprint.first().copied().flatten().map(str::to_owned).ok_or(CatalogError::Value)
}

/// Runs one statement that the gate has permitted, on a connection of its own that can write nothing. For `veilgate test`.
///
/// # Errors
/// When the store cannot be reached, or says no.
pub async fn run(
    config: &UpstreamConfig,
    permit: &SqlPermit,
) -> Result<Vec<Vec<Option<String>>>, UpstreamError> {
    let mut upstream = read_only(config).await?;
    let rows = upstream.run(permit).await?;
    upstream.close().await;
    Ok(owned(&rows)?)
}

fn owned(rows: &Rows) -> Result<Vec<Vec<Option<String>>>, FrameError> {
    let owned = |row: Vec<Option<&str>>| row.into_iter().map(|value| value.map(str::to_owned)).collect();
    rows.iter().map(|row| row.map(owned)).collect()
}

/// The relations that the gateway's own login cannot read. For `veilgate check`.
///
/// # Errors
/// When the store cannot be reached, or says no.
pub async fn unreadable(config: &UpstreamConfig) -> Result<Vec<RelationName>, UpstreamError> {
    let mut upstream = read_only(config).await?;
    let rows = upstream.query(UNREADABLE).await?;
    upstream.close().await;
    let name = |row: Vec<Option<String>>| match &row[..] {
        [Some(schema), Some(name)] => Some(RelationName::new(schema.as_str(), name.as_str())),
        _ => None,
    };
    Ok(owned(&rows)?.into_iter().filter_map(name).collect())
}

/// A connection of its own that can write nothing.
pub(crate) async fn read_only(config: &UpstreamConfig) -> Result<Upstream, UpstreamError> {
    let mut upstream = upstream::connect(config).await?;
    upstream.query("SET default_transaction_read_only = on").await?;
    Ok(upstream)
}

/// Why there is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The store cannot be reached or asked.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// A value of the catalogue is not what it should be.
    #[error("the store's catalogue has an unexpected value")]
    Value,
    /// A server of a version that is not known.
    #[error("PostgreSQL {0} is not supported: there are lists of calls for 14 to 18")]
    Version(u32),
}

impl CatalogError {
    /// What the store said, where it is the store that said no.
    #[must_use]
    pub fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Upstream(UpstreamError::Store(error)) => Some(error),
            Self::Upstream(_) | Self::Value | Self::Version(_) => None,
        }
    }
}

/// What a view's definition is written under: every name in it comes with its schema, but those of `pg_catalog`, and its
/// constants read the same whatever a session has set.
const DEFINITIONS_READ_THE_SAME: [&str; 5] = [
    "SET LOCAL search_path = pg_catalog, pg_temp",
    "SET LOCAL intervalstyle = iso_8601",
    "SET LOCAL datestyle = iso",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",
];

/// The major versions that there are lists of calls for.
const SUPPORTED: std::ops::RangeInclusive<u32> = 14..=18;

const SERVER: &str = "SELECT current_setting('server_version_num'), current_database()";

/// `pg_temp_3`, `pg_toast` and `pg_toast_temp_3` begin so, and nothing else may.
const SCHEMAS: &str = r"
SELECT nspname FROM pg_namespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' ORDER BY nspname";

const RELATIONS: &str = r"
SELECT c.oid, n.nspname, c.relname, c.reltype, c.relkind, c.relispartition, c.relrowsecurity,
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
       CASE WHEN c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') THEN coalesce(pg_get_viewdef(c.oid), '') ELSE '' END,
       EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o
               WHERE o.option_name = 'security_barrier' AND o.option_value::bool),
       c.relowner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname NOT LIKE 'pg\_%' OR n.nspname = 'pg_catalog') AND c.relkind NOT IN ('i', 'I', 't')";

/// A virtual column is computed where it is read, by an expression of its own that can fail: there is none, for anybody.
const COLUMNS: &str = r"
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attcollation, a.attnum
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname NOT LIKE 'pg\_%' OR n.nspname = 'pg_catalog') AND c.relkind NOT IN ('i', 'I', 't')
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
ORDER BY a.attrelid, a.attnum";

const PRIMARY_KEYS: &str = r"
SELECT i.indrelid, a.attname
FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indisprimary AND k.place <= i.indnkeyatts ORDER BY i.indrelid, k.place";

const PARENTS: &str = "SELECT inhrelid, inhparent FROM pg_inherits ORDER BY inhrelid, inhseqno";

/// A true array is the one that its element names; `int2vector` is none.
const TYPES: &str = r"
SELECT t.oid, n.nspname, t.typname, t.typtype,
       CASE WHEN e.typarray = t.oid THEN e.oid ELSE 0 END, t.typbasetype, t.typtypmod,
       t.typnotnull OR EXISTS (SELECT FROM pg_constraint k WHERE k.contypid = t.oid)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem
WHERE n.nspname NOT LIKE 'pg\_t%'";

const COLLATIONS: &str = r"
SELECT c.oid, n.nspname, c.collname, c.collisdeterministic
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace";

const UNREADABLE: &str = r"
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT'))
ORDER BY 1, 2";

/// What is not the server's own, in the schemas where operators and functions are looked up. Casts from base types that
/// are not built in are left out: a superuser made the type.
const ADDED: &str = r"
SELECT 'function', proname, '', '' FROM pg_proc WHERE oid >= 16384 AND pronamespace = 'pg_catalog'::regnamespace
UNION SELECT 'operator', oprname, '', '' FROM pg_operator WHERE oid >= 16384 AND oprnamespace = 'pg_catalog'::regnamespace
UNION SELECT 'of an extension', oprname, '', '' FROM pg_operator JOIN pg_namespace n ON n.oid = oprnamespace
WHERE nspname = ANY (current_schemas(false)) AND nspname <> 'pg_catalog' AND nspname NOT LIKE 'pg\_temp%'
UNION SELECT CASE castcontext WHEN 'i' THEN 'implicit cast' ELSE 'cast' END, '', castsource::text, casttarget::text
FROM pg_cast c JOIN pg_type t ON t.oid = castsource
WHERE c.oid >= 16384 AND NOT (t.oid >= 16384 AND t.typtype = 'b' AND t.typcategory <> 'A')";

/// Who could add to these schemas without being trusted with them, and comparisons that are somebody's own.
const UNTRUSTED: &str = r"
SELECT format('%s may create in the schema %s', r.name, nspname) FROM pg_namespace n
JOIN (SELECT oid, format('the role %s', rolname) FROM pg_roles WHERE NOT rolsuper AND rolname NOT LIKE 'pg\_%') r (oid, name)
  ON has_schema_privilege(r.oid, n.oid, 'CREATE') AND NOT pg_has_role(r.oid, n.nspowner, 'USAGE')
WHERE nspname = ANY (current_schemas(false)) AND nspname NOT LIKE 'pg\_temp%'
UNION ALL
SELECT format('the operator class %s is the default for the type %s', opcname, opcintype::regtype)
FROM pg_opclass o JOIN pg_am a ON a.oid = o.opcmethod JOIN pg_type t ON t.oid = o.opcintype
WHERE o.oid >= 16384 AND o.opcdefault AND a.amname IN ('btree', 'hash') AND (t.oid < 16384 OR t.typtype = 'e')
LIMIT 1";

/// Every change of a row of the catalogue gives it another `xmin`; statistics are updated in place and do not. `pg_t` is
/// the beginning of the names of temporary and toast schemas.
const FINGERPRINT: &str = r"
WITH shown AS (SELECT oid, xmin FROM pg_namespace WHERE nspname NOT LIKE 'pg\_t%'),
     classes AS (SELECT oid, xmin FROM pg_class
                 WHERE relkind NOT IN ('i', 'I', 't') AND relnamespace IN (SELECT oid FROM shown)),
     rows (kind, id, version) AS (
  SELECT 1, oid::int8, xmin FROM shown UNION ALL
  SELECT 2, oid::int8, xmin FROM classes UNION ALL
  SELECT 3, attrelid::int8 * 2048 + attnum, xmin FROM pg_attribute WHERE attnum > 0 AND attrelid IN (SELECT oid FROM classes)
  UNION ALL
  SELECT 4, oid::int8, xmin FROM pg_type WHERE typnamespace IN (SELECT oid FROM shown) UNION ALL
  SELECT 5, oid::int8, xmin FROM pg_constraint WHERE connamespace IN (SELECT oid FROM shown) UNION ALL
  SELECT 6, indexrelid::int8, xmin FROM pg_index WHERE indrelid IN (SELECT oid FROM classes) UNION ALL
  SELECT 11, oid::int8, xmin FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM classes) UNION ALL
  SELECT 12, oid::int8, xmin FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM classes) UNION ALL
  SELECT 7, inhrelid::int8 + inhparent::int8 * 3, xmin FROM pg_inherits UNION ALL
  SELECT 8, oid::int8, xmin FROM pg_rewrite UNION ALL
  SELECT 9, oid::int8, xmin FROM pg_collation UNION ALL
  SELECT 10, oid::int8, xmin FROM pg_proc WHERE oid >= 16384 UNION ALL
  SELECT 11, oid::int8, xmin FROM pg_operator WHERE oid >= 16384 UNION ALL
  SELECT 12, oid::int8, xmin FROM pg_cast WHERE oid >= 16384 UNION ALL
  SELECT 13, oid::int8, xmin FROM pg_opclass WHERE oid >= 16384)
SELECT md5(string_agg(part, ' ' ORDER BY part))
FROM (SELECT concat(kind, ':', count(*), ':', sum(version::text::int8 * (id % 65521 + 1))) FROM rows GROUP BY kind) p (part)";

type Details = HashMap<u32, RelationDetail>;

/// The answers, before anything is made of them.
struct Loaded {
    server: Rows,
    schemas: Rows,
    relations: Rows,
    columns: Rows,
    primary_keys: Rows,
    parents: Rows,
    types: Rows,
    collations: Rows,
    added: Rows,
    untrusted: Rows,
    objects: crate::objects::Loaded,
}

impl Loaded {
    async fn read(upstream: &mut Upstream) -> Result<Self, UpstreamError> {
        // Asked along the path of the gateway's statements, before the one that definitions are written under.
        let (added, untrusted) = (upstream.query(ADDED).await?, upstream.query(UNTRUSTED).await?);
        for setting in DEFINITIONS_READ_THE_SAME {
            upstream.query(setting).await?;
        }
        Ok(Self {
            server: upstream.query(SERVER).await?,
            schemas: upstream.query(SCHEMAS).await?,
            relations: upstream.query(RELATIONS).await?,
            columns: upstream.query(COLUMNS).await?,
            primary_keys: upstream.query(PRIMARY_KEYS).await?,
            parents: upstream.query(PARENTS).await?,
            types: upstream.query(TYPES).await?,
            collations: upstream.query(COLLATIONS).await?,
            added,
            untrusted,
            objects: crate::objects::Loaded::read(upstream).await?,
        })
    }

    fn catalog(&self, store: &str) -> Result<Catalog, CatalogError> {
        let server = rows::<2>(&self.server)?;
        let [version, database] = *server.first().ok_or(CatalogError::Value)?;
        let version: u32 = number(version)?;
        if !SUPPORTED.contains(&(version / 10_000)) {
            return Err(CatalogError::Version(version / 10_000));
        }
        let types = Types::of(rows(&self.types)?)?;
        let schemas = rows::<1>(&self.schemas)?.into_iter().map(|[name]| name.into()).collect();
        let (relations, details) = self.relations(&types)?;
        Ok(Catalog {
            store: store.into(),
            server_version: version,
            database: database.into(),
            schemas,
            relations: relations
                .into_values()
                .map(|relation| (relation.name.clone(), Arc::new(relation)))
                .collect(),
            types: types.finish(),
            collations: collations(rows(&self.collations)?)?,
            added: Added {
                untrusted: rows::<1>(&self.untrusted)?.first().map(|[reason]| (*reason).into()),
                ..added(rows(&self.added)?)?
            },
            objects: self.objects.objects(details)?,
        })
    }

    fn relations(&self, types: &Types) -> Result<(HashMap<u32, Relation>, Details), CatalogError> {
        let mut relations = HashMap::new();
        let mut details = Details::new();
        for row in rows(&self.relations)? {
            let [
                oid,
                schema,
                name,
                row_type,
                kind,
                is_partition,
                row_security,
                has_rules,
                definition,
                barrier,
                owner,
            ] = row;
            let oid = number(oid)?;
            let relation = Relation {
                name: RelationName::new(schema, name),
                oid,
                row_type: number(row_type)?,
                kind: relation_kind(kind),
                columns: Vec::new(),
                primary_key: Vec::new(),
                parents: Vec::new(),
                is_partition: is_partition == "t",
                has_rules: has_rules == "t",
                row_security: row_security == "t",
                definition: (!definition.is_empty()).then(|| definition.trim().trim_end_matches(';').into()),
                security_barrier: barrier == "t",
            };
            relations.insert(oid, relation);
            details.insert(oid, RelationDetail { owner: number(owner)?, numbers: Vec::new() });
        }
        for [oid, name, type_oid, typmod, not_null, collation, place] in rows(&self.columns)? {
            let Some(relation) = relations.get_mut(&number(oid)?) else { continue };
            if let Some(detail) = details.get_mut(&relation.oid) {
                detail.numbers.push(number(place)?);
            }
            let type_oid = number(type_oid)?;
            let (base_oid, typmod) = types.base(type_oid, number(typmod)?)?;
            relation.columns.push(Column {
                name: name.into(),
                type_oid,
                base_oid,
                typmod,
                not_null: not_null == "t",
                collation: number(collation)?,
            });
        }
        for [oid, name] in rows(&self.primary_keys)? {
            if let Some(relation) = relations.get_mut(&number(oid)?) {
                relation.primary_key.push(name.into());
            }
        }
        for [child, parent] in rows(&self.parents)? {
            let Some(parent) = relations.get(&number(parent)?).map(|parent| parent.name.clone()) else {
                continue;
            };
            if let Some(child) = relations.get_mut(&number(child)?) {
                child.parents.push(parent);
            }
        }
        Ok((relations, details))
    }
}

fn relation_kind(kind: &str) -> RelationKind {
    match kind {
        "r" => RelationKind::Table,
        "p" => RelationKind::Partitioned,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        "S" => RelationKind::Sequence,
        "c" => RelationKind::Composite,
        _ => RelationKind::Other,
    }
}

fn added(rows: Vec<[&str; 4]>) -> Result<Added, CatalogError> {
    let mut added = Added::default();
    for [kind, name, source, target] in rows {
        match kind {
            "function" => drop(added.functions.insert(name.into())),
            "operator" => drop(added.operators.insert(name.into())),
            "of an extension" => drop(added.extension_operators.insert(name.into())),
            "cast" => drop(added.casts.insert((number(source)?, number(target)?), false)),
            "implicit cast" => drop(added.casts.insert((number(source)?, number(target)?), true)),
            _ => return Err(CatalogError::Value),
        }
    }
    Ok(added)
}

fn collations(rows: Vec<[&str; 4]>) -> Result<HashMap<u32, Collation>, CatalogError> {
    rows.into_iter()
        .map(|[oid, schema, name, deterministic]| {
            let collation =
                Collation { schema: schema.into(), name: name.into(), deterministic: deterministic == "t" };
            Ok((number(oid)?, collation))
        })
        .collect()
}

/// Types, with what domains are over.
struct Types {
    types: HashMap<u32, SqlType>,
    /// Of each domain: the type below it, that type's modifier, and whether the domain itself is constrained.
    domains: HashMap<u32, (u32, i32, bool)>,
}

impl Types {
    fn of(rows: Vec<[&str; 8]>) -> Result<Self, CatalogError> {
        let (mut types, mut domains) = (HashMap::new(), HashMap::new());
        for [oid, schema, name, kind, element, base, typmod, constrained] in rows {
            let (oid, element, base) = (number(oid)?, number(element)?, number(base)?);
            let constrained = constrained == "t";
            let kind = match kind {
                "b" if element != 0 => TypeKind::Array { element },
                "b" => TypeKind::Base,
                "c" => TypeKind::Composite,
                "e" => TypeKind::Enum,
                "r" | "m" => TypeKind::Range,
                "d" => {
                    domains.insert(oid, (base, number(typmod)?, constrained));
                    TypeKind::Domain { base, constrained }
                }
                // A kind that is not known gives no right to anything.
                _ => TypeKind::Pseudo,
            };
            types.insert(oid, SqlType { oid, schema: schema.into(), name: name.into(), kind });
        }
        Ok(Self { types, domains })
    }

    /// The type and modifier below all domains, as a row description has them.
    fn base(&self, mut oid: u32, mut typmod: i32) -> Result<(u32, i32), CatalogError> {
        // A domain cannot be over itself; the count is for a catalogue that says otherwise.
        for _ in 0..=self.domains.len() {
            match self.domains.get(&oid) {
                Some((base, modifier, _)) => (oid, typmod) = (*base, *modifier),
                None => return Ok((oid, typmod)),
            }
        }
        Err(CatalogError::Value)
    }

    fn finish(mut self) -> HashMap<u32, SqlType> {
        for oid in self.domains.keys() {
            let below = self.constrained(*oid);
            if let Some(TypeKind::Domain { constrained, .. }) = self.types.get_mut(oid).map(|ty| &mut ty.kind)
            {
                *constrained = below;
            }
        }
        self.types
    }

    /// Whether a domain or one below it is constrained.
    fn constrained(&self, oid: u32) -> bool {
        let mut next = Some(oid);
        std::iter::from_fn(|| {
            let (base, _, constrained) = self.domains.get(&next?)?;
            next = Some(*base);
            Some(*constrained)
        })
        .take(self.domains.len() + 1)
        .any(|constrained| constrained)
    }
}

/// Rows of so many values, none of them NULL.
pub(crate) fn rows<const N: usize>(rows: &Rows) -> Result<Vec<[&str; N]>, CatalogError> {
    rows.iter()
        .map(|row| {
            let row = row.map_err(UpstreamError::from)?;
            let row: Option<Vec<&str>> = row.into_iter().collect();
            row.and_then(|row| row.try_into().ok()).ok_or(CatalogError::Value)
        })
        .collect()
}

pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, CatalogError> {
    text.parse().map_err(|_| CatalogError::Value)
}
