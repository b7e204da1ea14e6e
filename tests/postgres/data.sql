-- What a database may hold that is easily lost on the way: a bit of everything.
CREATE EXTENSION pgcrypto;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
SET ROLE aware;
CREATE SCHEMA shop;
CREATE SCHEMA "Überall";
CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN shop.price AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TABLE shop.customers (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000 INCREMENT BY 7) PRIMARY KEY,
    email public.citext UNIQUE NOT NULL,
    profile jsonb NOT NULL DEFAULT '{}',
    raw json,
    tags text[] NOT NULL DEFAULT '{}',
    matrix integer[][],
    attributes public.hstore,
    born date,
    seen timestamptz,
    took interval,
    address inet,
    token uuid DEFAULT gen_random_uuid(),
    photo bytea,
    weight double precision,
    balance money,
    bits bit(5),
    span tstzrange,
    place point,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(profile ->> 'name', ''))) STORED
);
INSERT INTO shop.customers
    (email, profile, raw, tags, matrix, attributes, born, seen, took, address, photo, weight, balance, bits, span, place)
VALUES
    ('Ada@example.org', '{"name": "Ada", "n": 1e400, "deep": [1, {"a": null}]}', '{"a":1, "a":2}',
        '{"a,b", "c\"d", NULL}', '{{1,2},{3,4}}', 'a=>1, b=>NULL', '0044-03-15 BC',
        'infinity', '1 year 2 mons -3 days 04:05:06.789', '2001:db8::1/64', '\xdeadbeef00', 'NaN', 12.34,
        B'10101', '[2026-01-01,infinity)', '(1.5,-2.5)'),
    ('björk@example.is', '{"name": "Björk ☃"}', NULL, '{}', NULL, NULL, '2026-02-28',
        '2026-03-29 02:30:00.123456+01', NULL, NULL, '', '-infinity', NULL, NULL, 'empty', NULL),
    (E'tab\there@example.org', E'{"name": "line\\nbreak"}', NULL, ARRAY[E'new\nline', ''], NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, '1e-300', -0.01, B'00000', NULL, NULL);
CREATE TABLE shop.orders (
    id serial,
    customer bigint NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
    at timestamptz NOT NULL,
    state shop.state NOT NULL DEFAULT 'new',
    total shop.price NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE shop.orders_2025 PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.orders_later PARTITION OF shop.orders DEFAULT;
INSERT INTO shop.orders (customer, at, total)
    SELECT 1000, timestamptz '2025-06-01' + n * interval '10 days', n * 1.5 FROM generate_series(1, 50) AS n;
CREATE INDEX orders_by_state ON shop.orders (state) WHERE state <> 'sent';
CREATE INDEX customers_by_name ON shop.customers USING gin ((profile ->> 'name') public.gin_trgm_ops);
CREATE SEQUENCE shop.numbers START WITH 5 INCREMENT BY 3 CACHE 4 CYCLE;
SELECT nextval('shop.numbers'), nextval('shop.numbers');
CREATE SEQUENCE "Überall"."never ""used""";
CREATE TABLE "Überall"."Küche" ("Größe in m²" real, "select" text, t text, "semi;colon" text);
INSERT INTO "Überall"."Küche" VALUES (3.14, 'SELECT 1;', E'\\N', '"'), (NULL, NULL, '\.', '');
CREATE TABLE shop.empty ();
CREATE UNLOGGED TABLE shop.scratch (n integer);
INSERT INTO shop.scratch SELECT generate_series(1, 10);
CREATE VIEW shop.paid AS SELECT * FROM shop.orders WHERE state = 'paid';
CREATE MATERIALIZED VIEW shop.totals AS SELECT state, count(*) AS n FROM shop.orders GROUP BY state;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := now(); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE AGGREGATE shop.product(integer) (SFUNC = int4mul, STYPE = integer, INITCOND = '1');
COMMENT ON TABLE shop.customers IS 'Who buys; with ''quotes''';
SELECT lo_from_bytea(42001, convert_to(repeat('large ', 10000), 'UTF8')), lo_create(42002);
RESET ROLE
