//! What hangs on a store's relations: indexes, constraints, defaults, triggers, sequences, and what each is made of.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Dependent, DependentKind, Need, Objects, RelationDetail};

use crate::catalog::{CatalogError, number, rows};
use crate::upstream::{Rows, Upstream, UpstreamError};

const DATABASE: &str = "SELECT oid FROM pg_database WHERE datname = current_database()";

const SCHEMAS: &str = "SELECT nspname, oid, nspowner FROM pg_namespace";

/// Of what the server itself made nothing: everybody may know it.
const DEPENDENTS: &str = r"
SELECT 'i', i.indexrelid, i.indrelid, n.nspname, c.relname, i.indnatts,
       i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indexrelid >= 16384 AND n.nspname NOT LIKE 'pg\_%'
UNION ALL
SELECT CASE k.contype WHEN 'c' THEN 'k' ELSE 'c' END, k.oid, k.conrelid, n.nspname, k.conname, 0, k.contype IN ('c', 'x')
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE k.oid >= 16384
UNION ALL
SELECT 'd', d.oid, d.adrelid, '', CASE WHEN a.attgenerated = '' THEN a.attname ELSE '' END, d.adnum, true
FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.oid >= 16384
UNION ALL
SELECT 't', t.oid, t.tgrelid, '', t.tgname, 0, t.tgqual IS NOT NULL FROM pg_trigger t WHERE t.oid >= 16384
UNION ALL
SELECT 's', c.oid, coalesce(min(d.refobjid::int8), 0)::oid, n.nspname, c.relname, 0, false
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = d.classid
WHERE c.relkind = 'S' AND n.nspname NOT LIKE 'pg\_%' GROUP BY c.oid, n.nspname, c.relname
UNION ALL
SELECT 'p', p.partrelid, p.partrelid, '', '', 0, true FROM pg_partitioned_table p";

/// What each is made of: as the server recorded it, and once more from the keys themselves.
const NEEDS: &str = r"
SELECT d.classid, d.objid, d.refclassid, d.refobjid, d.refobjsubid
FROM pg_depend d LEFT JOIN pg_class s ON s.oid = d.objid AND d.classid = 'pg_class'::regclass
WHERE d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_trigger'::regclass)
  AND d.objid >= 16384 AND d.objsubid = 0 AND d.refobjid >= 16384
  AND d.refclassid NOT IN ('pg_namespace'::regclass, 'pg_extension'::regclass)
  AND (s.oid IS NULL OR s.relkind IN ('i', 'I', 'S'))
UNION
SELECT 'pg_class'::regclass, i.indexrelid, 'pg_class'::regclass, i.indrelid, k
FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) k WHERE i.indexrelid >= 16384
UNION
SELECT 'pg_constraint'::regclass, c.oid, 'pg_class'::regclass, c.conrelid, k
FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) k WHERE c.oid >= 16384 AND c.conrelid <> 0
UNION
SELECT 'pg_constraint'::regclass, c.oid, 'pg_class'::regclass, c.confrelid, k
FROM pg_constraint c CROSS JOIN LATERAL unnest(c.confkey) k WHERE c.oid >= 16384 AND c.confrelid <> 0
UNION
SELECT 'pg_constraint'::regclass, c.oid, 'pg_type'::regclass, c.contypid, 0
FROM pg_constraint c WHERE c.oid >= 16384 AND c.contypid <> 0
UNION
SELECT 'pg_attrdef'::regclass, d.oid, 'pg_class'::regclass, d.adrelid, d.adnum FROM pg_attrdef d WHERE d.oid >= 16384
UNION
SELECT 'pg_trigger'::regclass, t.oid, 'pg_class'::regclass, t.tgrelid, k
FROM pg_trigger t CROSS JOIN LATERAL unnest(t.tgattr::int2[] || '0'::int2) k WHERE t.oid >= 16384
UNION
SELECT 0, p.partrelid, 'pg_class'::regclass, p.partrelid, k
FROM pg_partitioned_table p CROSS JOIN LATERAL unnest(p.partattrs::int2[]) k";

/// A partitioning by an expression: what it computes with is not recorded apart.
const BY_EXPRESSION: &str = "SELECT partrelid FROM pg_partitioned_table WHERE partexprs IS NOT NULL";

/// The answers, before anything is made of them.
pub(crate) struct Loaded {
    database: Rows,
    schemas: Rows,
    dependents: Rows,
    needs: Rows,
    by_expression: Rows,
}

impl Loaded {
    pub(crate) async fn read(upstream: &mut Upstream) -> Result<Self, UpstreamError> {
        Ok(Self {
            database: upstream.query(DATABASE).await?,
            schemas: upstream.query(SCHEMAS).await?,
            dependents: upstream.query(DEPENDENTS).await?,
            needs: upstream.query(NEEDS).await?,
            by_expression: upstream.query(BY_EXPRESSION).await?,
        })
    }

    pub(crate) fn objects(&self, relations: HashMap<u32, RelationDetail>) -> Result<Objects, CatalogError> {
        let database = rows::<1>(&self.database)?;
        let [database] = *database.first().ok_or(CatalogError::Value)?;
        let mut schemas = HashMap::new();
        for [name, oid, owner] in rows(&self.schemas)? {
            schemas.insert(Arc::from(name), (number(oid)?, number(owner)?));
        }
        let mut needs = self.needs()?;
        let closed: Vec<[&str; 1]> = rows(&self.by_expression)?;
        let closed: Vec<u32> = closed.into_iter().map(|[oid]| number(oid)).collect::<Result<_, _>>()?;
        let mut dependents = Vec::new();
        for [kind, oid, relation, schema, name, columns, computes] in rows(&self.dependents)? {
            let (oid, relation) = (number(oid)?, number(relation)?);
            let kind = kind_of(kind)?;
            if kind == DependentKind::Partitioning && closed.contains(&oid) {
                continue;
            }
            dependents.push(Dependent {
                kind,
                oid,
                relation,
                schema: schema.into(),
                name: name.into(),
                columns: number(columns)?,
                computes: computes == "t",
                needs: needs.remove(&(class_of(kind), oid)).unwrap_or_default(),
            });
        }
        Ok(Objects { database: number(database)?, schemas, relations, dependents })
    }

    fn needs(&self) -> Result<HashMap<(u32, u32), Vec<Need>>, CatalogError> {
        let mut needs: HashMap<(u32, u32), Vec<Need>> = HashMap::new();
        for [class, oid, of_class, of, column] in rows(&self.needs)? {
            let need = Need { class: number(of_class)?, oid: number(of)?, column: number(column)? };
            needs.entry((number(class)?, number(oid)?)).or_default().push(need);
        }
        Ok(needs)
    }
}

fn kind_of(letter: &str) -> Result<DependentKind, CatalogError> {
    match letter {
        "i" => Ok(DependentKind::Index),
        "k" => Ok(DependentKind::Check),
        "c" => Ok(DependentKind::Constraint),
        "d" => Ok(DependentKind::Default),
        "t" => Ok(DependentKind::Trigger),
        "s" => Ok(DependentKind::Sequence),
        "p" => Ok(DependentKind::Partitioning),
        _ => Err(CatalogError::Value),
    }
}

/// The oid of the catalogue relation that holds it; 0 for a partitioning, which is known by its relation.
fn class_of(kind: DependentKind) -> u32 {
    match kind {
        DependentKind::Index | DependentKind::Sequence => 1259,
        DependentKind::Check | DependentKind::Constraint => 2606,
        DependentKind::Default => 2604,
        DependentKind::Trigger => 2620,
        DependentKind::Partitioning => 0,
    }
}
