-- What is attacked: tables that are exposed, a column that isn't (`hidden`), a table that isn't (`secrets`), and rows that the
-- caller may not see (those of bob). `{marker}` must never be in an answer.
CREATE TABLE customers (
    id integer NOT NULL PRIMARY KEY, name varchar(60) NOT NULL UNIQUE, email varchar(60), owner varchar(60) NOT NULL DEFAULT 'ada',
    hidden varchar(80) UNIQUE, balance numeric(10, 2) NOT NULL DEFAULT 0);
CREATE TABLE secrets (id integer NOT NULL PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id), marker varchar(80));
CREATE TABLE orders (
    id integer NOT NULL PRIMARY KEY, customer_id integer NOT NULL, secret_id integer, note varchar(200),
    total numeric(10, 2) NOT NULL DEFAULT 0, placed timestamp NOT NULL DEFAULT '2026-01-01 00:00:00', version integer NOT NULL DEFAULT 1,
    owner varchar(60) NOT NULL DEFAULT 'ada',
    CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id),
    CONSTRAINT of_secret FOREIGN KEY (secret_id) REFERENCES secrets (id));
INSERT INTO customers (id, name, email, owner, hidden) VALUES
    (1, 'Ada', 'ada@example.org', 'ada', '{marker}-1'), (2, '{marker}-2', '{marker}-3', 'bob', '{marker}-4');
INSERT INTO secrets VALUES (1, 1, '{marker}-5'), (2, 2, '{marker}-6');
INSERT INTO orders (id, customer_id, secret_id, note, total, owner) VALUES
    (1, 1, 1, 'first', 10.50, 'ada'), (2, 1, 2, 'second', 7, 'ada'), (3, 2, 2, '{marker}-7', 99, 'bob');
