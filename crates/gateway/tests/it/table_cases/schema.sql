-- A shop, in words that each engine has its own for: `{text}` and the like stand for them.
CREATE TABLE customers (
    id {serial}, name {text} NOT NULL, email {text}, vip {boolean} NOT NULL DEFAULT FALSE,
    balance {decimal} NOT NULL DEFAULT 0, owner {text} NOT NULL DEFAULT 'ada', settings {json of settings}, created_at {moment} NOT NULL,
    internal_note {text}, UNIQUE (name));
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, state {text} NOT NULL DEFAULT 'new',
    total {decimal} NOT NULL CHECK (total >= 0), placed_at {timestamp} NOT NULL DEFAULT '2026-03-01 00:00:00', note {text},
    owner {text} NOT NULL DEFAULT 'ada', lock_version INTEGER NOT NULL DEFAULT 1,
    FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE products (
    id INTEGER PRIMARY KEY, sku {text} NOT NULL UNIQUE, name {text} NOT NULL, price {decimal} NOT NULL, weight {real},
    added {date} NOT NULL DEFAULT '2026-01-31', attributes {json of attributes}, {q}shelf life{q} {text}, {q}a.b{q} {text});
CREATE TABLE {q}lines{q} (
    order_id INTEGER NOT NULL, number INTEGER NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL,
    price {decimal} NOT NULL, PRIMARY KEY (order_id, number),
    CONSTRAINT line_of_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT line_of_product FOREIGN KEY (product_id) REFERENCES products (id));
CREATE TABLE tags (id INTEGER PRIMARY KEY, word {text} NOT NULL);
CREATE TABLE order_tags (
    order_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, PRIMARY KEY (order_id, tag_id),
    CONSTRAINT tagged_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT tag_of_order FOREIGN KEY (tag_id) REFERENCES tags (id));
CREATE TABLE invoices (
    order_id INTEGER PRIMARY KEY, number {text} NOT NULL, issued {date} NOT NULL,
    FOREIGN KEY (order_id) REFERENCES orders (id));
CREATE TABLE employees (
    id INTEGER PRIMARY KEY, name {text} NOT NULL, manager_id INTEGER,
    CONSTRAINT reports_to FOREIGN KEY (manager_id) REFERENCES employees (id));
CREATE TABLE parcels (
    id INTEGER PRIMARY KEY, from_id INTEGER NOT NULL, to_id INTEGER NOT NULL,
    CONSTRAINT sender FOREIGN KEY (from_id) REFERENCES employees (id),
    CONSTRAINT receiver FOREIGN KEY (to_id) REFERENCES employees (id));
CREATE TABLE archived_orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, total {decimal} NOT NULL, owner {text} NOT NULL);
CREATE TABLE measures (id INTEGER PRIMARY KEY, room {text}, degrees {real}, taken INTEGER, fine {boolean});
CREATE TABLE notes (id {serial}, word {text} NOT NULL, points INTEGER DEFAULT 7, version INTEGER NOT NULL DEFAULT 1);
CREATE TABLE secrets (id INTEGER PRIMARY KEY, marker {text} NOT NULL);
CREATE VIEW order_totals AS
    SELECT customer_id, count(*) AS orders, sum(total) AS total FROM orders GROUP BY customer_id;
INSERT INTO customers (id, name, email, vip, balance, owner, settings, created_at, internal_note) VALUES
    (1, 'Ada', 'ada@example.org', TRUE, 10.50, 'ada',
        '{"theme": "dark", "depth": {"n": 5}, "list": [10, 20], "on": true, "none": null}', '2026-01-01T08:00:00{utc}', '{marker}'),
    (2, 'bob', NULL, FALSE, 0.00, 'bob', '{"theme": "light"}', '2026-01-02T08:00:00.5{utc}', '{marker}'),
    (3, 'Cyd', 'CYD@example.org', FALSE, -3.25, 'cyd', NULL, '2026-01-03T08:00:00{utc}', '{marker}'),
    (4, 'Élan', 'a_b%c', TRUE, 99.99, 'ada', '{"theme": null}', '2026-01-04T08:00:00{utc}', NULL);
INSERT INTO orders (id, customer_id, state, total, placed_at, note, owner, lock_version) VALUES
    (10, 1, 'new', 20.00, '2026-02-01T10:00:00', 'first', 'ada', 1),
    (11, 1, 'paid', 30.50, '2026-02-02T10:00:00', NULL, 'ada', 2),
    (12, 2, 'sent', 5.25, '2026-02-03T10:00:00.25', 'a "quoted", (odd) note', 'bob', 1),
    (13, 3, 'gone', 7.00, '2026-02-04T10:00:00', NULL, 'cyd', 1);
INSERT INTO products VALUES
    (100, 'A-1', 'Apple', 1.00, 0.5, '2026-01-01', '{"color": "red", "size": 3}', NULL, 'dotted'),
    (101, 'B-2', 'Bread', 2.50, NULL, '2026-01-02', NULL, '3 days', NULL),
    (102, 'C-3', 'Cake', 10.00, 1.25, '2026-01-03', '{"color": "brown"}', NULL, NULL);
INSERT INTO {q}lines{q} VALUES
    (10, 1, 100, 5, 1.00), (10, 2, 101, 2, 2.50), (10, 3, 102, 1, 10.00), (11, 1, 102, 3, 10.00), (12, 1, 101, 2, 2.50);
INSERT INTO tags VALUES (1, 'urgent'), (2, 'gift'), (3, 'unused');
INSERT INTO order_tags VALUES (10, 1), (10, 2), (12, 2);
INSERT INTO invoices VALUES (10, 'I-10', '2026-02-05'), (12, 'I-12', '2026-02-06');
INSERT INTO employees VALUES (1, 'Root', NULL), (2, 'Left', 1), (3, 'Right', 1), (4, 'Leaf', 2);
INSERT INTO parcels VALUES (1, 1, 2), (2, 2, 4), (3, 4, 1);
INSERT INTO archived_orders VALUES (1, 1, 1.00, 'ada'), (2, 2, 20.00, 'bob');
INSERT INTO measures VALUES
    (1, 'hall', 20.5, 1, TRUE), (2, 'hall', NULL, 2, FALSE), (3, 'attic', -1.5, 3, NULL), (4, NULL, 7, NULL, TRUE), (5, 'attic', 3, 3, TRUE);
INSERT INTO notes (id, word, points) VALUES (1, 'one', 1), (2, 'two', NULL), (3, 'three', 3);
INSERT INTO secrets VALUES (1, '{marker}');
