-- Rows were given their numbers; the next ones follow them.
ALTER TABLE customers ALTER COLUMN id RESTART WITH 5;
ALTER TABLE notes ALTER COLUMN id RESTART WITH 4;
-- Full text, functions, and types that this engine alone has.
CREATE TABLE articles (title text COLLATE "C", body text COLLATE "C");
INSERT INTO articles VALUES ('one', 'The quick brown fox'), ('two', 'A lazy dog sleeps'), ('three', 'The brown dog''s quick');
CREATE TYPE mood AS ENUM ('low', 'fair', 'high');
CREATE TABLE kinds (
    id integer PRIMARY KEY, labels text[], counts integer[], span int4range, days daterange, feeling mood, token uuid, data jsonb,
    lasting interval, place inet);
INSERT INTO kinds VALUES
    (1, '{a,b}', '{1,2,3}', '[1,5)', '[2026-01-01,2026-02-01)', 'low', '11111111-1111-1111-1111-111111111111', '{"a": [1, 2], "b": {"c": "x"}}', '1 day', '10.0.0.1'),
    (2, '{b,c}', '{}', '[5,10)', NULL, 'high', NULL, '[1, 2, 3]', NULL, NULL),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE FUNCTION add_them(a integer, b integer DEFAULT 10) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE FUNCTION orders_of(customer integer) RETURNS SETOF orders LANGUAGE sql STABLE AS
    'SELECT * FROM orders WHERE customer_id = customer';
CREATE FUNCTION take_note(word text) RETURNS integer LANGUAGE sql VOLATILE AS
    'INSERT INTO notes (word) VALUES ($1) RETURNING points';
CREATE FUNCTION hidden_one() RETURNS text LANGUAGE sql STABLE AS 'SELECT marker FROM secrets';
