-- What DBeaver asks of a PostgreSQL when it connects and when one opens a schema and a table in its tree, written from
-- its public behaviour. A line `--: …` gives the values of the next statement's `?`: `schema public` and
-- `table customers` stand for the object's oid, anything else for itself.

SELECT current_database(), current_schema(), session_user;

SHOW search_path;

SELECT version();

SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings';

SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs,absolute}'::text[]);

--: crm
SELECT db.oid, db.* FROM pg_catalog.pg_database db
WHERE datallowconn AND NOT datistemplate OR db.datname = ? ORDER BY db.datname;

SELECT 1 FROM pg_catalog.pg_type WHERE typcategory IS NULL LIMIT 1;

SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass
ORDER BY nspname;

--: schema pg_catalog
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
AND t.typnamespace = ?;

--: schema public
SELECT t.oid, t.*, c.relkind FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = ? ORDER BY t.typname;

SELECT a.oid, a.*, pd.description FROM pg_catalog.pg_roles a
LEFT OUTER JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname;

SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid;

SELECT l.oid, l.* FROM pg_catalog.pg_language l ORDER BY l.oid;

SELECT t.oid, t.*, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid;

SELECT c.contid AS encid, pg_catalog.pg_encoding_to_char(c.contid) AS encname FROM pg_catalog.generate_series(0, 41) AS c (contid);

SELECT x.oid, x.* FROM pg_catalog.pg_foreign_data_wrapper x ORDER BY x.oid;

SELECT x.oid, x.* FROM pg_catalog.pg_foreign_server x ORDER BY x.oid;

SELECT x.oid, x.*, n.nspname AS schema_name FROM pg_catalog.pg_extension x
JOIN pg_catalog.pg_namespace n ON x.extnamespace = n.oid ORDER BY x.oid;

SELECT et.oid, et.* FROM pg_catalog.pg_event_trigger et ORDER BY et.oid;

--: schema public
SELECT c.oid, c.* FROM pg_catalog.pg_collation c WHERE c.collnamespace = ? ORDER BY c.oid;

--: schema public
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr,
  pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = ? AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.relname;

--: schema public
SELECT c.oid, c.*, (SELECT array_agg(i.inhparent) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS parents
FROM pg_catalog.pg_class c WHERE c.relnamespace = ? AND c.relkind NOT IN ('i', 'c');

--: schema public
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
LEFT OUTER JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.relnamespace = ?
ORDER BY a.attnum;

--: table customers
SELECT c.relname, a.*, ad.oid AS attr_id, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
LEFT OUTER JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
WHERE NOT a.attisdropped AND c.oid = ? ORDER BY a.attnum;

--: schema public
SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description,
  CASE c.contype WHEN 'c' THEN "substring"(pg_get_constraintdef(c.oid), 7) END consrc_copy
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE t.relnamespace = ? ORDER BY c.oid;

--: table orders
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description,
  pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr,
  pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS index_num_scans
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE i.indrelid = ? ORDER BY tabrelname, c.relname;

--: schema public
SELECT p.oid, p.proname, p.proargtypes, p.prorettype, d.description FROM pg_catalog.pg_proc p
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid
WHERE p.pronamespace = ? ORDER BY p.proname;

--: schema public
SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) AS total_rel_size, pg_catalog.pg_relation_size(c.oid) AS rel_size
FROM pg_catalog.pg_class c WHERE c.relnamespace = ? ORDER BY c.oid;

--: table customers
SELECT x.oid, x.tgname, x.tgenabled, p.pronamespace AS func_schema_id, d.description FROM pg_catalog.pg_trigger x
LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = x.tgfoid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid AND d.objsubid = 0
WHERE x.tgrelid = ? AND NOT x.tgisinternal ORDER BY x.tgname;

--: table customers
SELECT r.oid, r.rulename, r.ev_type, r.is_instead FROM pg_catalog.pg_rewrite r WHERE r.ev_class = ? ORDER BY r.rulename;

--: table customers
SELECT p.polname, p.polpermissive, p.polcmd FROM pg_catalog.pg_policy p WHERE p.polrelid = ?;

--: table customers
SELECT i.*, c.relnamespace FROM pg_catalog.pg_inherits i, pg_catalog.pg_class c
WHERE i.inhrelid = ? AND c.oid = i.inhparent ORDER BY i.inhseqno;

--: table events
SELECT c.oid, c.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = ? ORDER BY c.relname;

--: schema public
SELECT c.relname, c.relkind, c.relacl, pg_catalog.pg_get_userbyid(c.relowner) AS owner FROM pg_catalog.pg_class c
WHERE c.relnamespace = ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY c.relname;

--: cust%
SELECT x.oid, x.relname, x.relnamespace, x.relkind FROM pg_catalog.pg_class x
WHERE x.relkind IN ('r', 'v', 'm', 'f', 'p') AND x.relname ILIKE ? ORDER BY x.relname LIMIT 100;

SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = 16 ORDER BY e.enumsortorder;

SELECT x.* FROM public.orders x LIMIT 200;

SELECT x.* FROM public.customers x WHERE x.id < 100 ORDER BY x.id LIMIT 200;

SELECT count(*) FROM public.orders;
