CREATE TYPE state AS ENUM ('new', 'paid', 'sent', 'gone');
CREATE TYPE pair AS (x integer, y text);
CREATE TABLE kinds (
    id uuid PRIMARY KEY, a_boolean boolean, a_tiny smallint, a_small smallint, an_integer integer, a_big bigint,
    an_unsigned bigint, a_real double precision, a_decimal numeric(12,2), a_numeric numeric, a_text text, some_bytes bytea,
    a_uuid uuid, a_date date, a_time time, a_timestamp timestamp, a_moment timestamptz, an_interval interval, a_json json,
    a_jsonb jsonb, a_state state, some_texts text[], some_integers integer[], a_range int4range, a_document tsvector,
    a_composite pair, an_any text, an_other inet, doubled integer GENERATED ALWAYS AS (an_integer * 2) STORED);
INSERT INTO kinds VALUES (
    'b5a0c1de-0000-4000-8000-000000000001', TRUE, 1, 2, 3, 9007199254740993, 5, 1.5, 10.50, 12.345, 'a text', '\x00ff10',
    'b5a0c1de-0000-4000-8000-00000000000a', '2026-01-31', '12:30:00', '2026-01-31T12:30:00', '2026-01-31T12:30:00.25Z', '1 day 02:00',
    '{"a": [1]}', '{"b": {"c": "d"}}', 'paid', '{x,"y z"}', '{1,2,3}', '[1,10)', 'fat:1 cat:2', ROW(7, 'seven'), 'any', '10.0.0.1');
INSERT INTO kinds (id) VALUES ('b5a0c1de-0000-4000-8000-000000000002');
