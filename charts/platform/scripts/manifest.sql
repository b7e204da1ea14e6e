-- What a database holds, one line each: kind, name, count, digest. Two databases with the same lines
-- have the same contents, whatever the order of their rows and the settings of who asks.
--
-- Lines come in any order. Sequences know no snapshots, so a dump's are read from the archive, and
-- those of a database are told with the variable with_sequences.
--
-- Left out: contents of materialized views, which a restore computes anew, and tables that belong to
-- extensions, which an extension brings along.
\pset fieldsep '\t'
SET LOCAL search_path = pg_catalog;
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL timezone = 'UTC';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL xmlbinary = 'base64';
SET LOCAL lc_monetary = 'C';
SET LOCAL row_security = off;

CREATE FUNCTION pg_temp.is_own(catalog regclass, object oid, schema oid) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = catalog AND objid = object AND deptype = 'e'
    ) AND EXISTS (
        SELECT FROM pg_namespace WHERE oid = schema AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    )
$$;

SELECT 'schema', quote_ident(nspname), '', '' FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema';

SELECT 'extension', quote_ident(extname), '', '' FROM pg_extension;

-- The first 60 bits of each row's MD5, added up: the order of rows does not matter.
SELECT format(
    'SELECT ''table'', %L, count(*), coalesce(sum((''x'' || left(md5((t.*)::text), 15))::bit(60)::bigint), 0) FROM %I.%I AS t',
    format('%I.%I', nspname, relname), nspname, relname
)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind = 'r' AND relpersistence <> 't' AND pg_temp.is_own('pg_class', c.oid, relnamespace) \gexec

\if :{?with_sequences}
SELECT format(
    'SELECT ''sequence'', %L, last_value, is_called::text FROM %I.%I', format('%I.%I', nspname, relname), nspname, relname
)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind = 'S' AND relpersistence <> 't' AND pg_temp.is_own('pg_class', c.oid, relnamespace) \gexec
\endif

SELECT 'large objects', '', count(*),
    coalesce(sum(('x' || left(md5(oid::text || md5(lo_get(oid))), 15))::bit(60)::bigint), 0)
FROM pg_largeobject_metadata;

SELECT 'columns', format('%I.%I', nspname, relname), count(*), md5(string_agg(
    concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, attidentity,
        (SELECT collname FROM pg_collation WHERE oid = attcollation),
        (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = c.oid AND adnum = attnum)),
    ',' ORDER BY attnum))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = relnamespace
JOIN pg_attribute AS a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't'
    AND pg_temp.is_own('pg_class', c.oid, relnamespace)
GROUP BY nspname, relname;

SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, format('%I.%I', nspname, relname),
    '', md5(pg_get_viewdef(c.oid) || relispopulated)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('v', 'm') AND pg_temp.is_own('pg_class', c.oid, relnamespace);

SELECT 'indexes', '', count(*),
    md5(coalesce(string_agg(pg_get_indexdef(indexrelid), ';' ORDER BY pg_get_indexdef(indexrelid) COLLATE "C"), ''))
FROM pg_index JOIN pg_class AS c ON c.oid = indrelid
WHERE relpersistence <> 't' AND relkind <> 't' AND pg_temp.is_own('pg_class', c.oid, relnamespace);

SELECT 'constraints', '', count(*), md5(coalesce(string_agg(definition, ';' ORDER BY definition COLLATE "C"), ''))
FROM (
    SELECT concat_ws(' ', conrelid::regclass, contypid::regtype, quote_ident(conname), pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE contype IN ('c', 'f', 'p', 'u', 'x') AND pg_temp.is_own('pg_constraint', oid, connamespace)
) AS found (definition);

SELECT 'triggers', '', count(*),
    md5(coalesce(string_agg(pg_get_triggerdef(t.oid), ';' ORDER BY pg_get_triggerdef(t.oid) COLLATE "C"), ''))
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
WHERE NOT tgisinternal AND pg_temp.is_own('pg_class', c.oid, relnamespace);

SELECT 'functions', '', count(*), md5(coalesce(string_agg(definition, ';' ORDER BY definition COLLATE "C"), ''))
FROM (
    SELECT CASE prokind WHEN 'a' THEN oid::regprocedure::text ELSE pg_get_functiondef(oid) END
    FROM pg_proc WHERE pg_temp.is_own('pg_proc', oid, pronamespace)
) AS found (definition);

SELECT 'enums', '', count(*),
    md5(coalesce(string_agg(concat_ws(' ', enumtypid::regtype, enumlabel), ';'
        ORDER BY enumtypid::regtype::text COLLATE "C", enumsortorder), ''))
FROM pg_enum JOIN pg_type AS t ON t.oid = enumtypid
WHERE pg_temp.is_own('pg_type', t.oid, typnamespace);
